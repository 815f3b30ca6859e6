#!/usr/bin/env bash
# Downloads the gate and checks it: install-compliance-gate.sh [FOLDER]
#
# COMPLIANCE_GATE_URL and COMPLIANCE_GATE_SHA256 come from the pipeline: a file of a release (or your
# mirror of it), and its checksum in that release's checksums.txt.
set -euo pipefail

folder=${1:-bin}
: "${COMPLIANCE_GATE_URL:?is not set}" "${COMPLIANCE_GATE_SHA256:?is not set}"
mkdir -p "$folder"
file=$(mktemp "$folder/.download.XXXXXX")
trap 'rm -f "$file"' EXIT

curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$file" "$COMPLIANCE_GATE_URL"
if command -v sha256sum >/dev/null; then sum=$(sha256sum <"$file"); else sum=$(shasum -a 256 <"$file"); fi
if [[ ${sum%% *} != "$COMPLIANCE_GATE_SHA256" ]]; then
    echo "$COMPLIANCE_GATE_URL has the SHA-256 ${sum%% *}, not $COMPLIANCE_GATE_SHA256; it is not installed." >&2
    exit 2
fi
chmod +x "$file"
mv "$file" "$folder/compliance-gate"
