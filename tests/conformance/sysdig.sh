#!/usr/bin/env bash
# Drives public clients of Sysdig Secure against the embedded platform, and compares what they read
# with what compliance-gate reads there.
#
#   tests/conformance/sysdig.sh [BINARY]
#
# BINARY is the compliance-gate to check; by default target/debug/compliance-gate, built first. The
# clients are installed, pinned, below target/conformance.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/target/conformance
if [[ $# -eq 0 ]]; then
    cargo build --quiet --manifest-path "$root/Cargo.toml"
fi
binary=$(realpath "${1:-$root/target/debug/compliance-gate}")

mkdir -p "$tools"
if [[ ! -x $tools/sysdig/bin/python ]]; then
    python3 -m venv "$tools/sysdig"
fi
"$tools/sysdig/bin/pip" install --quiet --disable-pip-version-check \
    sdcclient==0.19.0 stix-shifter==8.1.3 stix-shifter-utils==8.1.3 \
    stix-shifter-modules-sysdig==8.1.3
# Outside the repository: one of the clients writes its logs to the working directory.
cd "$tools"
exec "$tools/sysdig/bin/python" "$root/tests/conformance/sysdig.py" "$binary"
