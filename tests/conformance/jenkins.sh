#!/usr/bin/env bash
# Runs the Jenkins templates with a substitute for Jenkins: jenkins.sh SCENARIO=ORIGIN…
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
declare -A origins
for pair in "$@"; do origins[${pair%%=*}]=${pair#*=}; done
work=$tools/jenkins
rm -rf "$work"
mkdir -p "$work/bin"
ln -s "$gate" "$work/bin/compliance-gate"
# Debian's default-java is not always there, and then its groovy does not start.
java=$(readlink -f "$(command -v java)")
JAVA_HOME=${java%/bin/java}
export JAVA_HOME

# ends SCENARIO RESULT WORDS…: both the pipeline and the library step.
ends() {
    local scenario=$1 result=$2 way said words problem
    shift 2
    for way in pipeline library; do
        local folder=$work/$way-$scenario file=$root/ci-templates/jenkins/vars/complianceGate.groovy
        local arguments=("${origins[$scenario]}")
        mkdir -p "$folder"
        sed "s|http://127.0.0.1:8080|${origins[$scenario]}|" "$root/tests/conformance/policy.yaml" >"$folder/compliance-gate.yaml"
        if [[ $way == pipeline ]]; then
            file=$folder/Jenkinsfile.groovy
            sed "s|https://compliance.example.com|${origins[$scenario]}|" "$root/ci-templates/jenkins/Jenkinsfile" >"$file"
            arguments=()
        fi
        said=$(cd "$folder" && PATH=$work/bin:$PATH GRAVITYZONE_API_KEY=invented JENKINS_URL=x \
            groovy "$root/tests/conformance/jenkins.groovy" "$file" "${arguments[@]}" 2>&1) || true
        problem=
        for words in "[result] $result" "junit found, unstable by failures: false" "archiveArtifacts" "$@"; do
            if [[ $words == no\ * ]]; then
                [[ $said != *"${words#no }"* ]] || problem+=" says: ${words#no }"
            else
                [[ $said == *"$words"* ]] || problem+=" does not say: $words"
            fi
        done
        if [[ -z $problem ]]; then
            printf 'ok      Jenkins %s, %s: %s\n' "$way" "$scenario" "$result"
        else
            fail "Jenkins $way, $scenario:$problem"
            printf '%s\n' "$said" | tail -n 20
        fi
        if [[ $way == pipeline ]]; then
            if [[ $result == FAILURE ]]; then
                [[ $said != *"deploy here"* ]] || fail "Jenkins $scenario: it was deployed"
            else
                [[ $said == *"deploy here"* ]] || fail "Jenkins $scenario: it was not deployed"
            fi
        fi
    done
}
ends clean SUCCESS recordIssues
ends healthy UNSTABLE "passed, with warnings" recordIssues
ends blocked FAILURE BLOCKED recordIssues
ends inconclusive FAILURE "could not decide (exit code 3" "no recordIssues"
verdict
