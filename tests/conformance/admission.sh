#!/usr/bin/env bash
# The table of ci-templates/admission/README.md, seen with the verifiers themselves: results of the gate and
# others like them, signed, beside an artefact and in a registry, judged by the files of that folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools.sh
source "$here/tools.sh"
install_judges
command -v go >/dev/null || {
    echo "skipped: no go"
    exit
}
# shellcheck source=result.sh
source "$here/result.sh"
go_judge cosign github.com/sigstore/cosign/v3@v3.1.3 cmd/cosign
go_judge crane github.com/google/go-containerregistry@v0.22.1 cmd/crane
go_judge registry github.com/google/go-containerregistry@v0.22.1 cmd/registry
go_judge opa github.com/open-policy-agent/opa@v1.22.4 .
go_judge conftest github.com/open-policy-agent/conftest@v0.71.1 .
go_judge kyverno github.com/kyverno/kyverno@v1.19.1 cmd/cli/kubectl-kyverno
go_judge policy-tester github.com/sigstore/policy-controller@v0.13.1 cmd/tester
templates=$root/ci-templates/admission
work=$tools/admission
rm -rf "$work"
mkdir -p "$work/bin" "$work/statements" "$work/keyless" "$work/keyed" "$work/templates"
ln -s "$gate" "$work/bin/compliance-gate"
export PATH=$work/bin:$tools/go:$PATH COSIGN_PASSWORD='' GH_TOKEN=none NODE_PATH=$modules

# --- Decisions, and results that the gate would not write today ---

echo app >"$work/app.bin"
subject=app.bin@sha256:$(sha256sum "$work/app.bin" | cut -d ' ' -f 1)
unmarked_platform
decide "$work/runs/other-organisation" production 1000 "$subject" 1
decide "$work/runs/staging" staging 1000 "$subject"
decide "$work/runs/longer" production-eu 1000 "$subject"
decide "$work/runs/blocked" production 0 "$subject" || [[ $? == 1 ]]
more='mode: observe' decide "$work/runs/observed" production 0 "$subject"
unmarked=$origin decide "$work/runs/simulated" production 1000 "$subject"
decide "$work/runs/fresh" production 1000 "$subject"
cd "$work/statements"
for name in fresh staging longer other-organisation; do
    cp "../runs/$name/svr.statement.json" "$name.json"
done
cp ../runs/blocked/decision.statement.json blocked.json
jq ".predicate.timeCreated = \"$(date -u -d '3 days ago' +%FT%TZ)\"" fresh.json >stale.json
jq ".predicate.timeCreated = \"$(date -u -d '10 minutes' +%FT%TZ)\"" fresh.json >future.json
jq '.predicate.verifier.id = "https://example.com/another-tool"' fresh.json >other-tool.json
cp fresh.json stranger.json # another key or identity signs it

mkdir "$work/reports"
cd "$work/reports"
for name in fresh staging other-organisation blocked observed simulated; do
    cp "../runs/$name/report.json" "$name.json"
done
jq ".decided = \"$(date -u -d '3 days ago' +%FT%TZ)\"" fresh.json >stale.json
echo '{}' >empty.json
echo '[]' >list.json

# --- Beside an artefact: a bundle of a workflow, and one of a key ---

