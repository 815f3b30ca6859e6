//! One page of `GET /actionable-insights/all-cases` (docs/platforms/bigid.md#listing-cases).

use serde_json::json;

use super::settings::{Encoding, Settings};
use super::wire::{Envelope, FIELDS, Page};
use crate::finding::Problem;
use crate::http::{Answer, Call, Failure, Http, HttpError};
use crate::text;

const CASES: &str = "actionable-insights/all-cases";

/// Which cases, and which of their fields.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The number of cases before the page.
    pub from: u64,
    /// The maximum number of cases in the page.
    pub limit: u64,
    /// The fields to request; `None` requests whole cases.
    pub fields: Option<&'a [&'a str]>,
    /// Only the case with this id, where the platform understands that.
    pub id: Option<&'a str>,
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
        if let Some(id) = self.id {
            call = call.parameter(
                "filter",
                &match encoding.filter {
                    Encoding::Json => {
                        json!([{"field": "_id", "value": id, "operator": "equal"}]).to_string()
                    }
                    Encoding::Csv => format!("_id = \"{id}\""),
                },
            );
        }
        call
    }
}

/// Requests a page.
///
/// # Errors
/// If it does not arrive, reports a failure, or is not a page of cases.
pub async fn page(settings: &Settings, http: &Http, query: Query<'_>) -> Result<Page, HttpError> {
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
pub fn understood(answer: &Answer) -> Result<(), HttpError> {
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

/// The number of cases, where the platform states it.
///
/// # Errors
/// As for a page.
pub async fn visible(settings: &Settings, http: &Http) -> Result<Option<u64>, Problem> {
    let one = Query { from: 0, limit: 1, fields: Some(&FIELDS), id: None };
    let page = page(settings, http, one).await.map_err(|error| error.problem())?;
    Ok(page.data.total)
}
