//! Artefacts that are deployed must be those whose images were evaluated.

use std::collections::BTreeSet;

use super::{Decision, OfPolicy, Ruling, State};
use crate::artefact::Artefact;
use crate::evidence::{Evidence, Outcome};
use crate::finding::{Cause, Problem};
use crate::policy::Mode;
use crate::text;
use crate::verdict::Verdict;

impl Decision<'_> {
    /// Makes each gate that blocks and reads images inconclusive, unless these artefacts are all among
    /// the images that it evaluated. Other images may have been evaluated too.
    pub fn require_evaluated(&mut self, artefacts: &[Artefact], evidence: &Evidence) {
        let mut is_missing = false;
        for ruling in self.rulings.iter_mut().filter(|ruling| ruling.may_block()) {
            if let Some(missing) = missing(ruling, artefacts, evidence) {
                is_missing = true;
                ruling.problems.extend(missing.problem);
                // No acceptance is about artefacts that nothing evaluated.
                ruling.forgiven.clear();
                if ruling.state == State::Held {
                    ruling.state = State::Undecided;
                }
            }
        }
        if is_missing {
            self.judge_again();
        }
    }

    /// The verdicts after rulings became worse.
    fn judge_again(&mut self) {
        let mut worst: Option<(Verdict, Mode)> = None;
        for OfPolicy { policy, verdict } in &mut self.policies {
            let own = self
                .rulings
                .iter()
                .filter(|ruling| policy.gates.iter().any(|gate| std::ptr::eq(gate, ruling.gate)));
            *verdict = own.map(super::verdict_of).chain([*verdict]).max().unwrap_or(*verdict);
            let is_worse = worst.is_none_or(|(so_far, mode)| {
                super::rank(*verdict, policy.mode) > super::rank(so_far, mode)
            });
            if is_worse {
                worst = Some((*verdict, policy.mode));
            }
        }
        if let Some((verdict, mode)) = worst {
            (self.verdict, self.mode) = (verdict, mode);
        }
    }
}

/// Artefacts that were not evaluated.
struct Missing {
    /// `None` where a source says of each why it was not evaluated.
    problem: Option<Problem>,
}

/// The artefacts that a gate's images are not, if it reads images.
fn missing(ruling: &Ruling<'_>, artefacts: &[Artefact], evidence: &Evidence) -> Option<Missing> {
    let of_images = |outcome: &&Outcome| {
        ruling.gate.uses(&outcome.source) && outcome.filters.iter().any(|one| one.key == "images")
    };
    let sources: Vec<_> = evidence.outcomes.iter().filter(of_images).collect();
    let (first, parts) = (sources.first()?, sources.iter().flat_map(|outcome| &outcome.parts));
    let (mut evaluated, mut explained) = (BTreeSet::new(), BTreeSet::new());
    for part in parts {
        let is_evaluated = part.looked_at() > 0 || part.problems.is_empty();
        let images = if is_evaluated { &mut evaluated } else { &mut explained };
        images.extend(part.image.as_deref());
    }
    let missing = artefacts.iter().filter(|one| !evaluated.contains(one.sha256.as_str()));
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return None;
    }
    let unexplained = missing.iter().filter(|one| !explained.contains(one.sha256.as_str()));
    let names: Vec<_> = unexplained.map(|one| format!("{}@{}", one.name, one.digest())).collect();
    if names.is_empty() {
        return Some(Missing { problem: None });
    }
    let message = format!(
        "{}: not among the images that were evaluated: {}",
        first.source,
        text::one_line(&text::listed(&names, ", ", 3), 600)
    );
    let help = "evaluate what is deployed: `images: subjects` reads exactly the subjects of the run; \
                the digest must be that of the scanned image's own manifest, not of an index";
    Some(Missing { problem: Some(Problem::new(Cause::Incomplete, message).help(help)) })
}
