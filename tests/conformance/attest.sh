#!/usr/bin/env bash
# What the gate attests, signed and verified: gh with a certificate of a workflow, cosign with a key.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tools.sh
source "$here/tools.sh"
install_judges

svr=https://in-toto.io/attestation/svr/v0.2
decision=https://compliance-gate.dev/decision/v1
work=$(mktemp -d "$tools/attest.XXXXXX")

# --- A result to judge ---

platform healthy
: >"$work/port"
python3 "$here/unmarked.py" "$origin" >"$work/port" &
platforms+=("$!")
for ((tries = 0; tries < 100; tries++)); do
    [[ ! -s $work/port ]] || break
    sleep 0.1
done
cat >"$work/compliance-gate.yaml" <<POLICY
version: 1
sources:
  opencomply:
    url: http://127.0.0.1:$(<"$work/port")
    frameworks: [baseline_security]
    integrations: [{integration_type: aws_cloud_account, provider_id: "122814690049"}]
    poll: {interval: 50ms}
evidence: {max_age: 24h}
gates:
  - {id: no-critical, source: opencomply, severity: critical, max: 0}
POLICY
echo app >"$work/app.bin"
echo other >"$work/other.bin"
subject=app.bin@sha256:$(sha256sum "$work/app.bin" | cut -d ' ' -f 1)
(cd "$work" && OPENCOMPLY_API_KEY=test-token-of-opencomply "$gate" --quiet run --environment production \
    --attestation . --subject "$subject" >/dev/null)

# --- gh: a certificate of the reusable workflow ---

NODE_PATH=$modules judge "sign the statements" node "$here/sign.cjs" "$work/root.jsonl" "$work/svr.statement.json" "$work/decision.statement.json"
bundle=$work/svr.statement.sigstore.json
workflow=octo-org/gates/.github/workflows/gate.yml

# usage: verified ARTEFACT BUNDLE OWNER WORKFLOW TYPE
verified() {
    GH_TOKEN=none gh attestation verify "$1" --bundle "$2" --custom-trusted-root "$work/root.jsonl" \
        --owner "$3" --signer-workflow "$4" --predicate-type "$5" --format json >"$work/verified.json"
}
# Exit code 1 for this reason: there is no organisation policy here.
admits() {
    local said
    if said=$("$gate" admit "$1" --environment production --max-age 1h --org-policy-sha256 "$(printf '2%.0s' {1..64})"); then
        return 1
    fi
    [[ $said == *"$2"* && $said != *lacks* ]]
}

judge "gh: the result" verified "$work/app.bin" "$bundle" octo-org "$workflow" "$svr"
judge "gh: admit reads what gh verified, and names what is missing" \
    admits "$work/verified.json" 'not decided under this organisation policy'
judge "gh: the decision" verified "$work/app.bin" "$work/decision.statement.sigstore.json" octo-org "$workflow" "$decision"
refuses "gh: another owner" verified "$work/app.bin" "$bundle" other-org "$workflow" "$svr"
refuses "gh: another workflow" verified "$work/app.bin" "$bundle" octo-org octo-org/gates/.github/workflows/other.yml "$svr"
refuses "gh: another artefact" verified "$work/other.bin" "$bundle" octo-org "$workflow" "$svr"
refuses "gh: another predicate type" verified "$work/app.bin" "$bundle" octo-org "$workflow" "$decision"
python3 "$here/tamper.py" "$bundle" >"$work/tampered.sigstore.json"
refuses "gh: another payload" verified "$work/app.bin" "$work/tampered.sigstore.json" octo-org "$workflow" "$svr"

# --- cosign: a key ---

if ! command -v go >/dev/null; then
    echo "skipped: cosign: no go"
    verdict
    exit
fi
cosign=$tools/go/cosign
[[ -x $cosign ]] || GOBIN=$tools/go GOTOOLCHAIN=local go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
cd "$work"
export COSIGN_PASSWORD=
"$cosign" signing-config create >config.json
"$cosign" generate-key-pair >/dev/null 2>&1
"$cosign" generate-key-pair --output-key-prefix other >/dev/null 2>&1
judge "cosign: sign the statement" "$cosign" attest-blob --key cosign.key --statement svr.statement.json \
    --bundle key.sigstore.json --signing-config config.json --yes

# usage: cosign_verified KEY ARTEFACT BUNDLE TYPE
cosign_verified() {
    "$cosign" verify-blob-attestation --key "$1" --insecure-ignore-tlog --bundle "$3" --type "$4" "$2"
}
judge "cosign: the result" cosign_verified cosign.pub app.bin key.sigstore.json "$svr"
refuses "cosign: another key" cosign_verified other.pub app.bin key.sigstore.json "$svr"
refuses "cosign: another artefact" cosign_verified cosign.pub other.bin key.sigstore.json "$svr"
refuses "cosign: another predicate type" cosign_verified cosign.pub app.bin key.sigstore.json "$decision"
python3 "$here/tamper.py" key.sigstore.json >tampered.json
refuses "cosign: another payload" cosign_verified cosign.pub app.bin tampered.json "$svr"
verdict
