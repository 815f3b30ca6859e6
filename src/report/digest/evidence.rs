//! What was evaluated, when, and by which jobs.

use chrono::{DateTime, TimeDelta, Utc};

use super::severities;
use crate::evidence::{Job, Part, Unit, Window};
use crate::text;

/// A piece of evidence: what was evaluated, what failed, of when, and by which jobs.
pub(in crate::report) fn part(part: &Part, now: DateTime<Utc>) -> String {
    let framework =
        part.framework.as_ref().map_or_else(String::new, |framework| format!("{framework}: "));
    let evaluated = match part.proof.window() {
        Some(Window { from, to }) => format!("{} to {} covered", minute(from), minute(to)),
        None if part.proof.may_be_empty() => {
            format!("{} read", text::count(part.looked_at(), part.unit.word()))
        }
        None => format!("{} evaluated", text::count(part.looked_at(), Unit::Check.word())),
    };
    let verb = if part.unit == Unit::Check { "failed" } else { "found" };
    let failed = match severities(part.failed_by_severity()) {
        counts if counts.is_empty() && part.problems.is_empty() => format!("none {verb}"),
        counts if counts.is_empty() => "no usable results".to_owned(),
        counts => format!("{verb}: {counts}"),
    };
    let as_of = match (part.as_of, part.proof.window()) {
        (Some(time), None) => format!("; evidence of {}{}", minute(time), age(now - time)),
        (_, Some(_)) => String::new(),
        (None, None) => "; age not reported".to_owned(),
    };
    let jobs: String = part.jobs.iter().map(|job| format!("; {}", job_in_words(job))).collect();
    text::one_line(&format!("{framework}{evaluated}, {failed}{as_of}{jobs}"), 600)
}

/// How old evidence is, if it is old enough to say so: `, 9 days old`.
fn age(age: TimeDelta) -> String {
    let (count, unit) = match age {
        age if age < TimeDelta::hours(1) => return String::new(),
        age if age < TimeDelta::days(2) => (age.num_hours(), "hour"),
        age => (age.num_days(), "day"),
    };
    format!(", {} old", text::count(count.unsigned_abs(), unit))
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn job_in_words(job: &Job) -> String {
    format!("job {} {}", job.id, standing_of(job))
}

/// The platform's word for a job's state, if it was ever seen, and how we came to rely on it.
pub(in crate::report) fn standing_of(job: &Job) -> String {
    format!("{} ({})", job.state, job.role.word()).trim_start().to_owned()
}
