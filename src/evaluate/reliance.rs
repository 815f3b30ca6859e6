//! Whether a gate can rely on a piece of evidence.

use chrono::{DateTime, Utc};

use super::unevaluated;
use crate::evidence::{MOST_AHEAD, Part};
use crate::finding::{Cause, Problem};
use crate::policy::{Demands, Gate};
use crate::text;

/// Why a gate cannot rely on a part, if it cannot.
pub(super) fn shortcomings(
    name: &str,
    part: &Part,
    renew: Option<&str>,
    gate: &Gate,
    demands: &Demands,
    now: DateTime<Utc>,
) -> Vec<Problem> {
    let nothing_allowed = demands.min_evaluated == 0 || gate.allows_nothing();
    let counts = |problem: &Problem| !(problem.cause == Cause::Empty && nothing_allowed);
    let mut problems: Vec<_> =
        part.problems.iter().filter(|problem| counts(problem)).cloned().collect();
    let too_few = !part.proof.may_be_empty() && part.looked_at() < demands.min_evaluated;
    if problems.is_empty() && too_few && !nothing_allowed {
        problems.push(
            Problem::new(
                Cause::Empty,
                format!(
                    "{name}: {} evaluated where evidence.min_evaluated is {}",
                    text::count(part.looked_at(), part.unit.word()),
                    text::thousands(demands.min_evaluated)
                ),
            )
            .help("check that the scope is right and that the platform has discovered resources"),
        );
    }
    problems.extend(unevaluated::problems(name, part, gate).filter(counts));
    if let Some(max_age) = demands.max_age.filter(|_| part.problems.is_empty()) {
        problems.extend(staleness(name, part.aged_from(), max_age, renew, now));
    }
    problems
}

fn staleness(
    name: &str,
    as_of: Option<DateTime<Utc>>,
    max_age: std::time::Duration,
    renew: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Problem> {
    let limit = humantime::format_duration(max_age);
    let Some(as_of) = as_of else {
        return Some(Problem::new(
            Cause::Stale,
            format!("{name}: the platform did not report when it evaluated; max_age is {limit}"),
        ));
    };
    if as_of - now > MOST_AHEAD {
        let message = format!("{name}: the evidence is dated in the future ({as_of})");
        return Some(Problem::new(Cause::Stale, message).help("check the clocks of both sides"));
    }
    // A little ahead is as fresh as can be.
    let age = (now - as_of).to_std().unwrap_or_default();
    (age > max_age).then(|| {
        let age = humantime::format_duration(std::time::Duration::from_secs(age.as_secs()));
        Problem::new(Cause::Stale, format!("{name}: the evidence is {age} old; max_age is {limit}"))
            .help(match renew {
                Some(renew) => format!("{renew}, or raise max_age"),
                None => "raise max_age".to_owned(),
            })
    })
}
