//! The cases: made once, then kept, since their status can be changed.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::data;
use crate::hostile::Hostility;
use crate::ids::mix;

use super::settings::{Ids, Settings};

/// The statuses that a case can be given (docs/platforms/bigid.md, statuses and severities).
pub(crate) const STATUSES: [&str; 7] =
    ["open", "acknowledged", "silenced", "ignored", "resolved", "remediated", "closed"];

const OVER: [&str; 3] = ["resolved", "remediated", "closed"];

/// The policies that cases violate, and the data sources that they are in.
#[derive(Default, Deserialize)]
struct Table {
    policies: Vec<Policy>,
    data_sources: Vec<DataSource>,
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    description: String,
    framework: Option<String>,
}

#[derive(Deserialize)]
struct DataSource {
    name: String,
    display_name: String,
    #[serde(rename = "type")]
    kind: String,
    owner: String,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| data::table(include_str!("../../data/bigid/estate.json")));

/// The age of the oldest case, in seconds.
const OLDEST: u64 = 300 * 24 * 3600;

/// One case.
pub(crate) struct Case {
    pub(crate) id: String,
    number: u64,
    status: Option<String>,
    severity: Option<String>,
    /// When the status was set, in milliseconds since the start, if it was.
    updated: Option<i64>,
    salt: u64,
}

pub(crate) struct Estate {
    cases: Vec<Case>,
    hostility: Hostility,
}

impl Estate {
    pub(crate) fn new(settings: &Settings, hostility: Hostility) -> Self {
        let counted = [
            ("open", settings.open),
            ("acknowledged", settings.acknowledged),
            ("silenced", settings.silenced),
        ];
        let counted = counted.into_iter().flat_map(|(status, severities)| {
            severities.each().map(move |severity| (Some(status), Some(severity)))
        });
        let over = (0..settings.resolved).map(|number| {
            let severities = ["high", "medium", "low", "critical"];
            (Some(*pick(&OVER, number)), Some(*pick(&severities, mix(number))))
        });
        let undocumented = settings
            .undocumented
            .iter()
            .map(|undocumented| (undocumented.status.as_deref(), undocumented.severity.as_deref()));
        let mut cases: Vec<Case> = counted
            .chain(over)
            .chain(undocumented)
            .zip(1..)
            .map(|((status, severity), number)| Case::new(number, status, severity))
            .collect();
        // The order of ids does not depend on the status, so every page is mixed.
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Self { cases, hostility }
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter()
    }

    /// Adds a new open case, before all others.
    pub(crate) fn insert(&mut self, number: u64) {
        let mut case = Case::new(1_000_000 + number, Some("open"), Some("low"));
        case.id = format!("{:024x}", 1_000_000 - number);
        self.cases.insert(0, case);
    }

    /// Removes the first case, and adds a new one after all others.
    pub(crate) fn swap(&mut self, number: u64) {
        let mut case = Case::new(2_000_000 + number, Some("open"), Some("low"));
        case.id = format!("f{number:023x}");
        self.cases.remove(0);
        self.cases.push(case);
    }

    /// Changes the status of a case; false if it does not exist.
    pub(crate) fn set(&mut self, id: &str, status: &str, now: i64) -> bool {
        let case = self.cases.iter_mut().find(|case| case.id == id);
        case.is_some_and(|case| {
            case.status = Some(status.to_owned());
            case.updated = Some(now);
            true
        })
    }

