#!/usr/bin/env bash
# Uploads the findings to code scanning by GitHub's REST API. A failure is a warning: the verdict is
# the gate's, and code scanning may not be enabled.
#
# Not by github/codeql-action/upload-sarif: it identifies an alert by the line it is at, so all
# resources that fail one rule would be one alert.
set -euo pipefail

not_uploaded() {
    local why
    why=$(printf '%s' "$*" | LC_ALL=C tr -d '\r\n%' | cut -c 1-500)
    printf '::warning title=Findings were not uploaded to code scanning::%s This does not change the verdict.\n' "$why"
    exit 0
}

folder=$(mktemp -d "${RUNNER_TEMP:?}/compliance-gate-sarif.XXXXXX")
trap 'rm -rf "$folder"' EXIT
address=${GITHUB_API_URL:?}/repos/${GITHUB_REPOSITORY:?}/code-scanning/sarifs

# api METHOD ADDRESS [FILE]: the answer is in $folder/answer, its status is printed. The token is
# not an argument: those are visible to other processes.
api() {
    local options=(--silent --show-error --retry 3 --max-time 120 --output "$folder/answer" --write-out '%{http_code}'
        --request "$1" --header 'Accept: application/vnd.github+json')
    [[ $# -lt 3 ]] || options+=(--header 'Content-Type: application/json' --data-binary "@$3")
    printf 'header = "Authorization: Bearer %s"\n' "$GH_TOKEN" | curl --config - "${options[@]}" "$2"
}

# field NAME: a text of the answer.
field() {
    sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' "$folder/answer" | head -n 1
}

[[ -s ${SARIF:-} ]] || not_uploaded 'There is no SARIF report.'

# GitHub identifies an alert by `primaryLocationLineHash`; here that is the finding. Quotes inside
# of JSON's texts are escaped, so only keys and values of the report itself can match.
edits=(-e 's|"complianceGate/v1":"\([^"]*\)"|"complianceGate/v1":"\1","primaryLocationLineHash":"\1:1"|g')
if [[ -n ${CATEGORY:-} ]]; then
    edits+=(-e 's|"automationDetails":{"id":"\([^"]*\)"}|"automationDetails":{"id":"\1'"$CATEGORY"'/"}|')
fi
{
    printf '{"commit_sha":"%s","ref":"%s","sarif":"' "${GITHUB_SHA:?}" "${GITHUB_REF//\"/\\\"}"
    sed "${edits[@]}" "$SARIF" | gzip -c | base64 | tr -d '\r\n'
    printf '"}'
} >"$folder/request"

status=$(api POST "$address" "$folder/request" 2>"$folder/error") ||
    not_uploaded "GitHub's API could not be reached: $(<"$folder/error")."
case $status in
    202) ;;
    403 | 404) not_uploaded "GitHub answered $status: $(field message). Code scanning has to be enabled, and the job needs the permission security-events: write." ;;
    *) not_uploaded "GitHub answered $status: $(field message)." ;;
esac
id=$(field id)
[[ $id =~ ^[A-Za-z0-9-]+$ ]] || not_uploaded 'GitHub accepted the findings, but named no upload to ask about.'

for ((tries = 0; tries < 24; tries++)); do
    status=$(api GET "$address/$id" 2>"$folder/error") || break
    [[ $status == 200 ]] || break
    case $(field processing_status) in
        complete)
            echo 'The findings were uploaded to code scanning.'
            exit 0
            ;;
        failed) not_uploaded "GitHub rejected them: $(<"$folder/answer")" ;;
    esac
    sleep 5
done
echo 'The findings were uploaded to code scanning, which has not processed them yet.'
