#!/usr/bin/env bash
# Writes sample reports with the real binary: samples.sh FOLDER
#
# Also copies those that `cargo test` wrote, which are made by hand and reach every limit of the hosts.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
samples=$1
rm -rf "$samples"
mkdir -p "$samples"

export OPENCOMPLY_API_KEY=invented GRAVITYZONE_API_KEY=invented
sample() {
    local scenario=$1 expected=$2 code=0
    platform "$scenario"
    sed "s|http://127.0.0.1:8080|$origin|" "$root/tests/conformance/policy.yaml" >"$tools/$scenario.yaml"
    COMPLIANCE_GATE_CODE_QUALITY=$samples/$scenario.codequality "$gate" run --config "$tools/$scenario.yaml" --environment production \
        --junit "$samples/$scenario.xml" --sarif "$samples/$scenario.sarif" --json "$samples/$scenario.json" \
        >"$samples/$scenario.log" 2>&1 || code=$?
    judge "scenario $scenario exits $expected" test "$code" = "$expected"
}
sample clean 0
sample healthy 0
sample blocked 1
sample inconclusive 3
sample hostile 0
if [[ -d $root/target/sample-reports ]]; then
    cp "$root"/target/sample-reports/* "$samples"
fi
verdict
