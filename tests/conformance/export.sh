#!/usr/bin/env bash
# Has the simulated Jira and ServiceNow judged by clients that nobody here wrote, and lets those
# clients and the export see each other's tickets.
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
# pysnc takes its authorities from these, if they are set, rather than from where it is told.
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
exec "$venv/bin/python" "$root/tests/conformance/export.py" "$binary"
