//! `compliance-gate admit`: whether a verified result lets an artefact through.
//!
//! It reads what a verifier printed, and checks no signature itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cli::AdmitArguments;
use crate::command::{Usage, print};
use crate::report::attestation::{ORGANISATION_POLICY, SVR, VERIFIER, property};
use crate::text;
use crate::verdict::Verdict;

mod statements;

use statements::Statement;

/// The largest file that is read: more than any verifier prints about one artefact.
const MOST_BYTES: u64 = 64 << 20;

/// How far ahead of ours the clock of the signer may be.
const MOST_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// What a result must satisfy.
struct Demands<'a> {
    environment: &'a str,
    org_policies: &'a [String],
    max_age: Duration,
    now: DateTime<Utc>,
}

pub(super) fn admit(arguments: &AdmitArguments) -> Result<u8, Usage> {
    let demands = Demands {
        environment: &arguments.environment,
        org_policies: &arguments.org_policy_sha256,
        max_age: arguments.max_age,
        now: Utc::now(),
    };
    let mut refused = Vec::new();
    for path in &arguments.files {
        let name = path.display();
        match statements::read(&contents(path)?) {
            Err(why) => refused.push(format!("{name}: {why}")),
            Ok(statements) if statements.is_empty() => {
                refused.push(format!("{name}: there is no statement in it"));
            }
            Ok(statements) => {
                for (at, statement) in (1..).zip(&statements) {
                    let missing = demands.missing(statement);
                    if missing.is_empty() {
                        let time = text::one_line(&statement.time_created, 40);
                        print(&format!(
                            "admitted: {name}, statement {at}, a result of {time}. Signatures are \
                             not checked here.\n"
                        ))?;
                        return Ok(Verdict::Passed.exit_code());
                    }
                    refused.push(format!("{name}, statement {at}: {}", missing.join("; ")));
                }
            }
        }
    }
    print(&format!("refused: no result satisfies everything.\n{}\n", refused.join("\n")))?;
    Ok(Verdict::Blocked.exit_code())
}

impl Demands<'_> {
    /// What a statement lacks, in sentences; nothing where it lets the artefact through.
    fn missing(&self, statement: &Statement) -> Vec<String> {
        if statement.predicate_type != SVR {
            let kind = text::one_line(&statement.predicate_type, 200);
            return vec![format!("its predicate type is `{kind}`, not {SVR}")];
        }
        if statement.verifier != VERIFIER {
            let verifier = text::one_line(&statement.verifier, 200);
            return vec![format!("its verifier is `{verifier}`, not {VERIFIER}")];
        }
        let mut missing = Vec::new();
        let has = |wanted: &String| statement.properties.contains(wanted);
        let wanted = [
            "COMPLIANCE_GATE_PASSED".to_owned(),
            property("ENV", self.environment),
            "COMPLIANCE_GATE_EVIDENCE_COMPLETE".to_owned(),
        ];
        let lacks = wanted.iter().filter(|wanted| !has(wanted));
        missing.extend(lacks.map(|wanted| format!("it lacks {wanted}")));
        let is_ours = |(name, sha256): &(String, String)| {
            // A repository can contain a copy of that file, under another name.
            name == ORGANISATION_POLICY && self.org_policies.contains(&sha256.to_ascii_lowercase())
        };
        if !statement.policies.iter().any(is_ours) {
            missing.push("it was not decided under this organisation policy".to_owned());
        }
        missing.extend(self.wrong_age(&statement.time_created));
        missing
    }

    fn wrong_age(&self, time: &str) -> Option<String> {
        let Ok(created) = DateTime::parse_from_rfc3339(time) else {
            return Some("its time cannot be read".to_owned());
        };
        let age = self.now - created.to_utc();
        if age < -MOST_AHEAD {
            let time = text::one_line(time, 40);
            return Some(format!("its time {time} is in the future"));
        }
        let limit = humantime::format_duration(self.max_age);
        let age = age.to_std().unwrap_or_default();
        (age > self.max_age).then(|| {
            let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
            format!("it is {age} old, and --max-age is {limit}")
        })
    }
}

fn contents(path: &Path) -> Result<String, String> {
    let mut contents = String::new();
    let file = File::open(path).map(|file| file.take(MOST_BYTES + 1));
    let read = file.and_then(|mut file| file.read_to_string(&mut contents));
    let name = path.display();
    read.map_err(|error| format!("{name} cannot be read: {}", text::reason(&error)))?;
    match contents.len() as u64 > MOST_BYTES {
        true => Err(format!("{name} is larger than 64 MiB")),
        false => Ok(contents),
    }
}
