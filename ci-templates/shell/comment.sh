#!/usr/bin/env bash
# Puts the Markdown report on the pull request, and updates it there in later runs.
#
#   comment.sh REPORT.md
#
# The report has a hidden marker of its policy file and environment; the comment with the same marker is
# replaced, so that each gate has one. Needs curl and jq. On a run that belongs to no pull request, it
# does nothing. It does not change the verdict: run it also after a failed gate.
#
# GitHub  GH_TOKEN, with the permission `pull-requests: write` and no other
# GitLab  COMPLIANCE_GATE_COMMENT_TOKEN, an access token of the project: role Reporter, scope `api`
#         (a job's own token cannot write notes)
# Azure   SYSTEM_ACCESSTOKEN, where the build service may "Contribute to pull requests"
set -euo pipefail

report=$1
marker=$(grep --max-count=1 --only-matching --extended-regexp '^<!-- compliance-gate:[0-9a-f]+ -->$' "$report") || {
    echo "$report is not a Markdown report of compliance-gate" >&2
    exit 2
}

# `field` is that with the text, `new` what a new comment is made of.
field=body
new='{body: .}'
if [[ ${GITHUB_REF:-} =~ ^refs/pull/([0-9]+)/ ]]; then
    issues=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues
    comments=$issues/${BASH_REMATCH[1]}/comments
    comment=$issues/comments/
    header="Authorization: Bearer $GH_TOKEN"
    update=PATCH
    each='.[] | {text: .body, at: .id}'
    page="$comments?per_page=100&page="
elif [[ -n ${CI_MERGE_REQUEST_IID:-} ]]; then
    comments=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
    comment=$comments/
    header="PRIVATE-TOKEN: $COMPLIANCE_GATE_COMMENT_TOKEN"
    update=PUT
    each='.[] | {text: .body, at: .id}'
    page="$comments?per_page=100&page="
elif [[ -n ${SYSTEM_PULLREQUEST_PULLREQUESTID:-} ]]; then
    project=${SYSTEM_COLLECTIONURI%/}/${SYSTEM_TEAMPROJECTID}
    comments=$project/_apis/git/repositories/$BUILD_REPOSITORY_ID/pullRequests/$SYSTEM_PULLREQUEST_PULLREQUESTID/threads
    header="Authorization: Bearer $SYSTEM_ACCESSTOKEN"
    update=PATCH
    field=content
    new='{comments: [{parentCommentId: 0, commentType: 1, content: .}], status: "closed"}'
    comment=$comments/
    each='.value[] | {text: .comments[0].content, at: "\(.id)/comments/1?api-version=7.1"}'
    page=
else
    echo "This run belongs to no pull request: no comment."
    exit 0
fi

# Calls the host. The token is not among the arguments, where other programs could read it.
call() {
    curl --silent --show-error --fail --max-time 60 --config <(printf 'header = "%s"\n' "$header") \
        --header 'Content-Type: application/json' "$@"
}

# The first comment with the marker, on at most 50 pages. Azure has one page.
at=
for ((number = 1; number <= 50; number++)); do
    if [[ -n $page ]]; then list=$page$number; else list="$comments?api-version=7.1"; fi
    answer=$(call --retry 2 "$list")
    at=$(jq --raw-output --arg marker "$marker" \
        "first($each | select(.text // \"\" | contains(\$marker)) | .at) // empty" <<<"$answer")
    [[ -z $at && -n $page && $(jq length <<<"$answer") -eq 100 ]] || break
done

if [[ -n $at ]]; then
    jq --raw-input --slurp "{$field: .}" "$report" | call --request "$update" --data-binary @- --output /dev/null "$comment$at"
    echo "The comment is updated."
else
    [[ -n $page ]] || comments+="?api-version=7.1"
    jq --raw-input --slurp "$new" "$report" | call --request POST --data-binary @- --output /dev/null "$comments"
    echo "The comment is written."
fi
