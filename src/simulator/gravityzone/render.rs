//! Checks as the platform writes them (GZ §2.2).

use serde_json::{Value, json};

use crate::simulator::clock::Clock;
use crate::simulator::hostile::Hostility;

use super::checks::Check;
use super::settings::Settings;

/// The oldest finding, in seconds.
const OLDEST: u64 = 400 * 24 * 3600;

/// What a row needs besides its check.
pub(crate) struct Renderer<'a> {
    pub(crate) base: &'a str,
    pub(crate) clock: &'a Clock,
    pub(crate) hostility: Hostility,
    pub(crate) settings: &'a Settings,
}

impl Renderer<'_> {
    pub(crate) fn row(&self, check: &Check<'_>) -> Value {
        let text = |plain: &str| self.hostility.text(plain);
        let id = check.id();
        let age = i64::try_from(check.salt % OLDEST).unwrap_or_default();
        let title = check.rule.title;
        let mut attributes = json!({
            "resource_region": text(check.region),
            "resource_id": check.resource_id().as_deref().map(text),
            "resource_name": check.resource_name().as_deref().map(text),
            "resource_type": text(check.rule.resource_type),
            "result": if check.failed { "fail" } else { "pass" },
            "severity": check.severity,
            "status": check.status,
            "created_at": self.clock.offset_stamp(-1000 * age),
            "scan_name": text(&check.scan.name),
            "scan_group_name": text(&check.scan.group),
            "title": self.hostility.title(title),
            "description": text(&format!("It was discovered that one or more resources do not pass \"{title}\".\n\nResources of the type {} are checked one by one, in every region that is in use. A resource that does not pass can be reached, read or changed by more people than its owner meant, or leaves no trace when it is. Change the setting on the resource, or record why the risk is accepted; the finding is closed with the next scan of the account.", check.rule.resource_type)),
            "original_severity": check.rule.severity,
        });
        for name in &self.settings.null_attributes {
            attributes[name.as_str()] = Value::Null;
        }
        let controls: Vec<Value> = check
            .rule
            .controls
            .iter()
            .map(|control| {
                json!({
                    "id": control.id,
                    "type": "control",
                    "meta": {
                        "compliance_type": "system_compliance",
                        "compliance_id": control.standard,
                        "section_id": control.section,
                    },
                })
            })
            .collect();
        json!({
            "id": id,
            "type": "check",
            "attributes": attributes,
            "relationships": {
                "scan": {"data": {"id": check.scan_id(), "type": "scan"}},
                "scan_group": {"data": {"id": check.group_id(), "type": "scan_group"}},
                "rule": {"data": {
                    "id": check.rule_id(),
                    "type": "rule",
                    "meta": {"name": check.rule_name(), "version": 1},
                }},
                "controls": {"data": controls},
            },
            "links": {"self": format!("{}/cspm/checks/{id}", self.base)},
        })
    }
}
