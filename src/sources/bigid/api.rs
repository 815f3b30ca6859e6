//! One page of `GET /actionable-insights/all-cases` (docs/platforms/bigid.md#listing-cases).

use serde_json::{Value, json};

use super::settings::{Encoding, Settings};
use super::wire::{Data, Envelope, FIELDS, Page};
use super::words;
use crate::http::{Answer, Call, Failure, Http, HttpError};
use crate::text;

const CASES: &str = "actionable-insights/all-cases";

/// Which cases, and which of their fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    /// The number of cases before the page.
    pub from: u64,
    /// The maximum number of cases in the page.
    pub limit: u64,
    /// The fields to request; `None` requests whole cases.
    pub fields: Option<&'a [&'a str]>,
    pub filter: Filter<'a>,
}

/// The cases to request. A platform that does not understand a filter may ignore it, or match
/// nothing: the caller must check the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter<'a> {
    None,
    /// The case with this id.
    Id(&'a str),
    /// Cases with a documented status that is finished, or not.
    Resolved(bool),
}

impl Filter<'_> {
    /// The value of the parameter `filter`.
    fn parameter(self, encoding: Encoding) -> Option<String> {
        let json = |field: &str, value: Value, operator: &str| {
            json!([{"field": field, "value": value, "operator": operator}]).to_string()
        };
        let text = match (self, encoding) {
            (Self::None, _) => return None,
            (Self::Id(id), Encoding::Json) => json("_id", id.into(), "equal"),
            (Self::Id(id), Encoding::Csv) => format!("_id = \"{id}\""),
            (Self::Resolved(resolved), Encoding::Json) => {
                json("caseStatus", words::statuses(resolved).collect(), "in")
            }
            (Self::Resolved(resolved), Encoding::Csv) => {
                let quoted = words::statuses(resolved).map(|word| format!("\"{word}\""));
                format!("caseStatus IN ({})", quoted.collect::<Vec<_>>().join(", "))
            }
        };
        Some(text)
    }
}

impl Query<'_> {
    fn call<'a>(&self, settings: &Settings, http: &'a Http) -> Call<'a> {
        let encoding = settings.encoding;
        let mut call = http
            .get(CASES, &[])
            .parameter(settings.paging.parameter(), &self.from.to_string())
            .parameter("limit", &self.limit.to_string())
            .parameter("requireTotalCount", "true")
            // A stable order, so that a set that changes moves as few cases as possible between pages.
            .parameter(
                "sort",
                &match encoding.sort {
                    Encoding::Json => json!([{"field": "_id", "desc": false}]).to_string(),
                    Encoding::Csv => "_id ASC".to_owned(),
                },
            );
        if let Some(fields) = self.fields {
            call = call.parameter(
                "fields",
                &match encoding.fields {
                    Encoding::Json => json!(fields).to_string(),
                    Encoding::Csv => fields.join(","),
                },
            );
        }
        if let Some(filter) = self.filter.parameter(encoding.filter) {
            call = call.parameter("filter", &filter);
        }
        call
    }
}

/// Requests a page.
///
/// # Errors
/// If it does not arrive, reports a failure, or is not a page of cases.
pub(super) async fn page(
    settings: &Settings,
    http: &Http,
    query: Query<'_>,
) -> Result<Page, HttpError> {
    let mut renewed = false;
    loop {
        let answer = query.call(settings, http).send().await?;
        match understood(&answer) {
            Ok(()) => return answer.json(),
            // BigID reports an expired token with status 200 too
            // (docs/platforms/bigid.md#errors-and-limits).
            Err(error) if matches!(error.failure, Failure::Denied(_)) && !renewed => {
                renewed = true;
                if !http.forget_lease() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Checks that an answer with status 200 does not report a failure
/// (docs/platforms/bigid.md#errors-and-limits).
///
/// # Errors
/// If it is not a JSON object, or reports a failure.
pub(super) fn understood(answer: &Answer) -> Result<(), HttpError> {
    let envelope: Envelope<'_> = answer.json()?;
    envelope.refusal().map_or(Ok(()), |refusal| {
        let reason = text::one_line(&refusal.reason, 200);
        let failure = match refusal.denied {
            true => Failure::Denied(format!("200 with {reason}")),
            false => Failure::Protocol(format!("it answered 200 with {reason}")),
        };
        Err(answer.failed(failure))
    })
}

/// The first look at a list of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstPage {
    /// The number of cases, where the platform states it.
    pub total: Option<u64>,
    /// Whether a case arrived.
    pub is_any: bool,
}

impl FirstPage {
    /// Whether a walk over the same list agrees with it.
    pub(super) fn agrees(self, cases: u64) -> bool {
        self.total.map_or(!self.is_any || cases > 0, |total| total == cases)
    }
}

/// Requests a single case of a list.
///
/// # Errors
/// As for a page.
pub(super) async fn look(
    settings: &Settings,
    http: &Http,
    filter: Filter<'_>,
) -> Result<FirstPage, HttpError> {
    let one = Query { from: 0, limit: 1, fields: Some(&FIELDS), filter };
    let Data { total, cases } = page(settings, http, one).await?.data;
    Ok(FirstPage { total: total.map(|total| total.0), is_any: !cases.is_empty() })
}