    /// The case as the platform writes it (docs/platforms/bigid.md, listing cases).
    pub(crate) fn render(
        &self,
        case: &Case,
        clock: &Clock,
        settings: &Settings,
    ) -> Map<String, Value> {
        let text = |plain: &'static str| self.hostility.text(plain);
        let (policy, source) = (case.policy(), case.data_source());
        let age = i64::try_from(case.salt % OLDEST).unwrap_or_default();
        let opened = clock.stamp(-1000 * age);
        let updated = case.updated.map_or_else(|| opened.clone(), |at| clock.stamp(at));
        let status = case.status.clone();
        let objects = if case.is_over() { 0 } else { 1 + case.salt % 240 };
        let mut dates = Map::from_iter([("open".to_owned(), opened.clone().into())]);
        if let (Some(status), Some(_)) = (&status, case.updated) {
            dates.insert(status.clone(), updated.clone().into());
        }
        let label = format!("{} in {}", policy.name, source.display_name);
        let value = json!({
            "id": case.id, "_id": case.id,
            "caseId": format!("SPC-{}", case.number),
            "caseLabel": self.hostility.title(&label),
            "caseStatus": status, "caseType": "dataSourcePolicyCase",
            "severityLevel": case.severity,
            "policyName": text(&policy.name), "policyDescription": text(&policy.description),
            "policyOwner": "data-protection@example.com", "policyType": "catalog",
            "policyLastTriggered": clock.stamp(-3_600_000), "compliance": policy.framework,
            "dataSourceName": text(&source.name), "dataSourceDisplayName": text(&source.display_name),
            "dataSourceType": source.kind, "dataSourceOwner": source.owner,
            "assignee": if case.salt.is_multiple_of(3) { "" } else { &source.owner },
            "numberOfAffectedObjects": objects,
            "caseStatusUpdateDates": dates, "created_at": opened, "updated_at": updated,
            // Makes whole cases large.
            "controls": [{"framework": policy.framework, "requirements": [{"text": "x".repeat(2000)}]}],
        });
        let Value::Object(mut fields) = value else { return Map::new() };
        match settings.ids {
            Ids::Both => {}
            Ids::Id => drop(fields.remove("_id")),
            Ids::Mongo => drop(fields.remove("id")),
            Ids::Neither => fields.retain(|name, _| name != "id" && name != "_id"),
        }
        fields.retain(|name, _| !settings.absent_fields.contains(name));
        for (name, value) in &mut fields {
            if settings.null_fields.contains(name) {
                *value = Value::Null;
            }
        }
        fields
    }
}

impl Case {
    fn new(number: u64, status: Option<&str>, severity: Option<&str>) -> Self {
        let salt = mix(number);
        Self {
            id: format!("{:08x}{salt:016x}", 0x6600_0000 + (mix(salt) & 0xff_ffff)),
            number,
            status: status.map(str::to_owned),
            severity: severity.map(str::to_owned),
            updated: None,
            salt,
        }
    }

    fn is_over(&self) -> bool {
        self.updated.is_none() && self.status.as_deref().is_some_and(|word| OVER.contains(&word))
    }

    fn policy(&self) -> &'static Policy {
        pick(&TABLE.policies, self.salt >> 8)
    }

    fn data_source(&self) -> &'static DataSource {
        pick(&TABLE.data_sources, self.salt >> 24)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match name {
            "_id" | "id" => Some(&self.id),
            "caseStatus" => self.status.as_deref(),
            "severityLevel" => self.severity.as_deref(),
            "policyName" => Some(&self.policy().name),
            "dataSourceName" => Some(&self.data_source().name),
            "dataSourceType" => Some(&self.data_source().kind),
            _ => None,
        }
    }

    /// Whether it meets a condition of `filter` (docs/platforms/bigid.md, listing cases). No case
    /// meets a condition with an unknown operator.
    pub(crate) fn meets(&self, condition: &Value) -> bool {
        let given = condition["field"].as_str().and_then(|name| self.field(name));
        let value = &condition["value"];
        match condition["operator"].as_str() {
            Some("equal" | "equals") => given.is_some_and(|given| value == given),
            Some("in") => value.as_array().is_some_and(|values| {
                values.iter().any(|value| Some(value) == given.map(Value::from).as_ref())
            }),
            Some("contains") => {
                given.zip(value.as_str()).is_some_and(|(given, part)| given.contains(part))
            }
            _ => false,
        }
    }

    /// Whether it is within a filter of a bulk change (docs/platforms/bigid.md, changing cases).
    pub(crate) fn is_in(&self, filter: &Value) -> bool {
        self.meets(&json!({
            "field": filter["filterField"], "operator": "in", "value": filter["filterValues"],
        }))
    }
}

/// One of the items; the tables are never empty.
fn pick<T>(items: &[T], salt: u64) -> &T {
    &items[usize::try_from(salt % items.len() as u64).unwrap_or_default()]
}
