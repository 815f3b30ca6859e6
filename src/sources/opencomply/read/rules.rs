//! The controls of a framework as rules, with their titles where those are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Account, Control, Rule, Severity, Subject};
use crate::sources::opencomply::controls::{Controls, Texts};

/// One rule per control, made once and shared by all its findings.
#[derive(Clone)]
pub(super) struct Rules {
    framework: Arc<str>,
    controls: Arc<Controls>,
    made: BTreeMap<String, Made>,
}

type Made = (Arc<Rule>, Arc<[Control]>);

impl Rules {
    pub(super) fn new(framework: &str, controls: Controls) -> Self {
        Self { framework: framework.into(), controls: Arc::new(controls), made: BTreeMap::new() }
    }

    /// The id of a control, shared by all that have it.
    pub(super) fn id(&mut self, control: &str) -> Arc<str> {
        Arc::clone(&self.rule(control).0.id)
    }

    pub(super) fn subject(
        &mut self,
        control: &str,
        severity: Severity,
        resource_type: Option<Arc<str>>,
        account: Option<Arc<Account>>,
    ) -> Subject {
        let (rule, controls) = self.rule(control);
        Subject { severity, rule: Some(rule), controls, resource_type, account, region: None }
    }

    fn rule(&mut self, control: &str) -> Made {
        if let Some(made) = self.made.get(control) {
            return made.clone();
        }
        let id: Arc<str> = control.into();
        let Texts { title, help } = self.controls.texts(control);
        let control_of = Control { framework: Arc::clone(&self.framework), id: Arc::clone(&id) };
        let made: Made = (Arc::new(Rule { id, title, help }), Arc::from([control_of]));
        self.made.insert(control.to_owned(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_made_once() {
        let mut rules = Rules::new("a", Controls::default());
        let first = rules.subject("c1", Severity::High, None, None);
        let second = rules.subject("c1", Severity::Low, None, None);
        let (Some(first), Some(second)) = (first.rule, second.rule) else { panic!("no rule") };
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.title, None);
    }
}
