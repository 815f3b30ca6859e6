# conftest test svr.statement.json -p statement.rego
# Checks no signature: give it the payload of a bundle that cosign or gh has verified.
package main

import rego.v1

# The organisation policy; two digests during a change-over.
org_policies := {"2222222222222222222222222222222222222222222222222222222222222222"}

ok contains "type" if input.predicateType == "https://in-toto.io/attestation/svr/v0.2"

ok contains "verifier" if input.predicate.verifier.id == "https://compliance-gate.dev/gate/v1"

ok contains "organisation policy" if {
	some p in input.predicate.verifier.policies
	p.name == "org-policy"
	p.digest.sha256 in org_policies
}

ok contains "passed" if "COMPLIANCE_GATE_PASSED" in input.predicate.properties

ok contains "environment" if "COMPLIANCE_GATE_ENV_PRODUCTION" in input.predicate.properties

ok contains "evidence" if "COMPLIANCE_GATE_EVIDENCE_COMPLETE" in input.predicate.properties

ok contains "age" if {
	age := time.now_ns() - time.parse_rfc3339_ns(input.predicate.timeCreated)
	age < ((24 * 60) * 60) * 1000000000
	age > -300000000000
}

# A positive rule for each demand and a set difference: `{}` as input is refused.
deny contains sprintf("not established: %v", [w]) if {
	some w in {"type", "verifier", "organisation policy", "passed", "environment", "evidence", "age"} - ok
}
