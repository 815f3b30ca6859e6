#!/usr/bin/env bash
# Runs the gate and tells its exit code as an output, for the last step to exit with.
set -euo pipefail

output() {
    printf '%s=%s\n' "$1" "$2" >>"${GITHUB_OUTPUT:?}"
}

# A token is in a variable of its system, or in a file that such a variable names.
has_a_token() {
    local name
    while read -r name; do
        case "$name" in
            OPENCOMPLY_* | GRAVITYZONE_* | SYSDIG_* | IBMCLOUD_* | BIGID_* | BIGPANDA_*)
                [[ -z ${!name} ]] || return 0
                ;;
        esac
    done < <(compgen -e)
    return 1
}

# GitHub keeps secrets from these, on purpose.
is_kept_from_secrets() {
    case "${GITHUB_EVENT_NAME:-}" in
        pull_request | pull_request_review | pull_request_review_comment) ;;
        *) return 1 ;;
    esac
    [[ ${GITHUB_ACTOR:-} == 'dependabot[bot]' ]] ||
        [[ -n ${HEAD_REPOSITORY:-} && $HEAD_REPOSITORY != "${GITHUB_REPOSITORY:-}" ]]
}

# Until the gate has said something else, nothing is known.
output verdict ''
output evidence-complete false

case "$ON_MISSING_SECRETS" in
    fail | skip) ;;
    *)
        echo '::error title=Compliance gate::The input on-missing-secrets is fail or skip.'
        exit 2
        ;;
esac
if ! has_a_token; then
    if ! is_kept_from_secrets; then
        echo '::error title=Compliance gate did not run::No token is set. Give the step its tokens as env, from secrets: OPENCOMPLY_API_KEY, GRAVITYZONE_API_KEY, SYSDIG_API_TOKEN, BIGID_TOKEN or BIGPANDA_API_KEY.'
        exit 2
    elif [[ $ON_MISSING_SECRETS == fail ]]; then
        echo '::error title=Compliance gate did not run::GitHub gives a pull request from a fork or from Dependabot no secrets, so nothing is known about compliance. It says nothing about the change itself. To let these pull requests pass unchecked, set on-missing-secrets to skip; the gate before the deploy still decides.'
        exit 2
    fi
    echo '::warning title=Compliance gate was SKIPPED::GitHub gives a pull request from a fork or from Dependabot no secrets. NOTHING WAS CHECKED; the gate before the deploy decides.'
    printf '## Compliance gate: skipped\n\nNothing was checked: GitHub gives a pull request from a fork or from Dependabot no secrets. The gate before the deploy decides.\n' \
        >>"${GITHUB_STEP_SUMMARY:?}"
    output verdict skipped
    exit 0
fi
[[ -n ${COMPLIANCE_GATE_ALLOWED_ORIGINS:-} ]] ||
    echo '::warning title=Compliance gate::The input allowed-origins is not set, so a change of the policy file could send the tokens to another host.'

export COMPLIANCE_GATE_JUNIT=$REPORTS/junit.xml
export COMPLIANCE_GATE_SARIF=$REPORTS/compliance-gate.sarif
export COMPLIANCE_GATE_JSON=$REPORTS/report.json
export COMPLIANCE_GATE_MARKDOWN=$REPORTS/report.md
export COMPLIANCE_GATE_HTML=$REPORTS/report.html
code=0
"$BINARY" run || code=$?
output exit-code "$code"
output junit "$COMPLIANCE_GATE_JUNIT"
output sarif "$COMPLIANCE_GATE_SARIF"
output json "$COMPLIANCE_GATE_JSON"
output markdown "$COMPLIANCE_GATE_MARKDOWN"
output html "$COMPLIANCE_GATE_HTML"
