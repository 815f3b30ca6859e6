//! The evidence of an earlier run: since when each finding is known, and what changed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::compare::Recorded;
use super::{Usage, evaluate};
use crate::compare::{Comparison, Side};
use crate::config::Config;
use crate::evidence::{Evidence, Outcome};
use crate::finding::Fingerprint;
use crate::saved::{self, Fault};
use crate::sources::PreviousRun;
use crate::text;

pub(super) struct Previous {
    recorded: Recorded,
    first_seen: HashMap<Fingerprint, DateTime<Utc>>,
}

impl Previous {
    /// Reads it for a run of this configuration. The inner error: why it cannot be read.
    ///
    /// # Errors
    /// If it is of another environment, or of another platform.
    pub(super) fn read(path: &Path, config: &Config) -> Result<Result<Self, Fault>, Usage> {
        let mut saved = match saved::read_with_days(path) {
            Ok(saved) => saved,
            Err(fault) => return Ok(Err(fault)),
        };
        evaluate::check_same(config, &saved.decided, &saved.evidence, path)?;
        let parts = saved.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
        let findings = parts.flat_map(|part| part.findings.listed());
        let first_seen =
            findings.filter_map(|finding| Some((finding.fingerprint, finding.first_seen?)));
        let first_seen = first_seen.collect();
        saved.forget_unused_days();
        Ok(Ok(Self { recorded: Recorded::of(saved)?, first_seen }))
    }

    /// Gives each finding the time at which it was first seen: what is new was first seen now.
    pub(super) fn carry(&self, evidence: &mut Evidence, now: DateTime<Utc>) {
        let parts = evidence.outcomes.iter_mut().flat_map(|outcome| &mut outcome.parts);
        for finding in parts.flat_map(|part| part.findings.listed_mut()) {
            let earlier = self.first_seen.get(&finding.fingerprint);
            finding.first_seen = Some(earlier.copied().unwrap_or(now));
        }
    }

    /// What the run is to each of its sources.
    pub(super) fn sources(&self) -> BTreeMap<String, PreviousRun> {
        let Recorded { collected, decided, .. } = &self.recorded;
        let of =
            |outcome: &Outcome| PreviousRun::of(outcome, decided.now, decided.verdict.is_pass());
        let outcomes = collected.evidence.outcomes.iter();
        outcomes.map(|outcome| (outcome.source.clone(), of(outcome))).collect()
    }

    /// What changed since, on one line.
    pub(super) fn changes(&self, new: Side<'_>) -> String {
        let decision = self.recorded.decision();
        let comparison = Comparison::of(self.recorded.side(&decision), new);
        let when = self.recorded.decided.now.format("%Y-%m-%d %H:%M UTC");
        let was = self.recorded.decided.verdict;
        let sums = comparison.differences.iter().map(|difference| match difference.findings {
            Some(_) => difference.message.clone(),
            None => format!("{}: {}", difference.class.word(), difference.message),
        });
        let changes = match comparison.differences.is_empty() {
            true => "nothing changed".to_owned(),
            false => text::listed(sums, "; ", 4),
        };
        text::one_line(&format!("Since {when} ({was}): {changes}"), 400)
    }
}
