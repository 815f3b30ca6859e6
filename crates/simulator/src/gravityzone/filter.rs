//! The filters of a request: comma lists, AND-ed with each other (docs/platforms/gravityzone.md,
//! checks).

use super::Refusal;
use super::checks::Check;

/// What a request asks for.
#[derive(Default)]
pub(crate) struct Filter(Vec<(Field, Vec<String>)>);

#[derive(Clone, Copy)]
enum Field {
    Id,
    Result,
    Severity,
    Status,
    Scan,
    ScanGroup,
    Rule,
    Resource,
    ResourceType,
    Standard,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "results" => Self::Result,
            "severities" => Self::Severity,
            "statuses" => Self::Status,
            "scans" => Self::Scan,
            "scan_groups" => Self::ScanGroup,
            "rules" => Self::Rule,
            "resources" => Self::Resource,
            "resource_types" => Self::ResourceType,
            "system_compliance" => Self::Standard,
            _ => return None,
        })
    }

    /// The only words that the documentation allows, if it lists them.
    fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Result => Some(&["pass", "fail"]),
            Self::Severity => Some(&["informational", "low", "medium", "high", "critical"]),
            Self::Status => {
                Some(&["open", "remediated", "risk_accepted", "false_positive", "needs_review"])
            }
            _ => None,
        }
    }
}

impl Filter {
    /// Reads the filters; parameters with other names are ignored.
    pub(crate) fn new(query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut filters = Vec::new();
        for (name, value) in query {
            let Some(field) = Field::named(name) else {
                continue;
            };
            let list: Vec<String> = value.split(',').map(|each| each.trim().to_owned()).collect();
            let unknown =
                |word: &&String| field.words().is_some_and(|words| !words.contains(&word.as_str()));
            if let Some(word) = list.iter().find(unknown) {
                return Err(Refusal::bad_request(format!(
                    "{name}: {word:?} is not a possible value"
                )));
            }
            filters.push((field, list));
        }
        Ok(Self(filters))
    }

    /// Whether everything passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the check passes every filter.
    pub(crate) fn matches(&self, check: &Check<'_>, severities_match_passes: bool) -> bool {
        self.0.iter().all(|(field, list)| {
            let has = |word: &str| list.iter().any(|each| each == word);
            let has_some = |word: Option<String>| word.is_some_and(|word| has(&word));
            match field {
                Field::Id => has(&check.id()),
                Field::Result => has(if check.failed { "fail" } else { "pass" }),
                Field::Severity => (check.failed || severities_match_passes) && has(check.severity),
                Field::Status => check.status.is_some_and(has),
                Field::Scan => has(&check.site.scan.name) || has(&check.site.scan_id),
                Field::ScanGroup => has(&check.site.scan.group) || has(&check.site.group_id),
                Field::Rule => has(&check.prepared.name) || has(&check.prepared.id),
                Field::Resource => has_some(check.resource_id()) || has_some(check.resource_name()),
                Field::ResourceType => has(&check.prepared.rule.resource_type),
                Field::Standard => {
                    check.prepared.rule.controls().iter().any(|control| has(&control.standard))
                }
            }
        })
    }
}
