//! Every message of `docs/troubleshooting.md` is one that the program prints, with that exit code.

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, Folder, Platform, at_once, opencomply};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md");
const GATES: &str = "  - {id: budget, source: opencomply, max: 160}\n";
const SOON: (&str, &str) = ("version: 1", "version: 1\ndeadline: 6s");

/// A situation: the message of the page, and what leads to it. `…` is anything.
struct Case {
    message: &'static str,
    scenario: &'static str,
    /// A fault that a proxy plays for requests whose first line has this text.
    fault: Option<(&'static str, Fault)>,
    /// Changes of the policy, each a text and what replaces it.
    edits: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
}

fn case(message: &'static str) -> Case {
    let arguments = &["run"];
    Case { message, scenario: "healthy", fault: None, edits: &[], variables: &[], arguments }
}

impl Case {
    fn scenario(self, scenario: &'static str) -> Self {
        Self { scenario, ..self }
    }

    fn edits(self, edits: &'static [(&'static str, &'static str)]) -> Self {
        Self { edits, ..self }
    }

    fn variables(self, variables: &'static [(&'static str, &'static str)]) -> Self {
        Self { variables, ..self }
    }

    fn arguments(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }

    fn fault(self, path: &'static str, fault: Fault) -> Self {
        Self { fault: Some((path, fault)), ..self }
    }

    fn run(&self) -> Ended {
        let platform = Platform::start(self.scenario);
        let rules = self.fault.iter().map(|(path, fault)| Rule {
            path,
            skip: 0,
            times: usize::MAX,
            fault: fault.clone(),
        });
        let proxy = Proxy::start(&platform.origin, rules.collect());
        let mut policy = opencomply(&proxy.origin, GATES);
        for (from, to) in self.edits {
            assert!(policy.contains(from), "{}: nothing to replace: {from}", self.message);
            policy = policy.replace(from, to);
        }
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &policy);
        let mut command = folder.command(self.arguments);
        command.envs(self.variables.iter().copied());
        Ended::wait(command)
    }
}

fn answer(status: &str, kind: &str, body: &str) -> Fault {
    Fault::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n{body}",
        body.len()
    ))
}

fn json(status: &str, body: &str) -> Fault {
    answer(status, "application/json", body)
}

