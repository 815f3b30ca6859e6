//! A policy and the evidence that it is decided on.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::baseline::{self, Baseline};
use crate::config::{Config, Written};
use crate::evaluate;
use crate::evidence::{
    CiRun, Count, Counts, Evidence, Findings, Outcome, Part, Proof, SubjectCount, Table, Tool, Unit,
};
use crate::finding::{
    Account, Cause, Control, Finding, Identity, Problem, Rerating, Rule, Severity, Subject, Waiver,
    WaiverKind,
};
use crate::policy::{Document, Whose};
use crate::saved::{self, Decided};
use crate::selection::Field;
use crate::verdict::Verdict;

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

/// A policy in JSON and the evidence that it is decided on.
#[derive(Clone)]
pub(super) struct Scene {
    pub policy: Value,
    /// The policy of the organisation, if there is one.
    pub organisation: Option<Value>,
    /// Files that the policies name.
    pub files: Vec<Document>,
    pub evidence: Evidence,
    pub at_least: Option<Verdict>,
}

pub(super) fn subject(
    severity: Severity,
    rule: &str,
    account: Option<&str>,
    kind: Option<&str>,
) -> Subject {
    Subject {
        severity,
        rule: Some(Arc::new(Rule { id: rule.into(), title: None, help: None })),
        controls: [Control { framework: "base".into(), id: rule.into() }].into(),
        resource_type: kind.map(Into::into),
        account: account.map(|id| Arc::new(Account { id: id.into(), name: None })),
        region: None,
    }
}

pub(super) fn finding(source: &str, resource: &str, subject: Subject) -> Finding {
    let mut finding = Finding::new(subject, Identity::Check);
    finding.resource_id = Some(resource.into());
    finding.identify(&source.into());
    finding
}

/// Checks of OpenComply: 36 passed, and one critical, two high and one low failed.
pub(super) fn checks() -> Outcome {
    let of =
        |rule: &str, account, kind, severity| subject(severity, rule, Some(account), Some(kind));
    let failed = [
        ("arn:1", of("public", "A", "bucket", Severity::Critical)),
        ("arn:2", of("public", "B", "bucket", Severity::High)),
        ("arn:3", of("patches", "A", "vm", Severity::High)),
        ("arn:4", of("tags", "A", "bucket", Severity::Low)),
    ];
    let mut rows: BTreeMap<Subject, Count> = BTreeMap::new();
    for (rule, account, kind, severity, passed) in [
        ("public", "A", "bucket", Severity::Critical, 10),
        ("public", "B", "bucket", Severity::High, 6),
        ("patches", "A", "vm", Severity::High, 8),
        ("tags", "A", "bucket", Severity::Low, 12),
    ] {
        let count = Count { passed: Some(passed), failed: 0 };
        rows.insert(of(rule, account, kind, severity), count);
    }
    for (_, subject) in &failed {
        let count = rows.entry(subject.clone()).or_insert(Count::ZERO);
        count.failed += 1;
    }
    let rows = rows.into_iter().map(|(subject, count)| SubjectCount { subject, count });
    let by = [
        Field::Framework,
        Field::Control,
        Field::Rule,
        Field::Severity,
        Field::ResourceType,
        Field::Account,
    ];
    let findings = failed.map(|(resource, subject)| finding("opencomply", resource, subject));
    Outcome {
        parts: vec![Part {
            framework: Some("base".to_owned()),
            proof: Proof::Checks { evaluated: 40 },
            as_of: Some(now() - TimeDelta::hours(2)),
            findings: Findings::Listed(findings.into()),
            counts: Counts {
                table: Some(Table { by: by.into(), rows: rows.collect() }),
                answers: Vec::new(),
            },
            ..Part::default()
        }],
        ..empty("opencomply")
    }
}

/// Cases of BigID: an old one, a new one that is closed, and one of which little is stated.
pub(super) fn cases() -> Outcome {
    let of = |rule: &str, severity| Subject {
        controls: Arc::default(),
        ..subject(severity, rule, None, Some("s3"))
    };
    let mut old = finding("bigid", "orders", of("PCI", Severity::High));
    (old.status, old.created_at) = (Some("open".into()), Some(now() - TimeDelta::days(40)));
    old.assignee = Some("team@example.com".into());
    let mut new = finding("bigid", "hr", of("Health", Severity::Medium));
    (new.status, new.open) = (Some("acknowledged".into()), false);
    new.created_at = Some(now() - TimeDelta::days(5));
    let vague = finding("bigid", "exports", of("Passwords", Severity::Unknown));
    Outcome {
        parts: vec![Part {
            unit: Unit::Case,
            proof: Proof::Answered { entries: 9, window: None },
            read_at: Some(now() - TimeDelta::minutes(3)),
            findings: Findings::Listed(vec![old, new, vague]),
            ..Part::default()
        }],
        ..empty("bigid")
    }
}

