//! What the platform says of controls: titles, remediation, and the policy that evaluates each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::api::{self, Step};
use super::framework::Task;
use super::journal::{FOR_PROOF, Journal, patiently};
use super::wire::{ControlItem, Me};
use crate::finding::Severity;
use crate::http::{Http, HttpError};
use crate::text;

/// Characters of control ids in one request. The platform's front refuses URLs of more than 8,000
/// (docs/platforms/opencomply.md#routing).
const MOST_OF_A_URL: usize = 6000;

/// Controls whose titles are asked for one by one, where the role does not allow to ask for all at
/// once.
const MOST_SINGLE: usize = 20;

/// Single requests side by side.
const AT_ONCE: usize = 4;

/// How long the platform may take for all titles together, its retries included.
const PATIENCE: Duration = Duration::from_secs(8);

/// Characters of a remediation or description that are kept.
const MOST_HELP: usize = 1000;

/// What is known of controls, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Controls(BTreeMap<String, KnownControl>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownControl {
    texts: Texts,
    severity: Severity,
    /// `None` where the platform does not say.
    policy: Option<ControlPolicy>,
}

/// What a control is called, and how to fix it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    pub title: Option<Arc<str>>,
    pub help: Option<Arc<str>>,
}

/// What evaluates a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ControlPolicy {
    /// Nothing: it is manual.
    None,
    Of {
        /// `None` where the platform does not name it.
        id: Option<String>,
        /// The integration types that it is for; empty means all.
        types: BTreeSet<String>,
    },
}

impl ControlPolicy {
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Of { id, .. } => id.as_deref(),
        }
    }

    /// Whether it evaluates integrations of any of these types.
    pub(super) fn applies_to(&self, wanted: &BTreeSet<&str>) -> bool {
        match self {
            Self::None => false,
            Self::Of { types, .. } => {
                types.is_empty() || types.iter().any(|kind| wanted.contains(&**kind))
            }
        }
    }
}

impl Controls {
    pub(super) fn texts(&self, id: &str) -> Texts {
        self.0.get(id).map(|known| known.texts.clone()).unwrap_or_default()
    }

    pub(super) fn severity(&self, id: &str) -> Severity {
        self.0.get(id).map_or(Severity::Unknown, |known| known.severity)
    }

    /// What evaluates a control; `None` where that is not known.
    pub(super) fn policy(&self, id: &str) -> Option<&ControlPolicy> {
        self.0.get(id)?.policy.as_ref()
    }

    /// Whether nothing evaluates a control.
    pub(super) fn is_manual(&self, id: &str) -> bool {
        self.policy(id) == Some(&ControlPolicy::None)
    }

    /// Asks for what is not known of these controls yet. What cannot be had stays unknown.
    pub(super) async fn learn(
        &mut self,
        task: &Task<'_>,
        journal: &mut Journal,
        ids: &BTreeSet<String>,
    ) -> Step<()> {
        let unknown: BTreeSet<_> = ids.iter().filter(|id| !self.0.contains_key(*id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let ask = async || ask(&task.session.http, task.me, &unknown).await;
        if let Ok(items) = patiently(task, journal, FOR_PROOF, ask).await? {
            self.add(items);
        }
        Ok(())
    }

    /// Asks for the titles of these controls. Nothing is decided by them: they may take some of the
    /// time that is left, never all of it.
    ///
    /// The value: why they are not all known, if so.
    pub(super) async fn learn_titles(
        &mut self,
        task: &Task<'_>,
        ids: &BTreeSet<String>,
    ) -> Option<String> {
        let unknown: BTreeSet<_> = ids.iter().filter(|id| !self.0.contains_key(*id)).collect();
        if unknown.is_empty() {
            return None;
        }
        if !is_admin(task.me) && unknown.len() > MOST_SINGLE {
            return Some("too many for the role of the token".to_owned());
        }
        let patience = PATIENCE.min(task.session.stop.remaining() / 2);
        let asked = ask(&task.session.http, task.me, &unknown);
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(items)) => {
                self.add(items);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the platform was too slow".to_owned()),
        }
    }

    /// What the platform says of these controls.
    ///
    /// # Errors
    /// If it does not answer, or not as promised.
    pub(super) async fn known(
        http: &Http,
        me: &Me,
        ids: &BTreeSet<String>,
    ) -> Result<Self, HttpError> {
        let mut controls = Self::default();
        controls.add(ask(http, me, &ids.iter().collect()).await?);
        Ok(controls)
    }

    #[cfg(test)]
    pub(super) fn of(items: &str) -> Self {
        let mut controls = Self::default();
        controls.add(serde_json::from_str(items).unwrap());
        controls
    }

    fn add(&mut self, items: Vec<ControlItem>) {
        self.0.extend(items.into_iter().filter_map(known));
    }
}

fn is_admin(me: &Me) -> bool {
    me.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("admin"))
}

