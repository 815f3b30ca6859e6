//! How far back a source asks what happened: a length of time, or since an earlier run.
//!
//! With a length of time, a change is forgotten when it leaves the window, whether or not a run saw
//! it. A window that begins where that of the last passed run ended has no gap.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::{Period, schema_of};
use crate::evidence::{Before, Outcome, Window};
use crate::finding::{Cause, Finding, Problem};
use crate::text;

/// The word for a window that begins where that of an earlier run ended.
const SINCE_PREVIOUS: &str = "since_previous";

/// The greatest age of an earlier run.
const OLDEST: TimeDelta = TimeDelta::days(30);

/// How much later than it happened an entry may appear on a platform
/// (docs/platforms/bigpanda.md#entries).
const LATEST: TimeDelta = TimeDelta::minutes(5);

/// More findings of before a window are not kept for the next run, which then looks back less far.
const MOST_KNOWN: usize = 10_000;

/// What a preflight asks for where the window of the run is not known: it only shows that the
/// platform answers.
const TRIAL: Duration = Duration::from_secs(24 * 3600);

/// Begins every refusal to use an earlier run.
const WHAT: &str = "`window: since_previous`";

const BEGIN: &str = "give the evidence of the last run that passed with `--previous`, and save that \
                     of each run with `--save-evidence`; to begin, run once with a length of time \
                     such as `window: 24h`";

/// How far back a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookBack {
    Last(Duration),
    /// Where the window of the evidence given with `--previous` ended.
    SincePrevious,
}

/// What an earlier run is to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousRun {
    pub decided: DateTime<Utc>,
    pub passed: bool,
    /// The window that its evidence covers completely, if it does.
    pub window: Option<Window>,
    /// What was found in the last minutes of the window, by it or by runs before it; `None` where it
    /// only counted.
    pub last: Option<Arc<Before>>,
}

impl PreviousRun {
    /// The run that an outcome is of.
    pub fn of(outcome: &Outcome, decided: DateTime<Utc>, passed: bool) -> Self {
        let is_whole = outcome.problems.is_empty()
            && outcome.parts.iter().all(|part| part.problems.is_empty());
        let windows: Option<Vec<_>> =
            outcome.parts.iter().map(|part| part.proof.window()).collect();
        let shared = |windows: Vec<Window>| {
            let from = windows.iter().map(|window| window.from).max()?;
            Some(Window { from, to: windows.iter().map(|window| window.to).min()? })
        };
        let window = windows.and_then(shared).filter(|_| is_whole);
        let listed = || outcome.parts.iter().flat_map(|part| part.findings.listed());
        let is_listed = outcome.parts.iter().all(|part| part.findings.why_incomplete().is_none());
        let last = window.filter(|_| is_listed).map(|window| {
            let is_last =
                |finding: &&Finding| finding.created_at.is_some_and(|at| at >= window.to - LATEST);
            let own = listed().filter(is_last).map(|finding| finding.fingerprint);
            let before = || outcome.parts.iter().filter_map(|part| part.before.as_ref());
            let from = before().map(|before| before.from).max().unwrap_or(window.from);
            let known = own.chain(before().flat_map(|before| before.known.iter().copied()));
            Arc::new(Before { from, known: known.collect() })
        });
        Self { decided, passed, window, last }
    }
}

/// What a source asks a platform for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What the evidence is of.
    pub(super) window: Window,
    /// Where the request begins: before the window, if an entry of before may have arrived late.
    pub(super) from: DateTime<Utc>,
}

impl Request {
    /// What is asked for.
    pub(super) const fn span(self) -> Window {
        Window { from: self.from, to: self.window.to }
    }

    /// Takes out what happened before the window and was found by an earlier run. What is left of
    /// before arrived late.
    pub(super) fn forget_known(
        self,
        source: &str,
        previous: Option<&PreviousRun>,
        findings: &mut Vec<Finding>,
    ) -> Late {
        let Some(last) = previous.and_then(|run| run.last.as_ref()) else { return Late::default() };
        let source = source.into();
        let is_before =
            |finding: &Finding| finding.created_at.is_some_and(|at| at < self.window.from);
        let mut known = BTreeSet::new();
        findings.retain_mut(|finding| {
            finding.identify(&source);
            // Both ends of a window belong to it, so what is on the border is in two.
            let may_be_known = finding.created_at.is_some_and(|at| at <= self.window.from);
            let is_known = may_be_known && last.known.contains(&finding.fingerprint);
            if is_known {
                known.insert(finding.fingerprint);
            }
            !is_known
        });
        let count = findings.iter().filter(|finding| is_before(finding)).count() as u64;
        let is_small = known.len() <= MOST_KNOWN && self.from < self.window.from;
        Late { count, known: is_small.then_some(Before { from: self.from, known }) }
    }
}

