#!/usr/bin/env bash
# Runs the gate and sets its exit code as an output. The last step of the action exits with it.
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

# GitHub gives no secrets to these pull requests. A merge queue has them.
gets_no_secrets() {
    case "${GITHUB_EVENT_NAME:-}" in
        pull_request | pull_request_review | pull_request_review_comment) ;;
        *) return 1 ;;
    esac
    [[ ${GITHUB_ACTOR:-} == 'dependabot[bot]' ]] ||
        [[ -n ${HEAD_REPOSITORY:-} && $HEAD_REPOSITORY != "${GITHUB_REPOSITORY:-}" ]]
}

# A part of a file name, not shared by two different texts: one that had to be changed gets a
# checksum.
part() {
    local plain
    plain=$(printf %s "$1" | LC_ALL=C tr -c 'A-Za-z0-9._-' '-')
    if [[ $plain != "$1" ]]; then
        plain+=-$(printf %s "$1" | cksum | cut -d ' ' -f 1)
    fi
    printf -- '-%s' "$plain"
}

# Until the gate has reported something else, nothing is known.
output verdict ''
output evidence-complete false

case "$ON_MISSING_SECRETS" in
    fail | skip) ;;
    *)
        echo '::error title=Compliance gate::The input on-missing-secrets must be fail or skip.'
        exit 2
        ;;
esac
if [[ -n ${CATEGORY:-} && ! $CATEGORY =~ ^[A-Za-z0-9._-]{1,100}$ ]]; then
    echo '::error title=Compliance gate::The input category may have up to 100 letters, digits and any of . _ -'
    exit 2
fi
if ! has_a_token; then
    if ! gets_no_secrets; then
        echo '::error title=Compliance gate did not run::No token is set. Set the tokens as env of the step, from secrets: OPENCOMPLY_API_KEY, GRAVITYZONE_API_KEY, SYSDIG_API_TOKEN, BIGID_TOKEN or BIGPANDA_API_KEY.'
        exit 2
    elif [[ $ON_MISSING_SECRETS == fail ]]; then
        echo '::error title=Compliance gate did not run::GitHub gives no secrets to pull requests from forks or from Dependabot, so compliance could not be checked. This says nothing about the change itself. To let these pull requests pass unchecked, set on-missing-secrets to skip; the gate before the deploy still decides.'
        exit 2
    fi
    echo '::warning title=Compliance gate was SKIPPED::GitHub gives no secrets to pull requests from forks or from Dependabot. NOTHING WAS CHECKED; the gate before the deploy decides.'
    printf '## Compliance gate: skipped\n\nNothing was checked: GitHub gives no secrets to pull requests from forks or from Dependabot. The gate before the deploy decides.\n' \
        >>"${GITHUB_STEP_SUMMARY:?}"
    output verdict skipped
    exit 0
fi
[[ -n ${COMPLIANCE_GATE_ALLOWED_ORIGINS:-} ]] ||
    echo '::warning title=Compliance gate::The input allowed-origins is not set, so a change of the policy file could send the tokens to another host.'

# One workflow may run several gates. None may replace what another one wrote.
name=compliance-gate-reports
for given in "${COMPLIANCE_GATE_CONFIG:-}" "${COMPLIANCE_GATE_ENVIRONMENT:-}" "${CATEGORY:-}"; do
    [[ -z $given ]] || name+=$(part "$given")
done
reports=${REPORTS:-$name}
output name "$name"
output reports "$reports"

# The gate itself sets the paths of the reports that it wrote as outputs.
export COMPLIANCE_GATE_JUNIT=$reports/junit.xml
export COMPLIANCE_GATE_SARIF=$reports/compliance-gate.sarif
export COMPLIANCE_GATE_JSON=$reports/report.json
export COMPLIANCE_GATE_MARKDOWN=$reports/report.md
export COMPLIANCE_GATE_HTML=$reports/report.html
[[ ${ATTESTATION:-false} != true ]] || export COMPLIANCE_GATE_ATTESTATION=$reports/attestation
code=0
"$BINARY" run || code=$?
output exit-code "$code"
