#!/usr/bin/env bash
# The gate before a deploy, on any host with a shell: pre-deploy.sh COMMAND…
#
#   COMPLIANCE_GATE_ENVIRONMENT=production pre-deploy.sh ./deploy.sh
#
# The environment is that of the policy file, and required if the file has `environments`.
#
# Secrets: OPENCOMPLY_API_KEY and the like, from the host's secret store, in the environment of
# this script. The command that deploys does not get them.
set -euo pipefail

export COMPLIANCE_GATE_ALLOWED_ORIGINS=${COMPLIANCE_GATE_ALLOWED_ORIGINS:-https://compliance.example.com}
export COMPLIANCE_GATE_JUNIT=${COMPLIANCE_GATE_JUNIT:-compliance-gate-reports/junit.xml}
export COMPLIANCE_GATE_JSON=${COMPLIANCE_GATE_JSON:-compliance-gate-reports/report.json}

code=0
compliance-gate run || code=$?
if [[ $code -eq ${COMPLIANCE_GATE_WARN_EXIT_CODE:-0} && $code -ne 0 ]]; then
    echo "The gate passed with warnings." >&2
    code=0
fi
case $code in
    0) ;;
    1) echo "Not deployed: the gate blocked. What to fix first is above." >&2 ;;
    2) echo "Not deployed: the policy or the configuration is invalid." >&2 ;;
    127) echo "Not deployed: compliance-gate is not installed." >&2 ;;
    *) echo "Not deployed: the gate could not decide (exit code $code). This says nothing about compliance itself." >&2 ;;
esac
[[ $code -eq 0 ]] || exit "$code"

for name in $(compgen -e); do
    case $name in
        OPENCOMPLY_* | GRAVITYZONE_* | SYSDIG_* | IBMCLOUD_* | BIGID_* | BIGPANDA_*) unset "$name" ;;
    esac
done
exec "$@"
