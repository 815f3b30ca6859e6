#!/usr/bin/env bash
# Runs the action's own steps, with the runner's files, against the embedded platforms.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

work=$tools/action
rm -rf "$work"
mkdir -p "$work"
platform healthy; healthy=$origin
platform clean; clean=$origin
platform blocked; blocked=$origin
platform inconclusive; inconclusive=$origin
platform hostile; hostile=$origin

# A release, as the action finds it: a commit of the action that pins it, and a server that has it.
release=$work/release
commit=$work/commit
mkdir -p "$release/somebody/compliance-gate/releases/download/v9.9.9" "$commit/ci-templates"
asset=compliance-gate-x86_64-unknown-linux-musl
ln "$gate" "$release/somebody/compliance-gate/releases/download/v9.9.9/$asset"
cp -r "$root/action" "$commit"
sum=$(sha256sum "$gate")
printf '# pinned\n%s  v9.9.9/%s\n' "${sum%% *}" "$asset" >"$commit/ci-templates/checksums.txt"
: >"$work/server.log"
python3 -u -m http.server --bind 127.0.0.1 --directory "$release" 0 >"$work/server.log" 2>&1 &
platforms+=("$!")
until server=$(sed -n 's/.*(\(http:[^)]*\)\/).*/\1/p' "$work/server.log") && [[ -n $server ]]; do sleep 0.1; done

# step NAME ORIGIN INPUTS ENV [GITHUB]: what the job sees is in $work/NAME.json.
step() {
    local name=$1 folder=$work/$1 github=${5:-\{\}}
    mkdir -p "$folder"
    sed "s|http://127.0.0.1:8080|$2|" "$root/fixtures/policies/demo.yaml" >"$folder/compliance-gate.yaml"
    jq --null-input --argjson inputs "$3" --argjson env "$4" --argjson github "$github" \
        --arg path "$commit" --arg server "$server" '{
            inputs: $inputs,
            env: ({GITHUB_SERVER_URL: $server, GITHUB_REPOSITORY: "me/mine", GITHUB_EVENT_NAME: "push"} + $env),
            github: ({action_path: $path, action_repository: "somebody/compliance-gate", token: "t",
                event: {}} + $github)}' >"$folder/given.json"
    node "$tools/github.cjs" action "$root/action.yml" "$folder" "$(<"$folder/given.json")" >"$work/$name.json"
}
tells() {
    judge "action, $1: $2" jq --exit-status "$3" "$work/$1.json"
}
artifact='.steps[] | select(.name == "Keep the reports")'
sarif='.steps[] | select(.name == "Upload findings to code scanning")'
tokens='{"OPENCOMPLY_API_KEY": "invented", "GRAVITYZONE_API_KEY": "invented"}'

inputs() {
    jq --null-input --arg origin "$1" '{"allowed-origins": $origin, "upload-sarif": "true"}'
}
step passed "$clean" "$(inputs "$clean")" "$tokens"
tells passed "green, told as outputs" '.failed == false and .outputs.verdict == "passed" and .outputs["exit-code"] == "0"'
tells passed "the pinned release was installed" '.stdout | contains("has the pinned SHA-256")'
tells passed "reports and SARIF are uploaded" "($artifact).ran and ($sarif).ran"
tells passed "a step summary" '.summary | length > 0'

step warned "$healthy" "$(inputs "$healthy")" "$tokens"
tells warned "green" '.failed == false and .outputs.verdict == "warned"'
step blocked "$blocked" "$(inputs "$blocked")" "$tokens"
tells blocked "red with 1, and the gate named" '.failed and .outputs.verdict == "blocked" and .outputs["exit-code"] == "1" and .outputs["blocked-gates"] == "no-critical"'
tells blocked "the last step alone fails" '[.steps[] | select(.code != null and .code != 0)] | map({name, code}) == [{name: "Verdict", code: 1}]'
tells blocked "reports and SARIF are uploaded" "($artifact).ran and ($sarif).ran"
tells blocked "annotations within the host's ten" '[.commands[] | select(.name == "error")] | length >= 1 and length <= 10'

step inconclusive "$inconclusive" "$(inputs "$inconclusive")" "$tokens"
tells inconclusive "red with 3" '.failed and .outputs["exit-code"] == "3" and .outputs["evidence-complete"] == "false"'
tells inconclusive "reports are uploaded, SARIF is not" "($artifact).ran and (($sarif).ran | not)"

step elsewhere "$clean" "$(inputs https://elsewhere.example.com)" "$tokens"
tells elsewhere "an origin that the pipeline does not allow is 2" '.failed and .outputs["exit-code"] == "2"'

step hostile "$hostile" "$(inputs "$hostile")" "$tokens"
tells hostile "no text of a platform becomes a command" '[.commands[].name] - ["error", "warning", "notice", "group", "endgroup"] == []'
tells hostile "its outputs are the action's own" '.outputs | keys == ["blocked-gates", "evidence-complete", "exit-code", "html", "json", "junit", "markdown", "sarif", "verdict"]'

# Secrets that are missing.
fork='{"event": {"pull_request": {"head": {"repo": {"full_name": "other/mine"}}}}}'
step forgotten "$clean" '{"on-missing-secrets": "skip"}' '{"OPENCOMPLY_API_KEY": ""}'
tells forgotten "never skipped outside a fork's pull request" '.failed and (.stdout | contains("::error title=Compliance gate did not run::No token is set"))'
step fork-fails "$clean" '{}' '{"GITHUB_EVENT_NAME": "pull_request"}' "$fork"
tells fork-fails "says why" '.failed and (.stdout | contains("says nothing about the change itself"))'
step fork-skips "$clean" '{"on-missing-secrets": "skip"}' '{"GITHUB_EVENT_NAME": "pull_request"}' "$fork"
tells fork-skips "green and loud" '(.failed | not) and .outputs.verdict == "skipped" and (.stdout | contains("::warning title=Compliance gate was SKIPPED")) and (.summary | contains("Nothing was checked"))'
tells fork-skips "uploads nothing" "(($artifact).ran or ($sarif).ran) | not"
step own-branch "$clean" '{"on-missing-secrets": "skip"}' '{"GITHUB_EVENT_NAME": "pull_request"}' \
    '{"event": {"pull_request": {"head": {"repo": {"full_name": "me/mine"}}}}}'
tells own-branch "a pull request from within is not skipped" '.failed'
step misspelt "$clean" '{"on-missing-secrets": "ignore"}' "$tokens"
tells misspelt "an input it does not know is an error" '.failed and ([.steps[].code] | contains([2]))'

# A release that is not what was pinned.
sed -i 's/^[0-9a-f]\{8\}/00000000/' "$commit/ci-templates/checksums.txt"
step tampered "$clean" "$(inputs "$clean")" "$tokens"
tells tampered "a binary with another SHA-256 is never run" '.failed and (.stdout | contains("does not have the SHA-256")) and ([.steps[] | select(.ran and .code != null) | .name] | index("Gate") | not)'
: >"$commit/ci-templates/checksums.txt"
step unpinned "$clean" '{"install": "release"}' "$tokens"
tells unpinned "without a pin, release fails" '.failed and (.stdout | contains("pins no release"))'
verdict
