//! What the platform's totals prove (docs/platforms/bigid.md#totals): that a filter by status works,
//! and that no open case is missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::api::{self, Filter, FirstPage};
use super::case::Case;
use super::settings::Settings;
use super::walk::Scope;
use super::wire::Scalar;
use super::words;
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, Http};
use crate::json::MOST_COUNTED;
use crate::text;

/// Smaller sets are read as a whole: two more requests would save little.
const FILTER_FROM: u64 = 1_000;

/// Whether only the unresolved cases need to be read. The filter is used if the numbers of
/// unresolved and of resolved cases add up to all of them: then the platform understands it, and no
/// case has an undocumented status, which would count as open.
pub(super) async fn scope(settings: &Settings, http: &Http, all: FirstPage) -> (Scope, FirstPage) {
    let whole = (Scope::All, all);
    let Some(total) = all.total.filter(|total| *total >= FILTER_FROM) else { return whole };
    let look = async |resolved| {
        api::look(settings, http, Filter::Resolved(resolved)).await.ok().filter(|look| {
            // A number without a case, or the reverse, is not a number of these cases.
            look.total.is_some_and(|total| (total > 0) == look.is_any)
        })
    };
    let Some(unresolved) = look(false).await else { return whole };
    let Some(others) = look(true).await.and_then(|resolved| resolved.total) else { return whole };
    match unresolved.total.map(|number| number + others) {
        Some(sum) if sum == total => (Scope::Unresolved { others }, unresolved),
        _ => whole,
    }
}

/// The numbers of open cases by severity, or why they are not known: the platform does not offer them,
/// or in another shape.
///
/// # Errors
/// If the platform cannot be asked.
pub(super) async fn open_by_severity(
    http: &Http,
) -> Result<Result<BTreeMap<Severity, u64>, String>, Problem> {
    let call =
        http.get("actionable-insights/cases-by-severity", &[]).parameter("caseStatus", "open");
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(error) => {
            return match error.failure {
                Failure::Stopped(_) => Err(error.problem()),
                _ => Ok(Err(error.problem().message)),
            };
        }
    };
    let rows = match answer.json::<SeverityTotals>() {
        Ok(SeverityTotals::Rows(rows) | SeverityTotals::Enveloped { data: rows }) => rows,
        Err(_) => return Ok(Err("its answer is not a list of numbers by severity".to_owned())),
    };
    let mut numbers: BTreeMap<Severity, u64> = BTreeMap::new();
    for row in rows {
        let severity = row.severity_level.word().map_or(Severity::Unknown, words::severity);
        let number = row.value.word().and_then(|number| number.parse::<u64>().ok());
        let Some(number) = number.filter(|number| *number <= MOST_COUNTED) else {
            let what = "a `value` of its answer is not a number of cases";
            return Ok(Err(what.to_owned()));
        };
        *numbers.entry(severity).or_default() += number;
    }
    Ok(Ok(numbers))
}

/// The answer of `cases-by-severity`: a list, or a list in the usual envelope.
#[derive(Deserialize)]
#[serde(untagged)]
enum SeverityTotals {
    Rows(Vec<SeverityRow>),
    Enveloped { data: Vec<SeverityRow> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeverityRow {
    value: Scalar,
    severity_level: Scalar,
}

/// A problem if the platform counts more open cases of a severity than arrived. Fewer are no
/// problem: nothing is missing then.
pub(super) fn missing(
    source: &str,
    counted: &BTreeMap<Severity, u64>,
    cases: &[Case],
) -> Option<Problem> {
    let open: Vec<_> = cases.iter().filter(|case| case.open).map(|case| case.severity).collect();
    more_than(counted, &open).map(|differences| {
        let what = format!(
            "{source}: cases-by-severity counts more open cases than all-cases has: {differences}"
        );
        Problem::new(Cause::Contradictory, what).help(
            "run the gate again while no scan is running; if this persists, check in BigID whether \
             the token may see all cases",
        )
    })
}

/// Where more are counted than arrived, of one severity or together.
fn more_than(counted: &BTreeMap<Severity, u64>, open: &[Severity]) -> Option<String> {
    let short = |(severity, number): (&Severity, &u64)| {
        // A case of unknown severity may be counted under any word, and the reverse.
        let matches =
            |one: &&Severity| [**one, *severity].contains(&Severity::Unknown) || *one == severity;
        let arrived = open.iter().filter(matches).count() as u64;
        (*number > arrived).then(|| {
            format!("{number} of severity {severity} where {} arrived", text::thousands(arrived))
        })
    };
    let mut differences: Vec<_> = counted.iter().rev().filter_map(short).collect();
    let (all, arrived) = (counted.values().sum::<u64>(), open.len() as u64);
    if differences.is_empty() && all > arrived {
        differences.push(format!(
            "{} where {} arrived",
            text::thousands(all),
            text::thousands(arrived)
        ));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_that_is_counted_is_noticed_whatever_its_severity_is_called() {
        use Severity::{High, Low, Unknown};
        let counted = |numbers: &[(Severity, u64)]| numbers.iter().copied().collect();
        for (numbers, open, expected) in [
            (&[(High, 1)][..], &[High][..], None),
            (&[(High, 1)], &[High, Low], None),
            (&[(High, 2)], &[High, Low], Some("2 of severity high where 1 arrived")),
            // An undocumented word, here or there, may be any.
            (&[(High, 1), (Unknown, 1)], &[High, Low], None),
            (&[(High, 1), (Unknown, 1)], &[High, Unknown], None),
            (&[(High, 1), (Unknown, 1)], &[High], Some("2 where 1 arrived")),
        ] {
            let found = more_than(&counted(numbers), open);
            assert_eq!(found.as_deref(), expected, "{numbers:?} {open:?}");
        }
    }
}
