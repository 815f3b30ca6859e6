//! Hand-made evidence and policies for reports: what a run can end with, and as big as need be.
#![allow(dead_code, reason = "tests and benches each use their own part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compliance_gate::acceptance::{Acceptance, Excuse, Forgives, Grounds};
use compliance_gate::evaluate;
use compliance_gate::evidence::{
    CiRun, Count, Evidence, Findings, Job, Outcome, Part, Role, SubjectCount, Table, Unit, Window,
};
use compliance_gate::finding::{
    Account, Cause, Control, Finding, Identity, Problem, Rule, Severity, Subject,
};
use compliance_gate::policy::{
    Demands, Gate, Level, Limits, Mode, Owner, Percent, Place, Policy, Whose,
};
use compliance_gate::report::terminal::{self, Detail, TerminalStyle};
use compliance_gate::report::{EVIDENCE, EvidenceFile, FORMATS, Facts, Purpose, Report, View};
use compliance_gate::selection::{Exclusion, Field, Pattern, Selection};
use compliance_gate::sources::opencomply::AFTER_FIX;
use compliance_gate::verdict::Verdict;

/// All that a report is made of.
#[derive(Clone)]
pub struct Scene {
    pub policy: Policy,
    pub evidence: Evidence,
    pub at_least: Option<Verdict>,
    pub path: String,
    pub environment: Option<String>,
}

impl Scene {
    pub fn new(gates: Vec<Gate>, mut outcomes: Vec<Outcome>) -> Self {
        for outcome in &mut outcomes {
            let source = outcome.source.as_str().into();
            let findings = outcome.parts.iter_mut().flat_map(|part| part.findings.listed_mut());
            findings.for_each(|finding| finding.identify(&source));
        }
        let evidence = Demands { min_evaluated: 1, max_age: None };
        Self {
            policy: Policy {
                whose: Whose::Repository,
                mode: Mode::Enforce,
                gates,
                accept: Vec::new(),
                most_by_taken: 0,
                owners: Vec::new(),
                evidence,
            },
            evidence: Evidence {
                started: now() - TimeDelta::milliseconds(192_500),
                finished: now(),
                outcomes,
            },
            at_least: None,
            path: ".github/compliance-gate.yaml".to_owned(),
            environment: Some("production".to_owned()),
        }
    }

    /// The findings that the first part of a source lists.
    pub fn findings(&mut self, source: usize) -> &mut Vec<Finding> {
        match &mut self.evidence.outcomes[source].parts[0].findings {
            Findings::Listed(findings) => findings,
            Findings::Incomplete { .. } => {
                unreachable!("the findings of source {source} are not listed")
            }
        }
    }