/// What was found of before a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Late {
    /// How many of it no earlier run had been shown.
    pub count: u64,
    /// The others.
    pub known: Option<Before>,
}

/// What a report says of entries that arrived late.
pub(super) fn late_note(late: u64, noun: &str) -> Option<String> {
    (late > 0).then(|| {
        format!(
            "{} from before the window counted: the earlier run had not been shown that",
            text::count(late, noun)
        )
    })
}

impl LookBack {
    /// What is asked for up to a moment.
    ///
    /// # Errors
    /// If the window begins where that of an earlier run ended, and there is none that can be relied
    /// on.
    pub(super) fn request(
        self,
        source: &str,
        previous: Option<&PreviousRun>,
        to: DateTime<Utc>,
    ) -> Result<Request, Problem> {
        match self {
            Self::Last(span) => Ok(last(span, to)),
            Self::SincePrevious => since(previous, to).map_err(|why| {
                Problem::new(Cause::Incomplete, format!("{source}: {WHAT}: {why}")).help(BEGIN)
            }),
        }
    }

    /// What is asked for up to a moment, or what is good enough to see whether the platform answers.
    pub(super) fn trial(self, previous: Option<&PreviousRun>, to: DateTime<Utc>) -> Request {
        match self {
            Self::Last(span) => last(span, to),
            Self::SincePrevious => since(previous, to).unwrap_or_else(|_| last(TRIAL, to)),
        }
    }
}

fn last(span: Duration, to: DateTime<Utc>) -> Request {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    let from = to.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH);
    Request { window: Window { from, to }, from }
}

/// What is asked for since an earlier run; else why it cannot be used.
fn since(previous: Option<&PreviousRun>, to: DateTime<Utc>) -> Result<Request, String> {
    let Some(PreviousRun { decided, passed, window, last }) = previous else {
        return Err("the run has no evidence of an earlier run that read this source".to_owned());
    };
    let day = decided.format("%Y-%m-%d %H:%M UTC");
    if !passed {
        return Err(format!("the earlier run ({day}) did not pass"));
    }
    let covered = window
        .ok_or_else(|| format!("the earlier run ({day}) has no complete window of this source"))?;
    match to - covered.to {
        age if age > OLDEST => {
            Err(format!("the window of the earlier run ({day}) ended more than 30 days ago"))
        }
        age if age < TimeDelta::zero() => {
            Err(format!("the window of the earlier run ({day}) ends in the future"))
        }
        _ => {
            // What earlier runs did not ask for is not asked for now either. Where it only counted, what
            // arrived late cannot be told from what it had counted.
            let late = |last: &Arc<Before>| (covered.to - LATEST).max(last.from).min(covered.to);
            let from = last.as_ref().map_or(covered.to, late);
            Ok(Request { window: Window { from: covered.to, to }, from })
        }
    }
}

/// As a policy writes it.
impl fmt::Display for LookBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(span) => humantime::format_duration(*span).fmt(f),
            Self::SincePrevious => f.write_str(SINCE_PREVIOUS),
        }
    }
}

impl<'de> Deserialize<'de> for LookBack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == SINCE_PREVIOUS {
            return Ok(Self::SincePrevious);
        }
        // Words are closer to the word than to a length of time.
        if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(de::Error::custom(format_args!(
                "`{text}` is not a window{}; write a length of time such as `24h`, or \
                 `{SINCE_PREVIOUS}`",
                crate::text::did_you_mean(&text, [SINCE_PREVIOUS])
            )));
        }
        Period::deserialize(de::value::StrDeserializer::new(&text))
            .map(|period| Self::Last(period.0))
    }
}

