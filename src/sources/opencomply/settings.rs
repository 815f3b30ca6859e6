//! What a policy says under `sources.opencomply`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::SYSTEM;
use crate::sources::{Connection, Period, settings, written_as};

mod integrations;

pub(super) use integrations::{Entry, Integrations};

/// How often a job is looked at, if the policy does not say: each look costs the platform a
/// framework list, a lookup per integration and a search (docs/platforms/opencomply.md#timing).
const INTERVAL: Duration = Duration::from_secs(10);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

settings! {
    /// The settings of an OpenComply source.
    #[cfg_attr(test, schemars(rename = "OpenComply"))]
    pub struct Keys {
        /// Ids of the frameworks to evaluate.
        #[cfg_attr(test, schemars(length(min = 1)))]
        frameworks: Vec<String>,
        /// The integrations to evaluate, each by literal ids, or `all`.
        #[serde(default)]
        #[cfg_attr(test, schemars(required))]
        integrations: Option<Integrations>,
        /// Whether to start a run. Default: `{when: always}`.
        #[serde(default)]
        run: RunMode,
        /// How to wait for a run.
        #[serde(default)]
        poll: Poll,
        /// Which jobs that were started are cancelled when the gate has to stop. Default: `created`.
        #[serde(default)]
        cancel: Cancel,
    }
}

/// Validated settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    pub(super) connection: Connection,
    pub(super) frameworks: Vec<String>,
    pub(super) integrations: Integrations,
    pub(super) run: RunMode,
    pub(super) interval: Duration,
    pub(super) cancel: Cancel,
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let connection = keys.connection(&SYSTEM)?;
        check_frameworks(&keys.frameworks)?;
        let integrations = keys
            .integrations
            .ok_or("`integrations` is missing; list them, or write `all`".to_owned())?;
        let Keys { frameworks, run, poll: Poll(interval), cancel, .. } = keys;
        Ok(Self { connection, frameworks, integrations, run, interval, cancel })
    }
}

fn check_frameworks(frameworks: &[String]) -> Result<(), String> {
    if frameworks.is_empty() {
        return Err("`frameworks` is empty; name at least one framework id".to_owned());
    }
    let mut seen = BTreeSet::new();
    for framework in frameworks {
        if framework.trim().is_empty() {
            return Err("`frameworks` holds an empty id".to_owned());
        }
        if framework.contains('*') {
            return Err(format!(
                "`frameworks` holds `{framework}`; each framework to run is named by its whole id, \
                 without `*`"
            ));
        }
        if !seen.insert(framework) {
            return Err(format!("`frameworks` names `{framework}` twice"));
        }
    }
    Ok(())
}

/// Whether a run is started, or the result of an earlier one will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RunKeys")]
pub(crate) enum RunMode {
    /// Start a run, or join one that is under way.
    #[default]
    Always,
    /// Start a run unless one ended less than `max_age` ago.
    Stale { max_age: Duration },
    /// Never start a run; rely on the newest one.
    Never { max_age: Option<Duration> },
}

/// Whether to start a run.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RunKeys {
    when: When,
    /// How old the result of an earlier run may be. Needed for `stale`, possible for `never`.
    #[serde(default)]
    max_age: Option<Period>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum When {
    /// Start a run each time, or join one that is under way.
    Always,
    /// Start a run unless one ended less than `max_age` ago.
    Stale,
    /// Never start a run; rely on the newest one.
    Never,
}

impl TryFrom<RunKeys> for RunMode {
    type Error = String;

    fn try_from(keys: RunKeys) -> Result<Self, String> {
        match (keys.when, keys.max_age.map(|period| period.0)) {
            (When::Always, None) => Ok(Self::Always),
            (When::Always, Some(_)) => Err("`run.max_age` has no meaning with `when: always`; \
                                            write `when: stale`, or leave it out"
                .to_owned()),
            (When::Stale, Some(max_age)) => Ok(Self::Stale { max_age }),
            (When::Stale, None) => Err("`run: {when: stale}` needs a `max_age`, such as \
                                        `run: {when: stale, max_age: 2h}`"
                .to_owned()),
            (When::Never, max_age) => Ok(Self::Never { max_age }),
        }
    }
}

/// Which jobs that this gate started are cancelled when it has to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cancel {
    /// Only those that nothing works on yet. Others go on, and the next gate joins them.
    #[default]
    Created,
    /// All of them. On the platform this can hang a worker for ever.
    Always,
}

/// The longest interval between two looks at a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PollKeys")]
pub(crate) struct Poll(Duration);

impl Default for Poll {
    fn default() -> Self {
        Self(INTERVAL)
    }
}

