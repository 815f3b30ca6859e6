# conftest test report.json -p report.rego: the JSON report of `run --json report.json`.
# A report is not signed: trust it as far as you trust the job that wrote it.
package main

import rego.v1

environment := "production"

# The organisation policy; two digests during a change-over.
org_policies := {"2222222222222222222222222222222222222222222222222222222222222222"}

max_age_ns := ((24 * 60) * 60) * 1000000000

ok contains "report" if {
	input["$schema"] == "urn:compliance-gate:report:1"
	input.version == 1
}

ok contains "verdict" if input.may_deploy == true

ok contains "evidence" if input.evidence_complete == true

ok contains "environment" if input.environment == environment

ok contains "organisation policy" if {
	some p in input.policies
	p.whose == "organisation"
	p.sha256 in org_policies
}

ok contains "gates" if {
	count(input.gates) > 0
	every g in input.gates { g.blocks == false }
}

ok contains "age" if {
	age := time.now_ns() - time.parse_rfc3339_ns(input.decided)
	age < max_age_ns
	age > -300000000000 # the clock of the job that wrote it may be five minutes ahead
}

wanted := {
	"report": "not a report of compliance-gate, version 1",
	"verdict": sprintf("no deploy: %v", [object.get(input, "summary", "no summary")]),
	"evidence": "evidence is not complete",
	"environment": sprintf("environment is %v, not %v", [object.get(input, "environment", "missing"), environment]),
	"organisation policy": "not decided under this organisation policy",
	"gates": "no gates, or one that blocks",
	"age": "older than 24 hours, or from the future",
}

deny contains wanted[w] if {
	some w in object.keys(wanted) - ok
}