/// Checks of GravityZone: accepted there in several ways, and of changed severity.
pub(super) fn waived() -> Outcome {
    let of = |resource: &str, severity| {
        let subject = subject(severity, "exposed", Some("A"), Some("vm"));
        finding("gravityzone", resource, subject)
    };
    let waived = |resource: &str, kind, until: Option<i64>, fault: Option<&str>| {
        let mut finding = of(resource, Severity::High);
        finding.waiver = Some(Box::new(Waiver {
            until: until.map(|days| now() + TimeDelta::days(days)),
            fault: fault.map(Into::into),
            ..Waiver::new(kind)
        }));
        finding
    };
    let rerated = |resource: &str, original, current| {
        let mut finding = of(resource, Severity::max(original, current));
        finding.rerating = Some(Rerating { original, current });
        finding
    };
    let accepted = WaiverKind::GravityZoneRiskAccepted;
    let findings = vec![
        waived("vm:accepted", accepted, None, None),
        waived("vm:until-later", accepted, Some(3), None),
        waived("vm:until-now", accepted, Some(0), None),
        waived("vm:revoked", accepted, None, Some("revoked")),
        waived("vm:false", WaiverKind::GravityZoneFalsePositive, None, None),
        rerated("vm:lowered", Severity::High, Severity::Low),
        rerated("vm:raised", Severity::Low, Severity::Critical),
    ];
    let mut findings = Findings::Listed(findings);
    findings.sort();
    Outcome {
        parts: vec![Part {
            framework: Some("cis".to_owned()),
            as_of: Some(now() - TimeDelta::hours(1)),
            findings,
            ..Part::of_checks(30)
        }],
        ..empty("gravityzone")
    }
}

pub(super) fn empty(source: &str) -> Outcome {
    let none = Problem::new(Cause::Empty, "");
    let origin = format!("https://{source}.example.com");
    Outcome { problems: Vec::new(), ..Outcome::of_failure(source.to_owned(), origin, none) }
}

/// A scene with these gates, over both sources.
pub(super) fn scene(gates: Value) -> Scene {
    let policy = json!({
        "version": 1,
        "sources": {
            "bigid": {"url": "https://bigid.example.com"},
            "opencomply": {
                "url": "https://opencomply.example.com",
                "frameworks": ["base"],
                "integrations": "all"
            }
        },
        "gates": gates
    });
    let (started, finished) = (now() - TimeDelta::minutes(4), now());
    let evidence = Evidence { started, finished, outcomes: vec![cases(), checks()] };
    Scene { policy, organisation: None, files: Vec::new(), evidence, at_least: None }
}

/// The policy of an organisation over the same checks.
pub(super) fn organisation(gates: Value, more: Value) -> Value {
    let mut policy = scene(gates).policy;
    policy["sources"].as_object_mut().unwrap().remove("bigid");
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    policy
}

