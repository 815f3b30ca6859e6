#!/usr/bin/env bash
# Checks reports with third-party programs.
#
#   tests/conformance/reports.sh [FOLDER]
#
# FOLDER holds reports as *.xml (JUnit), *.sarif and *.json; by default the samples that
# `cargo test` writes. The public schemas are read from ../shared/schemas, or from
# below the folder that SHARED names; without them those checks are left out, with a message. The
# third-party programs are installed in pinned versions below target/conformance.
set -euo pipefail

# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
reports=$(cd "${1:-$root/target/sample-reports}" && pwd)
schemas=${SHARED:-$root/../shared}/schemas
if [[ ! -d $schemas ]]; then
    echo "LEFT OUT  what the public schemas say: they are not in $schemas; say where with SHARED"
    [[ -z ${SHARED:-} ]] || exit 1
    schemas=
fi

# The same as `judge`, for checks that need the public schemas.
by_schema() {
    [[ -z $schemas ]] || judge "$@"
}

each() {
    find "$reports" -maxdepth 1 -name "*.$1" ! -name '*.code-quality.json' | sort
}

judge_junit() {
    local file name
    while read -r file; do
        name=$(basename "$file")
        by_schema "$name: Jenkins' schema" \
            xmllint --noout --schema "$schemas/jenkins-junit-10.xsd" "$file"
        by_schema "$name: Windy Road's schema" \
            xmllint --noout --schema "$schemas/windyroad-JUnit.xsd" "$file"
        judge "$name: junitparser recounts" \
            "$tools/venv/bin/python" "$root/tests/conformance/recount.py" "$file"
        judge "$name: xunit-viewer renders" \
            node "$tools/npm/node_modules/.bin/xunit-viewer" -r "$file" -o "$tools/$name.html"
    done < <(each xml)
}

# sarif-multitool always exits with 0, and skips what it cannot load. So the schema is checked
# first, and its findings are read from its output.
sarif_multitool() {
    local file=$1 said multitool
    multitool=$(find "$tools/npm/node_modules/@microsoft" -name Sarif.Multitool -type f)
    said=$("$multitool" \
        validate "$file" --rule-kind 'Sarif;Ghas' --level 'Error;Warning;Note' \
        --max-file-size-in-kb 1000000 --output "$tools/validation.sarif" --log ForceOverwrite)
    printf '%s\n' "$said" | grep -E ': error|ERR[0-9]+' && return 1
    # It ends with a summary if it has checked anything.
    [[ $said == *'Analysis completed successfully'* ]] || { printf '%s\n' "$said"; return 1; }
}

judge_sarif() {
    local file name
    while read -r file; do
        name=$(basename "$file")
        by_schema "$name: the OASIS schema" "$tools/venv/bin/python" \
            "$root/tests/conformance/schema.py" "$schemas/sarif-2.1.0.json" "$file"
        judge "$name: sarif-multitool, rules Sarif and Ghas" sarif_multitool "$file"
        judge "$name: sarif-tools reads it" "$tools/venv/bin/sarif" summary "$file"
        judge "$name: at most 10 MB when compressed" \
            test "$(gzip -c "$file" | wc -c)" -le 10000000
    done < <(each sarif)
}

judge_json() {
    local file
    while read -r file; do
        judge "$(basename "$file"): our published schema" "$tools/venv/bin/python" \
            "$root/tests/conformance/schema.py" "$root/schemas/report.schema.json" "$file"
    done < <(each json)
}

# GitLab reads up to the first bad entry and silently drops the rest.
judge_code_quality() {
    local file
    while read -r file; do
        judge "$(basename "$file"): GitLab's code quality list" \
            python3 "$root/tests/conformance/code_quality.py" "$file"
    done < <(find "$reports" -maxdepth 1 -name '*.code-quality.json' | sort)
}

for kind in xml sarif json; do
    [[ -n $(each "$kind") ]] || fail "there is no .$kind in $reports"
done
install_judges
judge_junit
judge_sarif
judge_json
judge_code_quality
verdict