schema_of! {
    LookBack, "LookBack", |generator| {
        let period = generator.subschema_for::<Period>();
        schemars::json_schema!({"anyOf": [{"const": SINCE_PREVIOUS}, period]})
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fingerprint, Identity, Severity, Subject};

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + day * 24 * 3600, 0).unwrap()
    }

    fn run(passed: bool, window: Option<(i64, i64)>) -> PreviousRun {
        let window = window.map(|(from, to)| Window { from: day(from), to: day(to) });
        let last = window.map(|window| Arc::new(before(window.from, [])));
        PreviousRun { decided: day(0), passed, window, last }
    }

    fn before(from: DateTime<Utc>, known: impl IntoIterator<Item = Fingerprint>) -> Before {
        Before { from, known: known.into_iter().collect() }
    }

    #[test]
    fn a_window_begins_where_that_of_the_last_passed_run_ended() {
        let until = |passed, until: i64| Some(run(passed, Some((until - 1, until))));
        for (previous, expected) in [
            (until(true, 0), Ok(day(0))),
            (until(true, -20), Ok(day(-20))),
            (until(true, -21), Err("more than 30 days ago")),
            (until(true, 11), Err("in the future")),
            (Some(run(true, None)), Err("no complete window")),
            (until(false, 0), Err("did not pass")),
            (None, Err("no evidence of an earlier run")),
        ] {
            let previous = previous.as_ref();
            let request = LookBack::SincePrevious.request("bigpanda", previous, day(10));
            match expected {
                Ok(from) => {
                    let window = Window { from, to: day(10) };
                    assert_eq!(request, Ok(Request { window, from: from - LATEST }));
                }
                Err(has) => {
                    let problem = request.unwrap_err();
                    assert_eq!(problem.cause, Cause::Incomplete);
                    assert!(problem.message.contains(has), "{}", problem.message);
                    assert!(problem.help.unwrap().contains("--previous"));
                    let trial = LookBack::SincePrevious.trial(previous, day(10));
                    assert_eq!((trial.window.from, trial.from), (day(9), day(9)));
                }
            }
        }
    }

    #[test]
    fn what_is_asked_for_of_before_the_window_was_in_that_of_the_earlier_run() {
        let from = |previous: &PreviousRun| {
            LookBack::SincePrevious.request("bigpanda", Some(previous), day(10)).unwrap().from
        };
        // Two runs within a moment: the window before is shorter than what may be late.
        let window = Window { from: day(0) - TimeDelta::minutes(2), to: day(0) };
        let known = |from| Some(Arc::new(before(from, [])));
        let short =
            PreviousRun { window: Some(window), last: known(window.from), ..run(true, None) };
        assert_eq!(from(&short), window.from);
        // A run before it had looked at what was before that window.
        let earlier = PreviousRun { last: known(day(-1)), ..short };
        assert_eq!(from(&earlier), window.to - LATEST);
        // What was only counted cannot be recognised.
        assert_eq!(from(&PreviousRun { last: None, ..run(true, Some((-1, 0))) }), day(0));
    }

    #[test]
    fn of_before_the_window_only_what_the_earlier_run_did_not_have_is_left() {
        let finding = |name: &str, at: Option<DateTime<Utc>>| {
            let own = Fingerprint::of(&[name]);
            let mut finding = Finding::new(Subject::new(Severity::High), Identity::Event(own));
            finding.created_at = at;
            finding.identify(&"bigpanda".into());
            finding
        };
        let window = Window { from: day(0), to: day(1) };
        let just_before = Some(day(0) - TimeDelta::minutes(1));
        let mut findings = vec![
            finding("known", just_before),
            finding("on the border", Some(day(0))),
            finding("late", just_before),
            finding("inside", Some(day(0) + TimeDelta::seconds(1))),
            finding("undated", None),
        ];
        let known = findings.iter().take(2).chain(findings.iter().skip(3));
        let last = Arc::new(before(day(-1), known.map(|finding| finding.fingerprint)));
        let previous = PreviousRun { last: Some(last), ..run(true, Some((-1, 0))) };
        let request = Request { window, from: day(0) - LATEST };
        let expected = findings.split_off(2);
        let known = before(request.from, findings.iter().map(|finding| finding.fingerprint));
        let mut findings = [findings, expected.clone()].concat();
        let late = request.forget_known("bigpanda", Some(&previous), &mut findings);
        assert_eq!(late, Late { count: 1, known: Some(known) });
        assert_eq!(findings, expected);
        assert_eq!(request.forget_known("bigpanda", None, &mut findings), Late::default());
    }

    #[test]
    fn a_window_is_a_length_of_time_or_the_word() {
        let read = |text: &str| {
            LookBack::deserialize(serde_json::json!(text)).map_err(|error| error.to_string())
        };
        assert_eq!(read("24h"), Ok(LookBack::Last(Duration::from_secs(86_400))));
        assert_eq!(
            read("since_previous").map(|window| window.to_string()),
            Ok(SINCE_PREVIOUS.into())
        );
        assert!(read("since-previous").unwrap_err().contains("did you mean `since_previous`?"));
        assert!(read("0s").unwrap_err().contains("out of range"));
    }
}