impl Scene {
    pub(super) fn with(mut self, key: &str, value: Value) -> Self {
        self.policy[key] = value;
        self
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Evidence)) -> Self {
        change(&mut self.evidence);
        self
    }

    pub(super) fn checks(self, change: impl FnOnce(&mut Part)) -> Self {
        self.change(|evidence| change(&mut evidence.outcomes[1].parts[0]))
    }

    pub(super) fn cases(self, change: impl FnOnce(&mut Part)) -> Self {
        self.change(|evidence| change(&mut evidence.outcomes[0].parts[0]))
    }

    /// The files of the policies: that of the repository, what it names, that of the organisation.
    fn documents(&self) -> Vec<Document> {
        let own = Document::new("compliance-gate.yaml", self.policy.to_string());
        let organisation = self.organisation.as_ref().map(|policy| Document {
            whose: Whose::Organisation,
            ..Document::new("org.yaml", policy.to_string())
        });
        [own].into_iter().chain(self.files.iter().cloned()).chain(organisation).collect()
    }

    fn config(&self, documents: &[Document]) -> Option<Config> {
        let own = Written::recorded(documents, Whose::Repository).ok()?;
        match self.organisation {
            None => own.resolve(None).ok(),
            Some(_) => {
                let organisation = Written::recorded(documents, Whose::Organisation).ok()?;
                Written::beside(Some(&own), None, &organisation, None).ok()
            }
        }
    }

    /// With a source of GravityZone.
    pub(super) fn with_waivers(mut self) -> Self {
        self.policy["sources"]["gravityzone"] =
            json!({"url": "https://gravityzone.example.com/v1"});
        self.change(|evidence| evidence.outcomes.insert(1, waived()))
    }

    /// With a policy of an organisation.
    pub(super) fn beside(mut self, organisation: Value) -> Self {
        self.organisation = Some(organisation);
        self
    }

    /// With a baseline of these findings of the evidence, by resource, each with the severity and the
    /// count that its line has.
    pub(super) fn known(mut self, lines: &[(&str, Severity, u64)]) -> Self {
        let outcomes = self.evidence.outcomes.iter();
        let origins = outcomes.map(|outcome| (outcome.source.clone(), outcome.origin.clone()));
        let mut baseline = Baseline::new(baseline::Header {
            schema: baseline::SCHEMA.to_owned(),
            environment: None,
            sources: origins.collect(),
            accounts: BTreeMap::new(),
        });
        let parts = self.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
        for finding in parts.flat_map(|part| part.findings.listed()) {
            let own = lines.iter().filter(|(resource, ..)| *resource == finding.resource());
            for (_, severity, count) in own {
                let mut known = finding.clone();
                Arc::make_mut(&mut known.subject).severity = *severity;
                (0..*count).for_each(|_| baseline.add(&known));
            }
        }
        let mut text = Vec::new();
        baseline.write(&mut text).unwrap();
        self.files.push(Document::new("baseline.jsonl", String::from_utf8(text).unwrap()));
        self
    }

    /// Its baseline is of an environment.
    pub(super) fn in_environment_of_baseline(mut self, name: &str) -> Self {
        for file in &mut self.files {
            let text =
                file.text.replace("\"environment\":null", &format!("\"environment\":\"{name}\""));
            *file = Document::new(&*file.path, text);
        }
        self
    }

    /// The file, and what it decides. `None` if the policy is not valid.
    pub(super) fn decided(&self) -> Option<(Vec<u8>, Value)> {
        let documents = self.documents();
        let config = self.config(&documents)?;
        let policies: Vec<_> = config.policies().collect();
        let decision = evaluate::decide_all(&policies, &self.evidence, self.at_least, now());
        let gates = decision.rulings.iter().map(|ruling| {
            let state = json!({
                "state": ruling.state.word(),
                "blocks": ruling.blocks(),
                "failed": ruling.failed,
            });
            (ruling.gate.id.clone(), state)
        });
        let gates: serde_json::Map<_, _> = gates.collect();
        let exit_code = decision.exit_code();
        let expected = json!({"verdict": decision.verdict, "exit_code": exit_code, "gates": gates});
        let decided = Decided {
            verdict: decision.verdict,
            exit_code,
            at_least: self.at_least,
            now: now(),
            environment: None,
            warn_exit_code: None,
            break_glass: None,
            changes: None,
            subjects: Vec::new(),
            run: CiRun { host: "none".to_owned(), ..CiRun::default() },
            tool: Tool { version: env!("CARGO_PKG_VERSION").to_owned(), sha256: None },
        };
        let mut file = Vec::new();
        saved::write(&self.evidence, &documents, &decided, &mut file).unwrap();
        Some((file, expected))
    }
}

pub(super) fn gate(more: Value) -> Value {
    let mut gate = json!({"id": "g", "source": "opencomply", "max": 0});
    gate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([gate])
}

pub(super) fn of_cases(more: Value) -> Value {
    let mut gate = gate(more);
    gate[0]["source"] = json!("bigid");
    gate
}

pub(super) fn problem(cause: Cause) -> Problem {
    Problem::new(cause, "made up")
}

pub(super) fn entry(more: Value) -> Value {
    let mut entry =
        json!({"id": "e", "reason": "r", "owner": "o@example.com", "expires": "2027-03-01"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([entry])
}