cd "$work"
cosign signing-config create >config.json
cosign generate-key-pair 2>/dev/null
cosign generate-key-pair --output-key-prefix stranger 2>/dev/null
cp statements/*.json keyless/
mv keyless/stranger.json stranger.json
node "$here/sign.cjs" root.jsonl keyless/*.json --by octo-org/shop/.github/workflows/deploy.yml stranger.json
mv stranger.sigstore.json keyless/
for statement in statements/*.json; do
    name=$(basename "$statement" .json) key=cosign.key
    [[ $name != stranger ]] || key=stranger.key
    cosign attest-blob --key "$key" --statement "$statement" --bundle "keyed/$name.sigstore.json" \
        --signing-config config.json --yes >>cosign.log 2>&1
done
for folder in keyless keyed; do
    python3 "$here/tamper.py" "$folder/fresh.sigstore.json" >"$folder/tampered.sigstore.json"
done

# --- In a registry ---

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
registry -port "$port" >registry.log 2>&1 &
platforms+=("$!")
until crane catalog "localhost:$port" >/dev/null 2>&1; do sleep 0.1; done

# Where a registry without the referrers API lists the bundles of an image.
bundles_of() { printf '%s:%s' "${1%@*}" "$(tr : - <<<"${1#*@}")"; }

# usage: attested CASE NAME… : an image with these attestations; in $image as bundles, in $former in the format of
# cosign 2, which policy-controller reads with a key.
declare -A bundles # the digest of each, and its name
attested() {
    local case=$1 name key type payload digest
    shift
    bundles=()
    printf '%s\n' "$case $*" >layer
    tar cf layer.tar layer
    image=$(crane append --oci-empty-base -f layer.tar -t "localhost:$port/shop/api:$case" 2>/dev/null)
    former=$(crane append --oci-empty-base -f layer.tar -t "localhost:$port/shop/former:$case" 2>/dev/null)
    for name; do
        key=cosign.key type=$svr payload=$name
        [[ $name != stranger ]] || key=stranger.key
        [[ $name != blocked ]] || type=$decision
        [[ $name != tampered ]] || payload=fresh
        jq .predicate "statements/$payload.json" >predicate.json
        cosign attest --key "$key" --type "$type" --predicate predicate.json --signing-config config.json --yes "$image" \
            >>cosign.log 2>&1
        for digest in $(crane manifest "$(bundles_of "$image")" 2>/dev/null | jq --raw-output '.manifests[].digest'); do
            [[ -v bundles[$digest] ]] || bundles[$digest]=$name
        done
        [[ $name != tampered ]] || python3 "$here/tamper.py" --registry "http://localhost:$port/v2/shop/api" "${image#*@}"
        jq --arg digest "${former#*@sha256:}" '.subject = [{name: "shop/former", digest: {sha256: $digest}}]' \
            "statements/$payload.json" >statement.json
        cosign attest-blob --key "$key" --statement statement.json --bundle bundle.json --signing-config config.json --yes \
            >>cosign.log 2>&1
        [[ $name != tampered ]] || { python3 "$here/tamper.py" bundle.json >tampered.json && mv tampered.json bundle.json; }
        jq --compact-output .dsseEnvelope bundle.json >envelope.json
        cosign attach attestation --attestation envelope.json "$former" >>cosign.log 2>&1
    done
}

# --- The verifiers, with the files of the templates ---

for template in "$templates"/*; do
    awk -v organisation="$organisation" -v port="$port" '
        FNR == NR { key[++lines] = $0; next }
        /<PEM of the signing key>/ { indent = $0; sub(/<.*/, "", indent); for (at = 1; at <= lines; at++) print indent key[at]; next }
        { gsub(/2222222222222222222222222222222222222222222222222222222222222222/, organisation); gsub(/registry\.example\.com/, "localhost:" port); print }
    ' cosign.pub "$template" >"templates/$(basename "$template")"
done

# usage: any JUDGE NAME… : whether a bundle of a key is valid for the artefact, and a judge accepts its payload.
any() {
    local judge=$1 name
    shift
    for name; do
        cosign verify-blob-attestation --key cosign.pub --insecure-ignore-tlog --type "$svr" \
            --bundle "keyed/$name.sigstore.json" app.bin || continue
        jq --raw-output .dsseEnvelope.payload "keyed/$name.sigstore.json" | base64 --decode >payload.json
        "$judge" payload.json && return
    done
    return 1
}
by_opa() { opa eval --fail --format raw --data templates/svr.rego --input "$1" 'true = data.signature.allow'; }
by_conftest() { conftest test "$1" --policy templates/statement.rego; }
by_kyverno() { kyverno apply templates/kyverno-json-svr.yaml --json "$1"; }