/// What the platform says of these controls: many in one request for an admin, else one each.
async fn ask(http: &Http, me: &Me, ids: &BTreeSet<&String>) -> Result<Vec<ControlItem>, HttpError> {
    if is_admin(me) {
        let mut items = Vec::new();
        for ids in chunks(ids) {
            items.extend(api::controls(http, &ids).await?);
        }
        return Ok(items);
    }
    let asked = ids.iter().map(|id| api::control(http, id));
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}

fn known(item: ControlItem) -> Option<(String, KnownControl)> {
    let kept = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let title = kept(item.title).map(|title| text::shorten(title.trim(), 300).into());
    // What to do before what it is about.
    let help = [
        item.manual_remediation,
        item.cli_remediation,
        item.programmatic_remediation,
        item.guardrail_remediation,
        item.description,
    ];
    let help = help.into_iter().find_map(kept);
    let help = help.map(|help| text::shorten(help.trim(), MOST_HELP).into());
    let types = item.integration_type;
    let policy = item.policy.map(|policy| match policy {
        None => ControlPolicy::None,
        Some(policy) => ControlPolicy::Of {
            id: policy.id.filter(|id| !id.is_empty()),
            types: {
                let types = policy.integration_type.or(types).into_iter().flatten();
                types.filter(|kind| !kind.is_empty()).collect()
            },
        },
    });
    let severity = Severity::from_platform(item.severity.as_deref().unwrap_or_default());
    Some((item.id?, KnownControl { texts: Texts { title, help }, severity, policy }))
}

/// The ids in lists that fit into a URL.
fn chunks<'a>(ids: &BTreeSet<&'a String>) -> Vec<Vec<&'a str>> {
    let mut chunks: Vec<Vec<&str>> = Vec::new();
    let mut left = 0;
    for id in ids {
        // A character may take three when escaped.
        let size = "control_id=&".len() + 3 * id.len();
        match chunks.last_mut().filter(|_| size <= left) {
            Some(chunk) => chunk.push(id),
            None => {
                chunks.push(vec![id]);
                left = MOST_OF_A_URL;
            }
        }
        left = left.saturating_sub(size);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> KnownControl {
        known(serde_json::from_str(text).unwrap()).unwrap().1
    }

    #[test]
    fn a_remediation_is_preferred_to_a_description() {
        let help = |text: &str| of(text).texts.help.unwrap_or_default().to_string();
        let both = r#"{"id":"c","policy":null,"description":"What it is about","cliRemediation":"Run this","#;
        assert_eq!(help(&format!(r#"{both}"manualRemediation":"Do this"}}"#)), "Do this");
        assert_eq!(help(&format!(r#"{both}"manualRemediation":" "}}"#)), "Run this");
        assert_eq!(
            help(r#"{"id":"c","policy":null,"description":"What it is about"}"#),
            "What it is about"
        );
    }

    #[test]
    fn only_a_null_policy_makes_a_control_manual() {
        let policy = |text: &str| of(text).policy.unwrap();
        assert_eq!(policy(r#"{"id":"c","policy":null}"#), ControlPolicy::None);
        assert!(policy(r#"{"id":"c","policy":{}}"#).applies_to(&["azure"].into()));
        assert_eq!(of(r#"{"id":"c"}"#).policy, None);
        let policy = policy(r#"{"id":"c","policy":{"id":"p"},"integration_type":["aws"]}"#);
        assert_eq!(policy.id(), Some("p"));
        assert!(policy.applies_to(&["aws"].into()) && !policy.applies_to(&["azure"].into()));
    }

    #[test]
    fn requests_stay_short() {
        let ids: BTreeSet<_> = (0..500).map(|number| format!("aws_control_{number:04}")).collect();
        let chunks = chunks(&ids.iter().collect());
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), 500);
        for chunk in &chunks {
            let length: usize = chunk.iter().map(|id| "control_id=&".len() + id.len()).sum();
            assert!(length < 7000 && !chunk.is_empty());
        }
        let endless: BTreeSet<_> = ["x".repeat(9000), "y".to_owned()].into();
        assert_eq!(super::chunks(&endless.iter().collect()).len(), 2);
    }
}
