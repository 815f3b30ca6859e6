//! The query of a request for cases
//! (docs/platforms/bigid.md, listing cases).

use serde_json::{Map, Value, json};

use super::cases::Case;
use super::settings::{Encoding, Paging, Settings};

/// How many cases a page has by default.
const PAGE: usize = 50;

pub(crate) struct Listing {
    pub(crate) from: usize,
    pub(crate) limit: usize,
    pub(crate) total: bool,
    /// Conditions that must all hold.
    filter: Vec<Value>,
    /// The fields to give; all without.
    fields: Option<Vec<String>>,
}

impl Listing {
    /// # Errors
    /// The message of the platform, if a parameter is invalid.
    pub(crate) fn new(pairs: &[(String, String)], settings: &Settings) -> Result<Self, String> {
        let given =
            |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let number = |name: &str| {
            given(name)
                .map(|text| text.parse::<usize>().map_err(|_| format!("{name} is invalid")))
                .transpose()
        };
        let from = match settings.paging {
            Paging::Skip => number("skip")?,
            Paging::Offset => number("offset")?,
        };
        let limit = number("limit")?.unwrap_or(PAGE);
        if settings.refuses_larger_pages && limit > settings.largest_page {
            return Err(format!("limit is larger than {}", settings.largest_page));
        }
        let filter = given("filter").filter(|_| !settings.ignore_filter);
        let fields = given("fields").filter(|_| !settings.ignore_fields);
        Ok(Self {
            from: from.unwrap_or(0),
            limit: limit.min(settings.largest_page),
            total: given("requireTotalCount") == Some("true"),
            filter: match filter {
                Some(text) => conditions(text, settings.encoding)?,
                None => Vec::new(),
            },
            fields: fields.map(|text| names(text, settings.encoding)),
        })
    }

    pub(crate) fn takes(&self, case: &Case) -> bool {
        self.filter.iter().all(|condition| case.meets(condition))
    }

    /// The case with the fields that were asked for.
    pub(crate) fn project(&self, case: Map<String, Value>) -> Value {
        match &self.fields {
            None => case.into(),
            Some(fields) => case
                .into_iter()
                .filter(|(name, _)| fields.contains(name))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// Conditions are a JSON array, or one comparison as text.
fn conditions(text: &str, encoding: Encoding) -> Result<Vec<Value>, String> {
    let wrong = || "filter is invalid".to_owned();
    match encoding {
        Encoding::Json => serde_json::from_str(text).map_err(|_| wrong()),
        Encoding::Csv => {
            if let Some((field, values)) = text.split_once(" IN ") {
                let values = values.trim_matches(['(', ')']).split(", ");
                let values: Vec<_> = values.map(|value| value.trim_matches('"')).collect();
                return Ok(vec![json!({"field": field, "operator": "in", "value": values})]);
            }
            let (field, value) = text.split_once(" = ").ok_or_else(wrong)?;
            let value = value.trim_matches('"');
            Ok(vec![json!({"field": field.trim(), "operator": "equal", "value": value})])
        }
    }
}

/// Names in the other encoding are read as one name that no case has.
fn names(text: &str, encoding: Encoding) -> Vec<String> {
    let mut names = match encoding {
        Encoding::Json => serde_json::from_str(text).unwrap_or_default(),
        Encoding::Csv => text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>(),
    };
    // A document store always returns the key.
    names.push("_id".to_owned());
    names
}
