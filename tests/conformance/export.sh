#!/usr/bin/env bash
# Drives third-party clients of Jira and ServiceNow against the simulated ones, and compares the
# tickets that the clients and the export see.
#
#   tests/conformance/export.sh [BINARY]
#
# BINARY is compliance-gate with its simulator; by default the debug build. The clients are
# installed, pinned, below target/conformance.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${1:-$root/target/debug/compliance-gate}
venv=$root/target/conformance/export

if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    jira==3.10.5 pysnow==0.7.17 pysnc==1.2.1
# If these are set, pysnc reads its certificate authorities from them and ignores its argument.
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
exec "$venv/bin/python" "$root/tests/conformance/export.py" "$binary"
