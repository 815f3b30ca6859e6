//! One page of `GET /actionable-insights/all-cases`, asked for and understood (fact sheet §A2).

use serde_json::json;

use super::settings::{Encoding, Settings};
use super::wire::{FIELDS, Page, Said};
use crate::finding::Problem;
use crate::http::{Answer, Call, Failure, Http, HttpError};
use crate::text;

const CASES: &str = "actionable-insights/all-cases";

/// Which cases, and what of them.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Cases before the page.
    pub from: u64,
    /// The most cases in the page.
    pub limit: u64,
    /// The fields to ask for; `None` is whole cases.
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
            // Pages of a set that moves must not change their order too.
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

/// Asks for a page.
///
/// # Errors
/// If it does not arrive, says itself that it is none, or is not a page of cases.
pub async fn page(settings: &Settings, http: &Http, query: Query<'_>) -> Result<Page, HttpError> {
    let mut renewed = false;
    loop {
        let answer = query.call(settings, http).send().await?;
        match understood(&answer) {
            Ok(()) => return answer.json(),
            // With a good status BigID also says that a token is no longer good (fact sheet §A5).
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

/// Whether an answer with a good status is one (fact sheet §A5).
///
/// # Errors
/// If it is no JSON object, or says that it failed.
pub fn understood(answer: &Answer) -> Result<(), HttpError> {
    let said: Said<'_> = answer.json()?;
    said.refusal().map_or(Ok(()), |refusal| {
        let words = text::one_line(&refusal.said, 200);
        let failure = match refusal.denied {
            true => Failure::Denied(format!("200 with {words}")),
            false => Failure::Protocol(format!("it answered 200 with {words}")),
        };
        Err(answer.failed(failure))
    })
}

/// How many cases there are, where the platform says.
///
/// # Errors
/// As for a page.
pub async fn visible(settings: &Settings, http: &Http) -> Result<Option<u64>, Problem> {
    let one = Query { from: 0, limit: 1, fields: Some(&FIELDS), id: None };
    let page = page(settings, http, one).await.map_err(|error| error.problem())?;
    Ok(page.data.total)
}