verified_by_gh() {
    local name
    : >bundles.jsonl
    for name; do
        cat "keyless/$name.sigstore.json" >>bundles.jsonl
        echo >>bundles.jsonl
    done
    sh templates/gh.sh app.bin --bundle bundles.jsonl --custom-trusted-root root.jsonl
}
verified_by_cosign() { sh templates/cosign.sh "$image" --key cosign.pub --insecure-ignore-tlog; }
verified_by_cosign_policy() {
    cosign verify-attestation --key cosign.pub --insecure-ignore-tlog --type "$svr" --policy templates/svr.rego "$image"
}
verified_by_opa() { any by_opa "$@"; }
verified_by_conftest() { any by_conftest "$@"; }
verified_by_kyverno_json() { any by_kyverno "$@"; }
# $init are init containers of the pod, $exception is the file of an exception.
init='[]' exception=
verified_by_kyverno() {
    jq --null-input --arg image "$image" --argjson init "$init" '{apiVersion: "v1", kind: "Pod",
        metadata: {name: "api", namespace: "shop"},
        spec: {containers: [{name: "api", $image}], initContainers: $init}}' >pod.json
    kyverno apply templates/kyverno-image.yaml --resource pod.json --registry ${exception:+--exception "$exception"}
}
verified_by_policy_controller() { policy-tester --policy templates/policy-controller-key.yaml --image "$former"; }

judges=(gh cosign cosign_policy opa conftest kyverno_json kyverno policy_controller)

# --- The JSON report, with conftest ---

# usage: report CODE NAME : what conftest exits with.
report() {
    local code=0
    conftest test "$work/reports/$2.json" --policy "$work/templates/report.rego" >"$work/said-report-$2" 2>&1 || code=1
    judge "conftest, a report: $2, exit $1" test "$code" = "$1"
}
report 0 fresh
for name in staging other-organisation blocked observed simulated stale empty; do report 1 "$name"; done
# conftest runs no test on an empty list: give it the report itself.
report 0 list

# --- The table ---

# Kyverno looks at one of several results: that whose bundle has the last digest in alphabetical order.
by_the_last() {
    local results last expected=1
    results=$(for digest in "${!bundles[@]}"; do echo "$digest ${bundles[$digest]}"; done | grep -v blocked | sort)
    last=${results##* }
    [[ $last != fresh ]] || expected=0
    if (($(wc -l <<<"$results") < 2)); then
        echo "$1"
    elif [[ $1 == "$expected" ]]; then
        echo "by order"
    else
        echo "$1, although the last is $last"
    fi
}

# usage: row TITLE NAME… : a line of the table, which must be in the README.
table_has() { grep --line-regexp --fixed-strings "$1" "$templates/README.md" || ! echo "not a line of README.md"; }
rows=0
row() {
    local title=$1 line judge code
    shift
    rows=$((rows + 1))
    line="| $title |"
    attested "case-$rows" "$@"
    for judge in "${judges[@]}"; do
        code=0
        "verified_by_$judge" "$@" >"said-$rows-$judge" 2>&1 || code=1
        [[ $judge != kyverno ]] || code=$(by_the_last "$code")
        line+=" $code |"
    done
    judge "$line" table_has "$line"
}

attested none
beside="[{\"name\": \"beside\", \"image\": \"$image\"}]"
row 'fresh pass' fresh
init=$beside refuses 'Kyverno: an init container without a result' verified_by_kyverno
row 'another key or identity' stranger
row 'changed after it was signed' tampered
row 'older than 24 hours' stale
row 'dated ten minutes ahead' future
row 'another environment' staging
row 'an environment of a longer name' longer
row 'another organisation policy' other-organisation
row 'only the record of a block' blocked
row 'nothing'
sed "s/\(2e1d89cf\)\{8\}/${image#*@sha256:}/" templates/kyverno-exception.yaml >exception.yaml
exception=exception.yaml judge 'Kyverno: an exception for this digest' verified_by_kyverno
exception=exception.yaml init=$beside refuses 'Kyverno: an exception, but not for an init container' verified_by_kyverno
exception=templates/kyverno-exception.yaml refuses 'Kyverno: an exception for another digest' verified_by_kyverno
row 'fresh, and an older one' stale fresh
pruned() { sh templates/prune.sh "localhost:$port/shop/api" "${image#*@}" && verified_by_cosign_policy && verified_by_kyverno; }
judge "prune.sh keeps the newest: cosign --policy and Kyverno admit it" pruned
row 'fresh, and one for staging' fresh staging
row 'fresh, and the record of a block' fresh blocked
row 'fresh, and the result of another tool' fresh other-tool
verdict
