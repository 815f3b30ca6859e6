//! How far back a source asks what happened: a length of time, or since an earlier run.
//!
//! With a length of time, a change is forgotten when it leaves the window, whether or not a run saw
//! it. A window that begins where that of the last passed run ended has no gap.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::{Period, schema_of};
use crate::evidence::{Outcome, Window};
use crate::finding::{Cause, Problem};

/// The word for a window that begins where that of an earlier run ended.
const SINCE_PREVIOUS: &str = "since_previous";

/// The greatest age of an earlier run.
const OLDEST: TimeDelta = TimeDelta::days(30);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousRun {
    pub decided: DateTime<Utc>,
    pub passed: bool,
    /// The end of the window that its evidence covers completely, if it does.
    pub covered_until: Option<DateTime<Utc>>,
}

impl PreviousRun {
    /// The run that an outcome is of.
    pub fn of(outcome: &Outcome, decided: DateTime<Utc>, passed: bool) -> Self {
        let is_whole = outcome.problems.is_empty()
            && outcome.parts.iter().all(|part| part.problems.is_empty());
        let ends = outcome.parts.iter().map(|part| part.proof.window().map(|window| window.to));
        let covered_until = ends.min().flatten().filter(|_| is_whole);
        Self { decided, passed, covered_until }
    }
}

impl LookBack {
    /// The window up to a moment.
    ///
    /// # Errors
    /// If it begins where that of an earlier run ended, and there is none that can be relied on.
    pub(super) fn window(
        self,
        source: &str,
        previous: Option<PreviousRun>,
        to: DateTime<Utc>,
    ) -> Result<Window, Problem> {
        match self {
            Self::Last(span) => Ok(last(span, to)),
            Self::SincePrevious => since(previous, to).map_err(|why| {
                Problem::new(Cause::Incomplete, format!("{source}: {WHAT}: {why}")).help(BEGIN)
            }),
        }
    }

    /// The window up to a moment, or one that is good enough to see whether the platform answers.
    pub(super) fn trial(self, previous: Option<PreviousRun>, to: DateTime<Utc>) -> Window {
        match self {
            Self::Last(span) => last(span, to),
            Self::SincePrevious => since(previous, to).unwrap_or_else(|_| last(TRIAL, to)),
        }
    }
}

fn last(span: Duration, to: DateTime<Utc>) -> Window {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    Window { from: to.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH), to }
}

/// The window since an earlier run; else why it cannot be used.
fn since(previous: Option<PreviousRun>, to: DateTime<Utc>) -> Result<Window, String> {
    let Some(PreviousRun { decided, passed, covered_until }) = previous else {
        return Err("the run has no evidence of an earlier run that read this source".to_owned());
    };
    let day = decided.format("%Y-%m-%d %H:%M UTC");
    if !passed {
        return Err(format!("the earlier run ({day}) did not pass"));
    }
    let from = covered_until
        .ok_or_else(|| format!("the earlier run ({day}) has no complete window of this source"))?;
    match to - from {
        age if age > OLDEST => {
            Err(format!("the window of the earlier run ({day}) ended more than 30 days ago"))
        }
        age if age < TimeDelta::zero() => {
            Err(format!("the window of the earlier run ({day}) ends in the future"))
        }
        _ => Ok(Window { from, to }),
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

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + day * 24 * 3600, 0).unwrap()
    }

    #[test]
    fn a_window_begins_where_that_of_the_last_passed_run_ended() {
        let run = |passed, until: Option<i64>| {
            Some(PreviousRun { decided: day(0), passed, covered_until: until.map(day) })
        };
        for (previous, expected) in [
            (run(true, Some(0)), Ok(day(0))),
            (run(true, Some(-20)), Ok(day(-20))),
            (run(true, Some(-21)), Err("more than 30 days ago")),
            (run(true, Some(11)), Err("in the future")),
            (run(true, None), Err("no complete window")),
            (run(false, Some(0)), Err("did not pass")),
            (None, Err("no evidence of an earlier run")),
        ] {
            let window = LookBack::SincePrevious.window("bigpanda", previous, day(10));
            match expected {
                Ok(from) => assert_eq!(window, Ok(Window { from, to: day(10) })),
                Err(has) => {
                    let problem = window.unwrap_err();
                    assert_eq!(problem.cause, Cause::Incomplete);
                    assert!(problem.message.contains(has), "{}", problem.message);
                    assert!(problem.help.unwrap().contains("--previous"));
                    let trial = LookBack::SincePrevious.trial(previous, day(10));
                    assert_eq!(trial.from, day(9));
                }
            }
        }
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
