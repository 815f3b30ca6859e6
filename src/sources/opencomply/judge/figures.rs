//! What a job counted, by its status. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ExpectedJob;
use crate::finding::{Cause, Problem, Severity};
use crate::json::MOST_COUNTED;
use crate::sources::opencomply::wire::Status;
use crate::text;

/// What a sound job counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Figures {
    pub passed: u64,
    pub failed: u64,
    /// Failed checks by the severities that the breakdown names; it may leave some out.
    pub(super) breakdown: BTreeMap<Severity, u64>,
    pub runners: u64,
}

impl Figures {
    pub(crate) fn evaluated(&self) -> u64 {
        self.passed + self.failed
    }

    /// Failed checks by severity. What the breakdown leaves out is `unknown`.
    pub(crate) fn by_severity(&self) -> BTreeMap<Severity, u64> {
        let mut all = self.breakdown.clone();
        let explained: u64 = all.values().sum();
        *all.entry(Severity::Unknown).or_default() += self.failed - explained.min(self.failed);
        all
    }

    /// Whether failed checks counted elsewhere are the same ones.
    ///
    /// # Errors
    /// The figures that differ, as the end of a sentence.
    pub(crate) fn agree(&self, counted: &BTreeMap<Severity, u64>) -> Result<(), String> {
        let sum: u64 = counted.values().sum();
        if sum != self.failed {
            return Err(format!("{sum} failed checks where its status says {}", self.failed));
        }
        // A severity that is not in the breakdown has no failed check. Only those without a name
        // may be in the sum alone: what is `low` there would be `unknown` here, and the decision
        // must not depend on which of the two was asked.
        let named: BTreeSet<_> = self.breakdown.keys().chain(counted.keys()).collect();
        for severity in named.into_iter().filter(|severity| **severity != Severity::Unknown) {
            let [counted, expected] =
                [counted, &self.breakdown].map(|counts| counts.get(severity).copied().unwrap_or(0));
            if counted != expected {
                return Err(format!(
                    "{counted} failed checks of severity {severity} where its status says {expected}"
                ));
            }
        }
        Ok(())
    }
}

/// The figures of a status, if they can be read, whatever its state. For people only.
pub(in super::super) fn known_figures(status: &Status) -> Option<Figures> {
    let integrations = BTreeSet::new();
    let unnamed = ExpectedJob { place: "", job: 0, framework: "", integrations: &integrations };
    figures(unnamed, status).ok()
}

pub(super) fn figures(expected: ExpectedJob<'_>, status: &Status) -> Result<Figures, Problem> {
    let incidents = status.incidents.clone().unwrap_or_default();
    let summary = incidents.summary.unwrap_or_default();
    let passed = count(expected, "incidents.summary.ok", summary.ok)?;
    let failed = count(expected, "incidents.summary.alarm", summary.alarm)?;
    let mut breakdown = BTreeMap::new();
    for (word, number) in incidents.alarms_breakdown.unwrap_or_default() {
        let field = format!("incidents.alarms_breakdown.{}", text::one_line(&word, 40));
        let number = count(expected, &field, Some(number.0.unwrap_or(0)))?;
        *breakdown.entry(Severity::from_platform(&word)).or_default() += number;
    }
    let explained: u64 = breakdown.values().sum();
    if explained > failed {
        return Err(expected
            .problem(
                Cause::Contradictory,
                format_args!(
                    "counts {failed} alarms, but {explained} in their breakdown by severity"
                ),
            )
            .help(REPORT_BROKEN));
    }
    let runners = status.runners_status.as_ref().and_then(|runners| runners.total_count);
    let runners = runners.and_then(|total| total.try_into().ok()).unwrap_or_default();
    Ok(Figures { passed, failed, breakdown, runners })
}

pub(super) const REPORT_BROKEN: &str = "run the gate again; if this keeps happening, the platform's report of \
                             this job is broken";

pub(super) fn count(
    expected: ExpectedJob<'_>,
    field: &str,
    number: Option<i64>,
) -> Result<u64, Problem> {
    let what = match number.map(u64::try_from) {
        Some(Ok(number)) if number <= MOST_COUNTED => return Ok(number),
        Some(Ok(_)) => format!("has an implausible `{field}`"),
        Some(Err(_)) => format!("has a negative `{field}`"),
        None => format!("has no `{field}`"),
    };
    Err(expected.problem(Cause::Protocol, what))
}
