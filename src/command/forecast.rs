//! `compliance-gate forecast`: what turns red by itself, when, and whose it is.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::cli::ForecastArguments;
use crate::command::compare::Recorded;
use crate::command::{Context, Usage, evaluate, print, write_whole};
use crate::forecast::{self, Change, Forecast, VerdictOn};
use crate::pipeline::Collected;
use crate::text;
use crate::verdict::Verdict;

const SCHEMA: &str = "urn:compliance-gate:forecast:1";

pub(super) fn forecast(arguments: &ForecastArguments, context: &Context) -> Result<u8, Usage> {
    let recorded = match evaluate::load(&arguments.evidence, context) {
        Ok(saved) => Recorded::of(saved)?,
        Err(code) => return Ok(code),
    };
    let now = Utc::now();
    let until = day(&arguments.until, now)?;
    let policies: Vec<_> = recorded.config.policies().collect();
    let Collected { evidence, artefacts, .. } = &recorded.collected;
    let forecast = forecast::forecast(&policies, evidence, artefacts, now, until);
    if let Some(path) = &arguments.json {
        write_whole(path, &json(&forecast, &recorded, now, until))?;
    }
    if arguments.json.as_deref() != Some(Path::new("-")) {
        print(&plain(&forecast, &recorded, until))?;
    }
    Ok(Verdict::Passed.exit_code())
}

/// The last day that is looked at: after a time such as `30d`, or a date.
fn day(text: &str, now: DateTime<Utc>) -> Result<NaiveDate, String> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date);
    }
    let period = humantime::parse_duration(text).ok().and_then(|p| TimeDelta::from_std(p).ok());
    period
        .and_then(|period| now.checked_add_signed(period))
        .map(|until| until.date_naive())
        .ok_or_else(|| format!("`--until {text}`: write a time such as `30d`, or a date"))
}

fn plain(forecast: &Forecast, recorded: &Recorded, until: NaiveDate) -> String {
    let environment = recorded.decided.environment.as_deref();
    let environment =
        environment.map_or_else(String::new, |name| format!(" in {}", text::one_line(name, 80)));
    let mut out =
        format!("Forecast until {until}{environment}, if nothing in the estate changes\n\n");
    if forecast.events.is_empty() {
        out.push_str("Nothing turns red by itself.\n");
    }
    for event in &forecast.events {
        let Change { date, owner, message, gates, .. } = event;
        let owner = owner.as_deref().unwrap_or("(no owner)");
        let gates = match gates.as_slice() {
            [] => String::new(),
            gates => format!(" [{}]", text::listed(gates, ", ", 5)),
        };
        out.push_str(&text::one_line(&format!("{date}  {owner}: {message}{gates}"), 400));
        out.push('\n');
    }
    for VerdictOn { date, verdict } in &forecast.verdicts {
        out.push_str(&format!("\nThe verdict on {date}: {verdict}"));
    }
    if !forecast.verdicts.is_empty() {
        out.push('\n');
    }
    out
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ForecastDocument<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: u32,
    from: DateTime<Utc>,
    until: NaiveDate,
    environment: Option<&'a str>,
    evidence_sha256: &'a str,
    verdict: Verdict,
    events: &'a [Change],
    /// The verdict on each day on which something changes.
    verdicts: &'a [VerdictOn],
}

fn json(forecast: &Forecast, recorded: &Recorded, from: DateTime<Utc>, until: NaiveDate) -> String {
    let document = ForecastDocument {
        schema: SCHEMA,
        version: 1,
        from,
        until,
        environment: recorded.decided.environment.as_deref(),
        evidence_sha256: &recorded.sha256,
        verdict: recorded.decided.verdict,
        events: &forecast.events,
        verdicts: &forecast.verdicts,
    };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_document() {
        let title = "compliance-gate forecast";
        text::published::check_written::<ForecastDocument<'_>>(
            "forecast.schema.json",
            SCHEMA,
            title,
        );
    }
}
