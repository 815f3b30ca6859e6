//! What the change of a verdict needs: each of evidence, policy and time is tried alone.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::Side;
use crate::artefact::Artefact;
use crate::evaluate;
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::verdict::Verdict;

/// What differs between two decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Axis {
    Evidence,
    Policy,
    Time,
}

impl Axis {
    const ALL: [Self; 3] = [Self::Evidence, Self::Policy, Self::Time];

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Evidence => "the evidence",
            Self::Policy => "the policy",
            Self::Time => "the time that passed",
        }
    }
}

/// What explains a changed verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Each of these would have changed it alone: more than one is an overlap.
    Alone(Vec<Axis>),
    /// Nothing would have changed it alone.
    Together,
}

impl Cause {
    /// A sentence.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Alone(axes) => match axes.as_slice() {
                [only] => format!("{} alone explains it", only.words()),
                several => {
                    let words: Vec<_> = several.iter().map(|axis| axis.words()).collect();
                    format!("the causes overlap: {} would each have done it", words.join(" and "))
                }
            },
            Self::Together => {
                "evidence, policy and time explain it only together: none would have done it alone"
                    .to_owned()
            }
        }
    }

    pub(crate) fn overlaps(&self) -> bool {
        match self {
            Self::Alone(axes) => axes.len() > 1,
            Self::Together => true,
        }
    }
}

/// Why the verdict changed, if it did.
pub(super) fn of(old: Side<'_>, new: Side<'_>) -> Option<Cause> {
    let verdict = new.decision.verdict;
    if old.decision.verdict == verdict {
        return None;
    }
    let alone = Axis::ALL.into_iter().filter(|axis| {
        let mut mixed = Mixed::of(old);
        match axis {
            Axis::Evidence => {
                (mixed.evidence, mixed.at_least) = (new.evidence, new.at_least);
                mixed.artefacts = new.artefacts;
            }
            Axis::Policy => {
                (mixed.policies, mixed.filters) = (new.policies().collect(), new.evidence);
            }
            Axis::Time => mixed.now = new.now,
        }
        mixed.verdict() == verdict
    });
    let alone: Vec<_> = alone.collect();
    Some(if alone.is_empty() { Cause::Together } else { Cause::Alone(alone) })
}

/// A decision that was never made: some of it is old, and some new.
struct Mixed<'a> {
    policies: Vec<&'a Policy>,
    /// Evidence with the filters that belong to the policies.
    filters: &'a Evidence,
    evidence: &'a Evidence,
    at_least: Option<Verdict>,
    artefacts: &'a [Artefact],
    now: DateTime<Utc>,
}

impl<'a> Mixed<'a> {
    fn of(side: Side<'a>) -> Self {
        Self {
            policies: side.policies().collect(),
            filters: side.evidence,
            evidence: side.evidence,
            at_least: side.at_least,
            artefacts: side.artefacts,
            now: side.now,
        }
    }

    fn verdict(&self) -> Verdict {
        let evidence = self.narrowed();
        let mut decision = evaluate::decide_all(&self.policies, &evidence, self.at_least, self.now);
        decision.require_evaluated(self.artefacts, &evidence);
        decision.verdict
    }

    /// The evidence as the policies would have asked for it.
    fn narrowed(&self) -> Cow<'a, Evidence> {
        let wanted = |name: &str| {
            let outcomes = &self.filters.outcomes;
            outcomes.iter().find(|outcome| outcome.source == name)
        };
        let fits = self.evidence.outcomes.iter().all(|outcome| {
            wanted(&outcome.source).is_none_or(|wanted| wanted.filters == outcome.filters)
        });
        if fits {
            return Cow::Borrowed(self.evidence);
        }
        let mut evidence = self.evidence.clone();
        for outcome in &mut evidence.outcomes {
            if let Some(wanted) = wanted(&outcome.source) {
                outcome.narrow(&wanted.filters, self.now);
            }
        }
        Cow::Owned(evidence)
    }
}
