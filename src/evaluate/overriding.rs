//! Break-glass: the pipeline overrides a verdict for some hours, where the policy of the organisation
//! allows it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Decision;
use crate::text;
use crate::verdict::Verdict;

/// The variable of the pipeline.
pub const BREAK_GLASS: &str = "COMPLIANCE_GATE_BREAK_GLASS";

/// How far ahead the end may lie.
const MOST_AHEAD: TimeDelta = TimeDelta::hours(24);

/// That the exit code is 0 whatever the verdict is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub until: DateTime<Utc>,
    pub reason: String,
    /// Whether every report of it could be written. One that nobody can read about lets nothing
    /// through.
    pub is_reported: bool,
}

impl Decision<'_> {
    /// Applies what the pipeline asks for: `2026-11-29T04:00Z reason`. What does not apply is a
    /// warning, since a variable that was left behind must not stop anybody the next morning.
    pub fn break_glass(&mut self, asked: &str, allowed: &BTreeSet<u8>, now: DateTime<Utc>) {
        let applied = read(asked, now).and_then(|asked| match self.exit_code() {
            0 => Ok(None),
            code if allowed.contains(&code) => Ok(Some(asked)),
            code => Err(match allowed.is_empty() {
                true => "no policy of an organisation allows it".to_owned(),
                false => {
                    format!("the policy of the organisation does not allow it for exit code {code}")
                }
            }),
        });
        match applied {
            Ok(overridden) => self.overridden = overridden,
            Err(why) => self.warn(format!("{BREAK_GLASS} has no effect: {why}")),
        }
    }

    /// Adds a warning that belongs to no gate.
    fn warn(&mut self, warning: String) {
        if self.verdict == Verdict::Passed {
            self.verdict = Verdict::Warned;
        }
        self.warnings.push(warning);
    }
}

fn read(asked: &str, now: DateTime<Utc>) -> Result<Override, String> {
    let asked = asked.trim();
    let (until, reason) = asked.split_once(char::is_whitespace).unwrap_or((asked, ""));
    let until = Some(until).filter(|until| until.contains('T')).map(text::moment);
    let Some(Ok(until)) = until else {
        return Err("it does not begin with an instant such as 2026-11-29T04:00Z".to_owned());
    };
    let reason = text::one_line(reason, 300);
    match until {
        _ if reason.is_empty() => Err("it has no reason after the instant".to_owned()),
        until if until <= now => Err(format!("it ended at {}", until.format("%Y-%m-%dT%H:%MZ"))),
        until if until - now > MOST_AHEAD => {
            Err(format!("{} is more than 24 hours ahead", until.format("%Y-%m-%dT%H:%MZ")))
        }
        until => Ok(Override { until, reason, is_reported: true }),
    }
}
