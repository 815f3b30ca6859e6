#!/usr/bin/env bash
# What the gate attests, signed and verified: gh with a certificate of a workflow, cosign with a key.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools.sh
source "$here/tools.sh"
install_judges
# shellcheck source=result.sh
source "$here/result.sh"
work=$tools/attest
rm -rf "$work"
mkdir -p "$work"

# --- A result to judge ---

unmarked_platform
echo app >"$work/app.bin"
echo other >"$work/other.bin"
decide "$work" production 1000 "app.bin@sha256:$(sha256sum "$work/app.bin" | cut -d ' ' -f 1)"

# --- gh: a certificate of the reusable workflow ---

# As actions/attest makes it of the predicate.
jq --compact-output --slurpfile statement "$work/svr.statement.json" \
    '$statement[0] | {_type, subject, predicateType, predicate: $predicate[0]}' --null-input \
    --slurpfile predicate "$work/svr.predicate.json" >"$work/predicate.statement.json"
export NODE_PATH=$modules
judge "sign the statements" node "$here/sign.cjs" "$work/root.jsonl" \
    "$work/svr.statement.json" "$work/predicate.statement.json" "$work/decision.statement.json"
node "$here/sign.cjs" "$work/other-root.jsonl"
bundle=$work/svr.statement.sigstore.json

# usage: verified ARTEFACT BUNDLE OWNER WORKFLOW TYPE
trusted=$work/root.jsonl
verified() {
    GH_TOKEN=none gh attestation verify "$1" --bundle "$2" --custom-trusted-root "$trusted" \
        --owner "$3" --signer-workflow "$4" --predicate-type "$5" --format json >"$work/verified.json"
}
# usage: admits ENVIRONMENT ORGANISATION-POLICY
admits() {
    "$gate" admit "$work/verified.json" --environment "$1" --max-age 1h --org-policy-sha256 "$2"
}

judge "gh: the result" verified "$work/app.bin" "$bundle" octo-org "$workflow" "$svr"
judge "admit: what gh verified" admits production "$organisation"
refuses "admit: another environment" admits product "$organisation"
refuses "admit: another organisation policy" admits production "$(printf '2%.0s' {1..64})"
judge "gh: the result, from its predicate" verified "$work/app.bin" "$work/predicate.statement.sigstore.json" octo-org "$workflow" "$svr"
judge "gh: the decision" verified "$work/app.bin" "$work/decision.statement.sigstore.json" octo-org "$workflow" "$decision"
refuses "gh: another owner" verified "$work/app.bin" "$bundle" other-org "$workflow" "$svr"
refuses "gh: another workflow" verified "$work/app.bin" "$bundle" octo-org octo-org/gates/.github/workflows/other.yml "$svr"
refuses "gh: another artefact" verified "$work/other.bin" "$bundle" octo-org "$workflow" "$svr"
refuses "gh: another predicate type" verified "$work/app.bin" "$bundle" octo-org "$workflow" "$decision"
python3 "$here/tamper.py" "$bundle" >"$work/tampered.sigstore.json"
refuses "gh: another payload" verified "$work/app.bin" "$work/tampered.sigstore.json" octo-org "$workflow" "$svr"
trusted=$work/other-root.jsonl
refuses "gh: another certificate authority" verified "$work/app.bin" "$bundle" octo-org "$workflow" "$svr"

# --- cosign: a key ---

cosign=$tools/go/cosign
if [[ ! -x $cosign ]] && ! command -v go >/dev/null; then
    echo "skipped: cosign: no go"
    verdict
    exit
fi
go_judge cosign github.com/sigstore/cosign/v3@v3.1.3 cmd/cosign
cd "$work"
export COSIGN_PASSWORD=
"$cosign" signing-config create >config.json
"$cosign" generate-key-pair >/dev/null 2>&1
"$cosign" generate-key-pair --output-key-prefix other >/dev/null 2>&1
judge "cosign: sign the statement" "$cosign" attest-blob --key cosign.key --statement svr.statement.json \
    --bundle key.sigstore.json --signing-config config.json --yes
judge "cosign: sign the predicate" "$cosign" attest-blob --key cosign.key --predicate svr.predicate.json \
    --type "$svr" --bundle predicate.sigstore.json --signing-config config.json --yes app.bin

# usage: cosign_verified KEY ARTEFACT BUNDLE TYPE
cosign_verified() {
    "$cosign" verify-blob-attestation --key "$1" --insecure-ignore-tlog --bundle "$3" --type "$4" "$2"
}
judge "cosign: the result" cosign_verified cosign.pub app.bin key.sigstore.json "$svr"
judge "cosign: the result, from its predicate" cosign_verified cosign.pub app.bin predicate.sigstore.json "$svr"
refuses "cosign: another key" cosign_verified other.pub app.bin key.sigstore.json "$svr"
refuses "cosign: another artefact" cosign_verified cosign.pub other.bin key.sigstore.json "$svr"
refuses "cosign: another predicate type" cosign_verified cosign.pub app.bin key.sigstore.json "$decision"
python3 "$here/tamper.py" key.sigstore.json >tampered.json
refuses "cosign: another payload" cosign_verified cosign.pub app.bin tampered.json "$svr"
verdict
