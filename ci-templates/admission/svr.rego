# cosign verify-attestation --type https://in-toto.io/attestation/svr/v0.2 --policy svr.rego …
# Loads as Rego v0 (cosign 2) and as v1 (cosign 3). cosign refuses if ONE attestation of the type
# does not satisfy this, so an older result on the same digest must be pruned: see prune.sh.
package signature

import rego.v1

default allow := false

# The organisation policy; two digests during a change-over.
org_policies := {"2222222222222222222222222222222222222222222222222222222222222222"}

required := {"COMPLIANCE_GATE_PASSED", "COMPLIANCE_GATE_ENV_PRODUCTION", "COMPLIANCE_GATE_EVIDENCE_COMPLETE"}

max_age_ns := ((24 * 60) * 60) * 1000000000

allow if {
	input.predicateType == "https://in-toto.io/attestation/svr/v0.2"
	input.predicate.verifier.id == "https://compliance-gate.dev/gate/v1"
	some p in input.predicate.verifier.policies
	p.name == "org-policy"
	p.digest.sha256 in org_policies
	every r in required { r in input.predicate.properties }
	age := time.now_ns() - time.parse_rfc3339_ns(input.predicate.timeCreated)
	age < max_age_ns
	age > -300000000000 # five minutes: the signer's clock may be ahead, not a day
}
