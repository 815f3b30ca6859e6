//! What an organisation's policy takes of a repository's acceptances.

use std::collections::BTreeMap;

use super::{ORGANISATION, Policy};
use crate::acceptance::{Acceptance, Forgives, Terms};
use crate::text;

impl Policy {
    /// Adds the acceptances of the repository that the organisation takes, and names the others at the
    /// gates that they would be for. `names`: what its sources are called in reports.
    pub fn take(&mut self, repository: &Self, terms: &Terms, names: &BTreeMap<String, String>) {
        let mut refused: Vec<(&Acceptance, String)> = Vec::new();
        for entry in &repository.accept {
            let is_named = entry.gates.iter().any(|gate| gate.starts_with(ORGANISATION));
            let is_for_all = entry.gates.is_empty() && entry.forgives.is_of_findings();
            if !is_named && !is_for_all {
                continue;
            }
            match terms.failed_by(entry) {
                None => {
                    let mut entry = entry.clone();
                    if let Forgives::Match(matching) = &mut entry.forgives {
                        rename(&mut matching.sources, names);
                    }
                    self.accept.push(entry);
                }
                Some(why) if is_named || !terms.is_none() => refused.push((entry, why)),
                Some(_) => {}
            }
        }
        let most = terms.matching.as_ref().and_then(|terms| terms.max_findings);
        self.most_by_taken = most.unwrap_or_default();
        self.name_refused(&refused);
    }

    fn name_refused(&mut self, refused: &[(&Acceptance, String)]) {
        for gate in &mut self.gates {
            let own = refused.iter().filter(|(entry, _)| entry.is_for(&gate.id));
            let own: Vec<_> =
                own.map(|(entry, why)| format!("`{}` ({why})", entry.grounds.id)).collect();
            if !own.is_empty() {
                gate.notes.push(format!(
                    "acceptances of the repository that do not apply: {}",
                    text::listed(own.iter(), ", ", 5)
                ));
            }
        }
    }
}

/// Gives sources the names that reports show.
pub fn rename(sources: &mut [String], names: &BTreeMap<String, String>) {
    for source in sources {
        if let Some(name) = names.get(source) {
            source.clone_from(name);
        }
    }
}
