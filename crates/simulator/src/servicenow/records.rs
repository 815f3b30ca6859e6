//! Records: what is kept of a body, and how a record is shown.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::parameter;
use super::settings::Settings;
use crate::ids::{hash, mix};

pub(super) type Row = BTreeMap<String, String>;

/// Fields that lead to a record elsewhere, and the table that it is in.
const REFERENCES: [(&str, &str); 4] = [
    ("assigned_to", "sys_user"),
    ("caller_id", "sys_user"),
    ("assignment_group", "sys_user_group"),
    ("cmdb_ci", "cmdb_ci"),
];

/// The state of a new record.
const NEW: &str = "1";

pub(super) struct Records {
    tables: BTreeMap<String, Vec<Row>>,
    next: u64,
}

impl Records {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut records = Self { tables: BTreeMap::new(), next: 1 };
        records.tables.insert("incident".to_owned(), Vec::new());
        for (table, rows) in &settings.records {
            records.tables.entry(table.clone()).or_default();
            for row in rows {
                let fields = row.iter().map(|(name, value)| (name.clone(), value.clone().into()));
                records.add(table, &fields.collect(), settings);
            }
        }
        records
    }

    pub(super) fn table(&self, table: &str) -> Option<&[Row]> {
        self.tables.get(table).map(Vec::as_slice)
    }

    pub(super) fn add(
        &mut self,
        table: &str,
        fields: &Map<String, Value>,
        settings: &Settings,
    ) -> Option<Row> {
        let number = self.next;
        let mut row = Row::new();
        row.insert("sys_id".to_owned(), sys_id(number));
        row.insert("sys_created_on".to_owned(), "2026-01-01 00:00:00".to_owned());
        if table == "incident" {
            for (name, value) in
                [("state", NEW), ("active", "true"), ("impact", "3"), ("urgency", "3")]
            {
                row.insert(name.to_owned(), value.to_owned());
            }
            row.insert("number".to_owned(), format!("INC{:07}", 10_000 + number));
        }
        set(&mut row, table, fields, settings);
        self.next += 1;
        let rows = self.tables.get_mut(table)?;
        rows.push(row.clone());
        Some(row)
    }

    pub(super) fn change(
        &mut self,
        table: &str,
        id: &str,
        fields: &Map<String, Value>,
        settings: &Settings,
    ) -> Option<Row> {
        let rows = self.tables.get_mut(table)?;
        let row = rows.iter_mut().find(|row| row.get("sys_id").is_some_and(|own| own == id))?;
        set(row, table, fields, settings);
        Some(row.clone())
    }

    pub(super) fn remove(&mut self, table: &str, id: &str) -> bool {
        let Some(rows) = self.tables.get_mut(table) else { return false };
        let before = rows.len();
        rows.retain(|row| row.get("sys_id").is_none_or(|own| own != id));
        rows.len() < before
    }
}

/// Fields that the table does not have are dropped without an error (docs/platforms/servicenow.md,
/// Table API).
fn set(row: &mut Row, table: &str, fields: &Map<String, Value>, settings: &Settings) {
    for (name, value) in fields.iter().filter(|(name, _)| settings.knows(table, name)) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        row.insert(name.clone(), text);
    }
    if table == "incident" {
        let level =
            |name: &str| row.get(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(3);
        let priority = (level("impact") + level("urgency")).saturating_sub(1).clamp(1, 5);
        row.insert("priority".to_owned(), priority.to_string());
    }
}

fn sys_id(number: u64) -> String {
    let seed = hash("servicenow").wrapping_add(number);
    format!("{:016x}{:016x}", mix(seed), mix(seed ^ 0x5bd1_e995))
}

/// How values are shown: `sysparm_fields`, `sysparm_display_value`,
/// `sysparm_exclude_reference_link`.
pub(super) struct View {
    fields: Option<Vec<String>>,
    display: Display,
    plain_references: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Display {
    Values,
    Names,
    Both,
}

impl View {
    pub(super) fn of(pairs: &[(String, String)]) -> Self {
        let fields = parameter(pairs, "sysparm_fields").filter(|fields| !fields.is_empty());
        Self {
            fields: fields.map(|fields| fields.split(',').map(|f| f.trim().to_owned()).collect()),
            display: match parameter(pairs, "sysparm_display_value") {
                Some("true") => Display::Names,
                Some("all") => Display::Both,
                _ => Display::Values,
            },
            plain_references: parameter(pairs, "sysparm_exclude_reference_link") == Some("true"),
        }
    }

    pub(super) fn show(&self, row: &Row) -> Value {
        let wanted =
            |name: &String| self.fields.as_ref().is_none_or(|fields| fields.contains(name));
        let shown = row.iter().filter(|(name, _)| wanted(name));
        Value::Object(shown.map(|(name, value)| (name.clone(), self.value(name, value))).collect())
    }

    fn value(&self, name: &str, value: &str) -> Value {
        let table = REFERENCES.iter().find(|(field, _)| *field == name).map(|(_, table)| *table);
        let link = table
            .filter(|_| !self.plain_references && !value.is_empty())
            .map(|table| format!("http://127.0.0.1/api/now/table/{table}/{value}"));
        match (self.display, link) {
            (Display::Both, Some(link)) => {
                json!({"display_value": value, "value": value, "link": link})
            }
            (Display::Both, None) => json!({"display_value": value, "value": value}),
            (Display::Names, Some(link)) => json!({"display_value": value, "link": link}),
            (Display::Values, Some(link)) => json!({"link": link, "value": value}),
            (_, None) => value.into(),
        }
    }
}