/// How to wait for a run.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct PollKeys {
    /// The longest time between two looks at a job, an hour at most; it is shorter at first.
    /// Default: 10s.
    #[serde(default)]
    interval: Option<Period>,
}

impl TryFrom<PollKeys> for Poll {
    type Error = String;

    fn try_from(keys: PollKeys) -> Result<Self, String> {
        let interval = keys.interval.map_or(INTERVAL, |period| period.0);
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            return Err(format!(
                "`poll.interval: {}` is out of range; between 50ms and 1h, and 10s is what the \
                 platform is comfortable with",
                humantime::format_duration(interval)
            ));
        }
        Ok(Self(interval))
    }
}

written_as!(Settings => Keys, RunMode => RunKeys, Poll => PollKeys);

#[cfg(test)]
mod tests {

    use super::*;

    fn read(more: &str) -> Result<Settings, String> {
        let text = format!("url: https://compliance.example.com\n{more}");
        serde_yaml::from_str(&text).map_err(|error| error.to_string())
    }

    const LISTED: &str = "integrations: [{integration_type: aws_cloud_account, provider_id: \
                          \"122814690049\"}]\n";

    #[test]
    fn what_is_left_out_has_its_default() {
        let settings = read("frameworks: [baseline_security]\nintegrations: all").unwrap();
        assert_eq!(settings.integrations, Integrations::All);
        assert_eq!(settings.run, RunMode::Always);
        assert_eq!(settings.interval, Duration::from_secs(10));
    }

    #[test]
    fn an_integration_is_literal_text_even_if_it_looks_like_a_number() {
        let settings = read("frameworks: [a]\nintegrations: [{provider_id: 012281}]").unwrap();
        let entry = Entry { provider_id: Some("012281".to_owned()), ..Entry::default() };
        assert_eq!(settings.integrations, Integrations::Listed(vec![entry]));
    }

    #[test]
    fn the_run_modes_are_read() {
        let run = |run: &str| {
            read(&format!("frameworks: [a]\n{LISTED}run: {run}")).map(|settings| settings.run)
        };
        let two_hours = Duration::from_secs(7200);
        assert_eq!(
            run("{when: stale, max_age: 2h}").unwrap(),
            RunMode::Stale { max_age: two_hours }
        );
        assert_eq!(run("{when: never}").unwrap(), RunMode::Never { max_age: None });
        assert_eq!(
            run("{when: never, max_age: 2h}").unwrap(),
            RunMode::Never { max_age: Some(two_hours) }
        );
    }

    #[test]
    fn every_mistake_is_named() {
        let listed = |more: &str| format!("frameworks: [a]\n{LISTED}{more}");
        for (text, expected) in [
            ("frameworks: []\nintegrations: all".to_owned(), "`frameworks` is empty"),
            ("frameworks: [a, a]\nintegrations: all".to_owned(), "names `a` twice"),
            ("frameworks: [\"cis_*\"]\nintegrations: all".to_owned(), "without `*`"),
            ("frameworks: [\" \"]\nintegrations: all".to_owned(), "an empty id"),
            ("integrations: all".to_owned(), "frameworks"),
            ("frameworks: [a]".to_owned(), "`integrations` is missing; list them, or write `all`"),
            ("frameworks: [a]\nintegrations: []".to_owned(), "`integrations` is empty"),
            ("frameworks: [a]\nintegrations: every".to_owned(), "`every` is not `all`"),
            ("frameworks: [a]\nintegrations: [{}]".to_owned(), "an integration needs"),
            (
                "frameworks: [a]\nintegrations: [{integration_type: aws}]".to_owned(),
                "an integration needs",
            ),
            (
                "frameworks: [a]\nintegrations: [{name: \"\"}]".to_owned(),
                "`name` of an integration is empty",
            ),
            ("frameworks: [a]\nintegrations: [{names: a}]".to_owned(), "names"),
            (listed("run: {when: always, max_age: 2h}"), "no meaning"),
            (listed("run: {when: stale}"), "needs a `max_age`"),
            (listed("run: {when: sometimes}"), "sometimes"),
            (listed("run: {when: never, age: 2h}"), "age"),
            (listed("poll: {interval: 10ms}"), "out of range"),
            (listed("poll: {interval: 2h}"), "out of range"),
            (listed("poll: {every: 10s}"), "every"),
            (listed("polls: {}"), "polls"),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }

    #[test]
    fn an_error_names_its_line() {
        let error = read("frameworks: [a]\nintegrations:\n  - name: ok\n  - {nam: x}").unwrap_err();
        assert!(error.contains("line 5") || error.contains("5:"), "{error}");
    }
}
