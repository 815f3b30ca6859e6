//! The controls of a framework as rules, with their titles where those are known.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Account, Control, Rule, Severity, Subject};
use crate::sources::opencomply::controls::{Controls, Texts};

/// One rule per control, made once and shared by all its findings.
pub(super) struct Rules<'a> {
    framework: Arc<str>,
    controls: &'a Controls,
    made: RefCell<BTreeMap<String, Made>>,
}

type Made = (Arc<Rule>, Arc<[Control]>);

impl<'a> Rules<'a> {
    pub(super) fn new(framework: &str, controls: &'a Controls) -> Self {
        Self { framework: framework.into(), controls, made: RefCell::default() }
    }

    pub(super) fn subject(
        &self,
        control: &str,
        severity: Severity,
        resource_type: Option<Arc<str>>,
        account: Option<Arc<Account>>,
    ) -> Subject {
        let (rule, controls) = self.rule(control);
        Subject { severity, rule: Some(rule), controls, resource_type, account, region: None }
    }

    fn rule(&self, control: &str) -> Made {
        if let Some(made) = self.made.borrow().get(control) {
            return made.clone();
        }
        let id: Arc<str> = control.into();
        let Texts { title, help } = self.controls.texts(control);
        let control_of = Control { framework: Arc::clone(&self.framework), id: Arc::clone(&id) };
        let made: Made = (Arc::new(Rule { id, title, help }), Arc::from([control_of]));
        self.made.borrow_mut().insert(control.to_owned(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_made_once() {
        let controls = Controls::default();
        let rules = Rules::new("a", &controls);
        let first = rules.subject("c1", Severity::High, None, None);
        let second = rules.subject("c1", Severity::Low, None, None);
        let (Some(first), Some(second)) = (first.rule, second.rule) else { panic!("no rule") };
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.title, None);
    }
}
