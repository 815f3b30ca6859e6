//! The query of `GET /cspm/checks`, and whether a check matches it.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::CheckRow;
use super::words::{Status, result_word};
use crate::finding::{Cause, Severity};
use crate::http::{Call, Http};
use crate::selection::Field;
use crate::text;

/// A filter by ids or names that users choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    Scans,
    ScanGroups,
    Rules,
    Resources,
    ResourceTypes,
    SystemCompliance,
}

impl Filter {
    /// The name of the parameter, and of the key in a policy.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scans => "scans",
            Self::ScanGroups => "scan_groups",
            Self::Rules => "rules",
            Self::Resources => "resources",
            Self::ResourceTypes => "resource_types",
            Self::SystemCompliance => "system_compliance",
        }
    }

    /// The field of a check that it is about.
    pub const fn field(self) -> Field {
        match self {
            Self::Scans => Field::Account,
            Self::ScanGroups => Field::ScanGroup,
            Self::Rules => Field::Rule,
            Self::Resources => Field::Resource,
            Self::ResourceTypes => Field::ResourceType,
            Self::SystemCompliance => Field::Framework,
        }
    }
}

/// Which checks are requested. A check must match every filter, by one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    values: BTreeMap<Filter, BTreeSet<String>>,
    passed: Option<bool>,
    severities: Option<BTreeSet<Severity>>,
    statuses: Option<BTreeSet<Status>>,
}

impl Query {
    #[must_use]
    pub fn with(mut self, filter: Filter, values: impl IntoIterator<Item = String>) -> Self {
        self.values.insert(filter, values.into_iter().collect());
        self
    }

    /// The query without one of its filters.
    #[must_use]
    pub(super) fn without(mut self, filter: Filter) -> Self {
        self.values.remove(&filter);
        self
    }

    #[must_use]
    pub fn results(self, passed: bool) -> Self {
        Self { passed: Some(passed), ..self }
    }

    /// `None` means all.
    #[must_use]
    pub fn severities(self, severities: Option<BTreeSet<Severity>>) -> Self {
        Self { severities, ..self }
    }

    /// `None` means all.
    #[must_use]
    pub fn statuses(self, statuses: Option<BTreeSet<Status>>) -> Self {
        Self { statuses, ..self }
    }

    /// The values of a filter, if it is set.
    pub fn values(&self, filter: Filter) -> Option<&BTreeSet<String>> {
        self.values.get(&filter)
    }

    /// The filters and their values.
    pub(super) fn filters(&self) -> impl Iterator<Item = (Filter, &BTreeSet<String>)> {
        self.values.iter().map(|(filter, values)| (*filter, values))
    }

    /// Every value of every filter.
    pub fn all_values(&self) -> impl Iterator<Item = (Filter, &String)> {
        self.values.iter().flat_map(|(filter, values)| values.iter().map(|value| (*filter, value)))
    }

    /// The request. Several values are one list with commas (docs/platforms/gravityzone.md#filters).
    pub fn request<'a>(&self, http: &'a Http, page_limit: u64) -> Call<'a> {
        let call = self
            .parameters()
            .into_iter()
            .fold(http.get("cspm/checks", &[]), |call, (name, value)| call.parameter(name, &value));
        call.parameter("page_limit", &page_limit.to_string())
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let list = |words: Vec<&str>| words.join(",");
        let passed = self.passed.map(|passed| ("results", result_word(passed).to_owned()));
        let severities = self.severities.as_ref().map(|severities| {
            ("severities", list(severities.iter().map(|severity| severity.word()).collect()))
        });
        let statuses = self.statuses.as_ref().map(|statuses| {
            ("statuses", list(statuses.iter().map(|status| status.word()).collect()))
        });
        let values = self.values.iter().map(|(filter, values)| {
            (filter.word(), list(values.iter().map(String::as_str).collect()))
        });
        passed.into_iter().chain(severities).chain(statuses).chain(values).collect()
    }

    /// Checks that a check matches the query. If the platform ignored a filter, too much would be
    /// counted.
    ///
    /// # Errors
    /// If it does not match by result, severity or status. Whether ids and names match is judged by
    /// all checks together (`heeded.rs`), since the documentation does not say what a filter takes.
    pub fn admits(&self, row: &CheckRow<'_>) -> Result<(), RecordFault> {
        let refuse = |field: &str, has: &str| {
            let has = text::one_line(has, 60);
            Err(RecordFault::new(
                Cause::Contradictory,
                format!("has the {field} `{has}`, which was not asked for: a filter was ignored"),
            ))
        };
        if self.passed.is_some_and(|passed| passed != row.passed) {
            return refuse("result", result_word(row.passed));
        }
        if self.severities.as_ref().is_some_and(|asked| !asked.contains(&row.severity)) {
            return refuse("severity", row.severity_word.unwrap_or("null"));
        }
        let has = row.status.and_then(Status::from_platform);
        if self
            .statuses
            .as_ref()
            .is_some_and(|asked| !has.is_some_and(|status| asked.contains(&status)))
        {
            return refuse("status", row.status.unwrap_or("null"));
        }
        Ok(())
    }
}

/// A problem of one record. The text follows the record's name: `has no `id``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault {
    pub cause: Cause,
    pub what: String,
}

impl RecordFault {
    pub fn new(cause: Cause, what: impl Into<String>) -> Self {
        Self { cause, what: what.into() }
    }

    /// The record is not what the API promises.
    pub fn protocol(what: impl Into<String>) -> Self {
        Self::new(Cause::Protocol, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_with_commas() {
        let query = Query::default()
            .with(Filter::ResourceTypes, ["EC2 Instance".to_owned(), "S3 Bucket".to_owned()])
            .results(false)
            .severities(Some([Severity::High, Severity::Critical].into()))
            .statuses(Some([Status::NeedsReview, Status::Open].into()));
        let parameters = query.parameters();
        let expected = [
            ("results", "fail"),
            ("severities", "high,critical"),
            ("statuses", "open,needs_review"),
            ("resource_types", "EC2 Instance,S3 Bucket"),
        ];
        let given: Vec<_> = parameters.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(given, expected);
        assert_eq!(Query::default().parameters(), []);
    }
}