    /// Decides, and calls `with` with the report.
    pub fn report<T>(&self, with: impl FnOnce(&View<'_>) -> T) -> T {
        let decision = evaluate::decide(&self.policy, &self.evidence, self.at_least, now());
        with(&View::of(Report {
            decision: &decision,
            facts: Facts {
                evidence: &self.evidence,
                policy: &self.path,
                documents: &[],
                organisation: None,
                environment: self.environment.as_deref(),
                purpose: Purpose::Gate,
                now: now(),
                run: &CiRun::default(),
                evidence_file: EvidenceFile::None,
                evidence_path: None,
                subjects: &[],
                at_least: self.at_least,
                changes: None,
                warn_exit_code: None,
                break_glass: None,
                tool: None,
            },
            exit_code: decision.exit_code(),
        }))
    }

    /// A report in a format, as its file would have it.
    pub fn render(&self, format: &str) -> String {
        let mut out = Vec::new();
        let mut formats = FORMATS.iter().chain([&EVIDENCE]);
        let format = formats.find(|row| row.name == format).expect("a format");
        self.report(|report| (format.render)(report, &mut out)).expect("memory does not fail");
        String::from_utf8(out).expect("reports are text")
    }

    /// What people read, without styles, as a CI log has it.
    pub fn read(&self) -> String {
        self.look(TerminalStyle::default())
    }

    /// The same with `-v`.
    pub fn read_all(&self) -> String {
        self.look(TerminalStyle { detail: Detail::Full, ..TerminalStyle::default() })
    }

    pub fn look(&self, look: TerminalStyle<'_>) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        self.report(|report| terminal::render(report, look, &mut out))
            .expect("memory does not fail");
        String::from_utf8(out.into_inner()).expect("reports are text")
    }
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

/// What is particular about a finding.
pub struct Of<'a> {
    pub severity: Severity,
    pub rule: &'a str,
    pub title: &'a str,
    pub help: &'a str,
    pub resource: &'a str,
    pub reason: &'a str,
    pub framework: &'a str,
    pub account: &'a str,
}

pub fn finding(of: &Of<'_>) -> Finding {
    Finding {
        subject: Arc::new(Subject {
            severity: of.severity,
            rule: Some(Arc::new(Rule {
                id: of.rule.into(),
                title: some(of.title).map(Arc::from),
                help: some(of.help).map(Arc::from),
            })),
            controls: [Control { framework: of.framework.into(), id: of.rule.into() }].into(),
            resource_type: Some("AWS::S3::Bucket".into()),
            account: Some(Arc::new(Account {
                id: of.account.into(),
                name: Some("payments".into()),
            })),
            region: Some("eu-west-1".into()),
        }),
        status: Some("open".into()),
        open: true,
        resource_id: some(of.resource).map(Box::from),
        resource_name: None,
        reason: some(of.reason).map(Box::from),
        created_at: Some(now() - TimeDelta::days(40)),
        ..Finding::new(Subject::new(of.severity), Identity::Check)
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A control of `baseline_security` that failed on so many buckets.
pub fn control(
    severity: Severity,
    rule: &str,
    title: &str,
    buckets: std::ops::Range<u32>,
) -> Vec<Finding> {
    buckets
        .map(|bucket| {
            finding(&Of {
                severity,
                rule,
                title,
                help: "",
                resource: &format!("arn:aws:s3:::payments-{bucket:03}"),
                reason: "Public access is not blocked.",
                framework: "baseline_security",
                account: "122814690049",
            })
        })
        .collect()
}

/// A framework that OpenComply evaluated.
pub fn framework(name: &str, evaluated: u64, findings: Vec<Finding>) -> Part {
    let passed = evaluated - findings.len() as u64;
    let count = Count { passed: Some(passed), failed: findings.len() as u64 };
    let whole = SubjectCount { subject: Subject::new(Severity::None), count };
    let mut part = Part::of_checks(evaluated);
    part.counts.table = Some(Table { by: [].into(), rows: vec![whole] });
    Part {
        framework: Some(name.to_owned()),
        jobs: vec![Job {
            id: "136".to_owned(),
            state: "SUCCEEDED".to_owned(),
            role: Role::Started,
            ended_at: Some(now() - TimeDelta::minutes(2)),
        }],
        as_of: Some(now() - TimeDelta::minutes(2)),
        findings: Findings::Listed(findings),
        ..part
    }
}

pub fn outcome(source: &str, parts: Vec<Part>, problems: Vec<Problem>) -> Outcome {
    Outcome {
        source: source.to_owned(),
        origin: format!("https://{}.example.com", source.replace('/', "-")),
        simulated: false,
        filters: Vec::new(),
        requests: 31,
        parts,
        problems,
        notes: Vec::new(),
        remarks: Vec::new(),
        after_fix: source.starts_with("opencomply").then(|| AFTER_FIX.into()),
        renew: None,
    }
}

pub fn gate(id: &str, sources: &[&str], line: u64, limits: Limits) -> Gate {
    Gate {
        id: id.to_owned(),
        level: Level::Block,
        description: None,
        owner: None,
        link: None,
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        selection: Selection::default(),
        limits,
        each: None,
        blocks_from: None,
        notes: Vec::new(),
        place: Place { file: ".github/compliance-gate.yaml".into(), line, column: 5 },
    }
}

pub fn max(max: u64) -> Limits {
    Limits { max: Some(max), ..Limits::default() }
}

pub fn severe(mut gate: Gate) -> Gate {
    gate.selection.severity = Some([Severity::High, Severity::Critical].into());
    gate
}

pub fn warning(mut gate: Gate) -> Gate {
    gate.level = Level::Warn;
    gate
}

fn gates() -> Vec<Gate> {
    let rate = Limits { min_pass_rate: Percent::parse("72.5%").ok(), ..Limits::default() };
    let mut rule = gate("open-cspm-failures", &["gravityzone"], 31, max(3));
    rule.selection.words = BTreeMap::from([(Field::Rule, vec![Pattern::new("cloud_scan/aws/*")])]);
    vec![
        severe(gate("no-critical-or-high", &["opencomply"], 20, max(0))),
        warning(gate("alarm-budget", &["opencomply", "gravityzone"], 25, max(12))),
        gate("pass-rate", &["opencomply"], 28, rate),
        rule,
    ]
}

fn gravityzone() -> Outcome {
    let check = |severity, rule: &str, title: &str, resource: &str| {
        finding(&Of {
            severity,
            rule,
            title,
            help: "Restrict the ingress rule to known addresses.",
            resource,
            reason: "Port 22 is open to 0.0.0.0/0.",
            framework: "nist-sp-800-53-r5",
            account: "7d8c",
        })
    };
    let ssh = "Security groups do not allow SSH from anywhere";
    let rule = "cloud_scan/aws/ec2/no_public_ssh";
    let part = Part {
        findings: Findings::Listed(vec![
            check(Severity::High, rule, ssh, "sg-0a1b2c3d"),
            check(Severity::High, rule, ssh, "sg-0a1b2c3e"),
        ]),
        ..Part::of_checks(30_817)
    };
    outcome("gravityzone", vec![part], Vec::new())
}

pub fn blocked() -> Scene {
    use Severity::{Critical, High, Low, Medium};
    let findings = [
        control(Critical, "aws_s3_public_write", "S3 buckets do not allow public writes", 0..2),
        control(High, "aws_s3_public_access_block", "S3 buckets block public access", 0..9),
        control(High, "aws_s3_tls_only", "S3 buckets refuse plain HTTP", 3..4),
        control(Medium, "aws_s3_versioning", "S3 buckets keep versions", 0..30),
        control(Low, "aws_s3_logging", "S3 buckets log access", 0..20),
    ];
    let part = framework("baseline_security", 409 + 62, findings.concat());
    Scene::new(gates(), vec![gravityzone(), outcome("opencomply", vec![part], Vec::new())])
}

pub fn passed() -> Scene {
    let mut scene = blocked();
    scene.policy.gates.remove(1);
    let part = &mut scene.evidence.outcomes[1].parts[0];
    let mild = part.findings.listed().iter().filter(|f| f.subject.severity < Severity::High);
    part.findings = Findings::Listed(mild.cloned().collect());
    scene
}

pub fn denied() -> Problem {
    Problem::new(
        Cause::Denied,
        "opencomply: POST /main/schedule/api/v3/compliance/framework/baseline_security/run \
         answered 406: missing required permission",
    )
    .help("the user who made the key needs the role admin to start a run; or set `run: {when: never}`")
}

pub fn inconclusive() -> Scene {
    let mut scene = blocked();
    let problem = Problem::new(
        Cause::JobFailed,
        "opencomply: job 136 of baseline_security: 3 runners failed: [controls[aws_s3_tls_only]: timeout]",
    )
    .help("look at the job on the platform, and run again");
    scene.evidence.outcomes[1].parts[0].problems.push(problem);
    scene
}

pub fn forgiven() -> Scene {
    let mut scene = passed();
    scene.evidence.outcomes[1].parts.clear();
    scene.evidence.outcomes[1]
        .problems
        .push(Problem::new(Cause::Unreachable, "opencomply: no answer after 5 attempts in 31s"));
    let reason = "the platform moves this month (OPS-1412)";
    let expires = NaiveDate::from_ymd_opt(2026, 10, 11).unwrap_or_default();
    scene.policy.accept.push(Acceptance {
        grounds: Grounds { reason: reason.to_owned(), ..grounds("platform-moves", expires) },
        ..excuse(Cause::Unreachable, None, expires)
    });
    scene
}

/// Who owns an account.
pub fn owner_of_account(account: &str, name: &str) -> Owner {
    let words = BTreeMap::from([(Field::Account, vec![Pattern::new(account)])]);
    Owner { of: Exclusion { words, ..Exclusion::default() }, name: name.to_owned() }
}

/// Grounds of an acceptance.
pub fn grounds(id: &str, expires: NaiveDate) -> Grounds {
    Grounds {
        id: id.to_owned(),
        reason: "a reason".to_owned(),
        owner: "#team-platform".to_owned(),
        approved_by: None,
        ticket: None,
        from: None,
        expires,
        place: Place { line: 40, column: 3, ..Place::default() },
    }
}

/// An acceptance of a cause in OpenComply.
pub fn excuse(cause: Cause, up_to: Option<Duration>, expires: NaiveDate) -> Acceptance {
    let sources = vec!["opencomply".to_owned()];
    Acceptance {
        whose: Whose::Repository,
        grounds: grounds(&format!("{}-forgiven", cause.word()), expires),
        gates: Vec::new(),
        forgives: Forgives::Cause(Excuse { cause, sources, up_to }),
    }
}

pub fn interrupted() -> Scene {
    let mut scene = blocked();
    scene.at_least = Some(Verdict::Terminated);
    scene.evidence.outcomes[1].parts.clear();
    scene.evidence.outcomes[1].problems.push(Problem::new(
        Cause::Interrupted,
        "opencomply: interrupted while job 136 was running",
    ));
    scene.evidence.outcomes[1].notes.push("job 136 was cancelled".to_owned());
    scene
}

pub fn window() -> Scene {
    let window = Window { from: now() - TimeDelta::days(1), to: now() };
    let part = Part { as_of: None, ..Part::of_window(Unit::Change, window) };
    let scene = outcome("bigpanda", vec![part], Vec::new());
    Scene::new(vec![gate("no-silenced-alerts", &["bigpanda"], 9, max(0))], vec![scene])
}

/// So many findings of a tenth as many rules, over all severities.
pub fn big(findings: u32) -> Scene {
    let severities = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    let findings = (0..findings).map(|number| {
        let rule = number / 10;
        finding(&Of {
            severity: severities[(rule % 4) as usize],
            rule: &format!("cloud_scan/aws/service/rule_{rule:05}"),
            title: &format!("Resources of kind {rule} are encrypted & backed up <daily>"),
            help: "Enable encryption with a key of your own, and a backup plan.",
            resource: &format!("arn:aws:service:eu-west-1:122814690049:thing/{number:08}"),
            reason: "Encryption is off since the last change.",
            framework: "nist-sp-800-53-r5",
            account: "122814690049",
        })
    });
    let findings: Vec<_> = findings.collect();
    let part = Part { framework: None, ..framework("", findings.len() as u64 + 30_000, findings) };
    let gates = vec![
        severe(gate("no-critical-or-high", &["gravityzone"], 12, max(0))),
        warning(gate("budget", &["gravityzone"], 15, max(100))),
    ];
    Scene::new(gates, vec![outcome("gravityzone", vec![part], Vec::new())])
}

/// Everything that came from a platform, or may have been written by a stranger, is `text`.
pub fn hostile(text: &str) -> Scene {
    let mut scene = blocked();
    let of = Of {
        severity: Severity::Unknown,
        rule: text,
        title: text,
        help: text,
        resource: text,
        reason: text,
        framework: text,
        account: text,
    };
    let mut one = finding(&of);
    one.status = Some(text.into());
    one.resource_name = Some(text.into());
    Arc::make_mut(&mut one.subject).resource_type = Some(text.into());
    Arc::make_mut(&mut one.subject).region = Some(text.into());
    Arc::make_mut(&mut one.subject).account =
        Some(Arc::new(Account { id: text.into(), name: Some(text.into()) }));
    let problem = Problem::new(Cause::Protocol, text).help(text);
    let outcome = &mut scene.evidence.outcomes[1];
    outcome.origin = text.to_owned();
    outcome.notes = vec![text.to_owned()];
    outcome.parts[0].findings.push(one);
    outcome.parts[0].notes = vec![text.to_owned()];
    outcome.parts[0].jobs[0].id = text.to_owned();
    outcome.parts[0].jobs[0].state = text.to_owned();
    let mut lost = framework(text, 7, Vec::new());
    lost.problems.push(problem);
    outcome.parts.push(lost);
    scene.policy.gates.push(gate(text, &["opencomply"], 40, max(0)));
    scene.path = text.to_owned();
    scene.environment = Some(text.to_owned());
    scene
}

/// Each of them breaks something that does not take care.
pub const HOSTILE: &str = "::error file=x::\u{1b}[31mred\u{7}\u{0}\r\n::stop-commands::x\n##[error]y \
    ##vso[task.complete result=Succeeded] ##teamcity[x] ]]> <b a=\"c\">&amp;\u{202e}drow\u{200b}\u{feff}\
    \u{fffe}\u{2028}::add-mask::z [link](https://evil.example) `code` | table | {0} %0A \\ \u{1F600}";
