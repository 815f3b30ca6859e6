//! The controls of a framework as rules, with their words where those could be had.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::api::{self, Halt, Step};
use super::assess::only_stop;
use super::wire::ControlWords;
use super::worker::Worker;
use crate::finding::{Account, Control, Rule, Severity, Subject};
use crate::stop::Reason;
use crate::text;

/// Characters of control ids in one request. The platform's front refuses long ones (fact sheet
/// §1.1).
const MOST_OF_A_URL: usize = 3000;

/// Controls that are asked for one by one, where the role does not allow to ask for all at once.
const MOST_SINGLE: usize = 20;

/// How long the platform may take for all words together, its retries included.
const PATIENCE: Duration = Duration::from_secs(8);

/// Characters of a remediation or description that are kept.
const MOST_HELP: usize = 1000;

/// What a control is called, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    title: Option<Arc<str>>,
    help: Option<Arc<str>>,
}

/// One rule a control, made once and shared by all its findings.
pub(super) struct Rules {
    framework: Arc<str>,
    words: BTreeMap<String, Words>,
    made: RefCell<BTreeMap<String, Made>>,
}

type Made = (Arc<Rule>, Arc<[Control]>);

impl Rules {
    pub fn new(framework: &str, words: BTreeMap<String, Words>) -> Self {
        Self { framework: framework.into(), words, made: RefCell::default() }
    }

    pub fn framework(&self) -> &str {
        &self.framework
    }

    pub fn subject(
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
        let Words { title, help } = self.words.get(control).cloned().unwrap_or_default();
        let control_of = Control { framework: Arc::clone(&self.framework), id: Arc::clone(&id) };
        let made: Made = (Arc::new(Rule { id, title, help }), Arc::from([control_of]));
        self.made.borrow_mut().insert(control.to_owned(), made.clone());
        made
    }
}

impl Worker<'_> {
    /// The words of the controls that failed. Without them the ids have to do.
    ///
    /// Nothing is decided by them: they may take some of the time that is left, never all of it.
    pub async fn words(&mut self, failing: &BTreeSet<String>) -> Step<BTreeMap<String, Words>> {
        let mut words = BTreeMap::new();
        let patience = PATIENCE.min(self.session.stop.remaining() / 2);
        let asked = tokio::time::timeout(patience, self.ask_for_words(failing, &mut words)).await;
        let refused = match asked {
            Ok(Err(Halt::Stopped(Reason::Deadline))) | Err(_) => {
                Some("the platform was too slow".to_owned())
            }
            Ok(refused) => refused?,
        };
        if let Some(why) = refused {
            self.part.notes.push(format!(
                "the titles of some controls could not be had ({why}); their ids are shown instead"
            ));
        }
        Ok(words)
    }

    /// The value: why not all could be had.
    async fn ask_for_words(
        &self,
        failing: &BTreeSet<String>,
        words: &mut BTreeMap<String, Words>,
    ) -> Step<Option<String>> {
        let is_admin =
            self.plan.me.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("admin"));
        if failing.is_empty() {
            Ok(None)
        } else if is_admin {
            self.words_at_once(failing, words).await
        } else if failing.len() <= MOST_SINGLE {
            self.words_one_by_one(failing, words).await
        } else {
            Ok(Some("too many for the role of the token".to_owned()))
        }
    }

    /// Asks for as many as fit into a URL.
    async fn words_at_once(
        &self,
        failing: &BTreeSet<String>,
        words: &mut BTreeMap<String, Words>,
    ) -> Step<Option<String>> {
        for ids in chunks(failing) {
            match api::controls(&self.session.http, &ids).await {
                Ok(controls) => words.extend(controls.into_iter().filter_map(named)),
                Err(error) => {
                    only_stop(&error)?;
                    return Ok(Some(error.to_string()));
                }
            }
        }
        Ok(None)
    }

    async fn words_one_by_one(
        &self,
        failing: &BTreeSet<String>,
        words: &mut BTreeMap<String, Words>,
    ) -> Step<Option<String>> {
        for id in failing {
            match api::control(&self.session.http, id).await {
                Ok(control) => words.extend(named(control)),
                Err(error) => {
                    only_stop(&error)?;
                    return Ok(Some(error.to_string()));
                }
            }
        }
        Ok(None)
    }
}

fn named(control: ControlWords) -> Option<(String, Words)> {
    let kept = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let title = kept(control.title).map(|title| text::shorten(title.trim(), 300).into());
    // What to do before what it is about.
    let help = [
        control.manual_remediation,
        control.cli_remediation,
        control.programmatic_remediation,
        control.guardrail_remediation,
        control.description,
    ];
    let help = help.into_iter().find_map(kept);
    let help = help.map(|help| text::shorten(help.trim(), MOST_HELP).into());
    Some((control.id?, Words { title, help }))
}

/// The ids in lists that fit into a URL.
fn chunks(ids: &BTreeSet<String>) -> Vec<Vec<&str>> {
    let mut chunks: Vec<Vec<&str>> = Vec::new();
    let mut room = 0;
    for id in ids {
        // A character may take three when escaped.
        let size = "control_id=&".len() + 3 * id.len();
        match chunks.last_mut().filter(|_| size <= room) {
            Some(chunk) => chunk.push(id),
            None => {
                chunks.push(vec![id]);
                room = MOST_OF_A_URL;
            }
        }
        room = room.saturating_sub(size);
    }
    chunks
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_remediation_is_told_before_a_description() {
        let help = |text: &str| {
            let control = serde_json::from_str(text).unwrap();
            named(control).and_then(|(_, words)| words.help).unwrap_or_default().to_string()
        };
        let both = r#"{"id":"c","description":"What it is about","cliRemediation":"Run this","#;
        assert_eq!(help(&format!(r#"{both}"manualRemediation":"Do this"}}"#)), "Do this");
        assert_eq!(help(&format!(r#"{both}"manualRemediation":" "}}"#)), "Run this");
        assert_eq!(help(r#"{"id":"c","description":"What it is about"}"#), "What it is about");
        assert_eq!(help(r#"{"id":"c","manualRemediation":null}"#), "");
    }

    #[test]
    fn requests_stay_short() {
        let ids: BTreeSet<_> = (0..500).map(|number| format!("aws_control_{number:04}")).collect();
        let chunks = chunks(&ids);
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), 500);
        for chunk in &chunks {
            let length: usize = chunk.iter().map(|id| "control_id=&".len() + id.len()).sum();
            assert!(length < 4000 && !chunk.is_empty());
        }
        let endless: BTreeSet<_> = ["x".repeat(9000), "y".to_owned()].into();
        assert_eq!(super::chunks(&endless).len(), 2);
    }

    #[test]
    fn a_rule_is_made_once() {
        let words = Words { title: Some("No public buckets".into()), help: None };
        let rules = Rules::new("a", [("c1".to_owned(), words)].into());
        let first = rules.subject("c1", Severity::High, None, None);
        let second = rules.subject("c1", Severity::Low, None, None);
        let (Some(first), Some(second)) = (first.rule, second.rule) else { panic!("no rule") };
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.title.as_deref(), Some("No public buckets"));
        assert_eq!(rules.subject("c2", Severity::High, None, None).rule.unwrap().title, None);
    }
}
