# shellcheck shell=bash disable=SC2034,SC2154 # what others use and set
# Shared by attest.sh and admission.sh: decisions of the gate that somebody may sign.

svr=https://in-toto.io/attestation/svr/v0.2
decision=https://compliance-gate.dev/decision/v1
# Who signs in sign.cjs.
workflow=octo-org/gates/.github/workflows/gate.yml

# Starts the embedded OpenComply behind a server that is not known to be a simulator; its address is in
# $unmarked.
unmarked_platform() {
    local port=$work/port tries
    platform healthy
    : >"$port"
    python3 "$here/unmarked.py" "$origin" >"$port" &
    platforms+=("$!")
    for ((tries = 0; tries < 100; tries++)); do
        [[ ! -s $port ]] || break
        sleep 0.1
    done
    unmarked=http://127.0.0.1:$(<"$port")
}

# usage: decide FOLDER ENVIRONMENT MAX SUBJECT [CRITICAL] : decides whether there are at most so many high and
# critical findings. The digest of the organisation's policy is in $organisation; $more are lines for both policies.
more=
decide() {
    local folder=$1 environment=$2 max=$3 subject=$4 critical=${5:-0} policy
    mkdir -p "$folder"
    policy="version: 1
sources:
  opencomply:
    url: $unmarked
    frameworks: [baseline_security]
    integrations: [{integration_type: aws_cloud_account, provider_id: \"122814690049\"}]
    poll: {interval: 50ms}
evidence: {max_age: 24h}
$more
gates:
"
    printf '%s  - {id: few-high, source: opencomply, severity: high, max: %s}\n' "$policy" "$max" >"$folder/compliance-gate.yaml"
    printf '%s  - {id: no-critical, source: opencomply, severity: critical, max: %s}\n' "$policy" "$critical" >"$folder/org-policy.yaml"
    organisation=$(sha256sum "$folder/org-policy.yaml" | cut -d ' ' -f 1)
    (cd "$folder" && OPENCOMPLY_API_KEY=test-token-of-opencomply "$gate" --quiet run --environment "$environment" \
        --org-policy org-policy.yaml --json report.json --attestation . --subject "$subject" >/dev/null)
}