fn cases() -> Vec<Case> {
    vec![
        case("failed to read the file: no such file or directory").arguments(&[
            "run",
            "--config",
            "other.yaml",
        ]),
        case("unknown key `…`; did you mean `…`?").edits(&[("gates:", "gatez: []\ngates:")]),
        case("gate `…` has no limit").edits(&[(", max: 160", "")]),
        case("the policy has no gate, so it would let everything pass").edits(&[(GATES, "  []\n")]),
        case("this file has environments; choose one with `--environment`")
            .edits(&[("version: 1", "version: 1\nenvironments: {staging: {}}")]),
        case("environment `…` is unknown")
            .edits(&[("version: 1", "version: 1\nenvironments: {staging: {}}")])
            .arguments(&["run", "--environment", "stagin"]),
        case("the file requires compliance-gate >= …")
            .edits(&[("version: 1", "version: 1\nrequires: \">= 99\"")]),
        case("gate `…` selects by `…`, which … does not know")
            .edits(&[("max: 160", "max: 160, actor: me")]),
        case("`…` is not a severity; did you mean `…`?")
            .edits(&[("max: 160", "max: 160, severity: hihg")]),
        case("leaves the workspace; a report that a policy names stays inside it")
            .edits(&[("gates:", "reports: {json: ../gate.json}\ngates:")]),
        case("failed to open the … report").arguments(&["run", "--json", "/proc/none/gate.json"]),
        case("… is not set (or empty)").variables(&[("OPENCOMPLY_API_KEY", "")]),
        case("failed to read the file that …_FILE names")
            .variables(&[("OPENCOMPLY_API_KEY", ""), ("OPENCOMPLY_API_KEY_FILE", "missing")]),
        case("is not one of the origins that the pipeline allows")
            .variables(&[("COMPLIANCE_GATE_ALLOWED_ORIGINS", "https://compliance.example.com")]),
        case("`url` is plain http to another machine")
            .edits(&[("http://127.0.0.1", "http://192.0.2.1")]),
        case("the name of … does not exist")
            .edits(&[SOON, ("http://127.0.0.1:", "https://compliance.invalid:")]),
        case("correct `url`, now …: it is the base address of the platform's API")
            .edits(&[("\n    frameworks", "/main/auth/api/v1/me\n    frameworks")]),
        case("framework `…` does not exist on …; did you mean `…`?")
            .edits(&[("[baseline_security]", "[baseline_secrity]")]),
        case("no integration has …; did you mean `…`?").edits(&[("122814690049", "122814690048")]),
        case("allows no integration type at all").scenario("no-type-allowed"),
        case("compliance service is not enabled").scenario("disabled"),
        case("nothing that was evaluated matches … did you mean `…`?")
            .edits(&[("max: 160", "max: 160, rule: aws_s3_bucket_publik")]),
        case("there is no result for account …, which the gate selects")
            .scenario("account-without-results")
            .edits(&[("max: 160", "max: 160, account: f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b")]),
        case("is INACTIVE; a run would not show what there is in it now").scenario("inactive"),
        case("job … ended as FAILED").scenario("failed"),
        case("job … ended as CANCELED").scenario("canceled"),
        case("job … ended as TIMEOUT").scenario("timeout"),
        case("the deadline passed before its evidence was complete")
            .scenario("stuck")
            .edits(&[SOON]),
        case("SUCCEEDED, but there is no report of it").scenario("missing-report"),
        case("SUCCEEDED, but of its … runners … failed").scenario("inconclusive"),
        case("SUCCEEDED without all of its results").scenario("results-lost"),
        case("counts … alarms, but … in their breakdown by severity").scenario("contradictory"),
        case("there is no run over these integrations to rely on")
            .edits(&[("    poll:", "    run: {when: never}\n    poll:")]),
        case("the answer is an HTML page where JSON was expected")
            .fault("/integration", answer("200 OK", "text/html", "<html>")),
        case("the token has the role `…`; starting a run needs `admin`")
            .fault("/auth/api/v1/me", json("200 OK", "{\"role\":\"viewer\"}")),
        case("answered 403").fault("/compliance", json("403 Forbidden", "{}")),
        case("answered 401").fault("/integration", json("401 Unauthorized", "{}")),
        case("answered 503: … (after … tries)")
            .edits(&[SOON])
            .fault("/integration", json("503 Service Unavailable", "{}")),
        case("failed: connection closed before message completed (after … tries)")
            .edits(&[SOON])
            .fault("/integration", Fault::Reset),
        case("sent no complete answer within …")
            .edits(&[SOON, ("    poll:", "    request_timeout: 1s\n    poll:")])
            .fault("/integration", Fault::Stall),
    ]
}

/// The messages of the page, each with the exit code of its section.
fn documented() -> Vec<(String, i32)> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut code = 0;
    let mut messages = Vec::new();
    for line in page.lines() {
        if let Some(section) = line.strip_prefix("## Exit code ") {
            code = section.split(':').next().unwrap().parse().unwrap();
        }
        if let Some(heading) = line.strip_prefix("### ") {
            let ticks = heading.len() - heading.trim_start_matches('`').len();
            messages.push((heading[ticks..heading.len() - ticks].trim().to_owned(), code));
        }
    }
    messages
}

/// Whether the parts of a message around each `…` appear in this order.
fn has(text: &str, message: &str) -> bool {
    let mut rest = text;
    message.split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn every_message_of_the_page_is_printed_with_its_exit_code() {
    let documented = documented();
    let cases = cases();
    let known: Vec<_> = documented.iter().map(|(message, _)| message.as_str()).collect();
    let tried: Vec<_> = cases.iter().map(|case| case.message).collect();
    assert_eq!(known, tried, "the page and the cases differ");
    at_once(cases.into_iter().zip(documented), |(case, (message, code))| {
        let ended = case.run().exits(code);
        let printed = format!("{} {}", ended.stdout, ended.stderr);
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(has(&printed, &message), "`{message}` is not in:\n{printed}");
    });
}
