//! What an entry shows of its resource, by type (BP §B4).

use serde_json::{Value, json};

use super::settings::Change;
use crate::hostile::Hostility;
use crate::ids;

/// The types whose objects are known.
pub(crate) const KINDS: [&str; 20] = [
    "alert_filtering",
    "api_keys",
    "auto_share_rules",
    "correlation_pattern",
    "correlation_patterns",
    "environment",
    "environments",
    "integrations",
    "jit_domains",
    "jit_roles",
    "mapping_enrichment",
    "mapping_table_upload",
    "roles",
    "sso_config",
    "sso_test",
    "tag",
    "tag_enrichments",
    "tag_enrichments_order",
    "tag_order",
    "users",
];

/// An id of 24 hex digits, the same for the same resource.
pub(crate) fn id(kind: &str, name: &str) -> String {
    let seed = ids::hash(&format!("{kind}/{name}"));
    let tail = u32::try_from(ids::mix(seed) >> 32).unwrap_or_default();
    format!("{seed:016x}{tail:08x}")
}

/// The object after the change; null once it is deleted (BP §B2).
pub(crate) fn object(change: &Change, epoch: i64, hostility: Hostility) -> Value {
    if change.action.as_deref() == Some("delete") {
        return Value::Null;
    }
    let kind = change.object_of.as_deref().unwrap_or(&change.kind);
    let mut object = generated(kind, change, epoch, hostility);
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in &change.object {
            match value {
                Value::Null => fields.remove(name),
                value => fields.insert(name.clone(), value.clone()),
            };
        }
    }
    object
}

fn generated(kind: &str, change: &Change, epoch: i64, hostility: Hostility) -> Value {
    let plain = change.name.as_str();
    let name = hostility.text(plain);
    let own = id(kind, plain);
    let by = id("users", "somebody");
    match kind {
        "alert_filtering" => json!({
            "plan_name": name,
            "plan_id": id(kind, plain),
            "plan_status": "planned",
            "plan_type": "maintenance_plan",
            "time_window": {
                "start": epoch + 60 * change.starts_in_minutes,
                "end": epoch + 60 * change.ends_in_minutes,
                "frequency": "Once",
                "frequency_data": null,
            },
        }),
        "api_keys" => json!({
            "id": own, "active": true, "created_at": epoch, "created_by": by, "description": "",
            "last_used": null, "name": name, "organization": id("org", "example"), "user": by,
            "key_hash": secret(plain), "key_suffix": "9f3a",
        }),
        "auto_share_rules" => json!({
            "target_system_id": "servicenow.incidents", "env_id": ids::uuid(plain), "name": name,
            "id": format!("{}_servicenow.incidents_0", ids::uuid(plain)),
            "params": {"autoshare_options": {"share_delay_seconds": 300}},
        }),
        "correlation_pattern" | "correlation_patterns" => json!({
            "filter": format!("cluster = {name}"), "cross_source": true, "time_window": 120,
            "updated_at": epoch, "updated_by": by, "active": true,
            "created_at": epoch.to_string(), "id": own, "created_by": by,
            "tags": ["service", "check"],
        }),
        "environment" | "environments" => json!({
            "filter": "source_system = \"example.default\"", "updated_at": epoch,
            "created_at": epoch.to_string(), "name": name, "id": own,
        }),
        "integrations" => json!({
            "target_system_id": name, "stream_id": secret(plain), "updated_at": epoch,
            "org": "example",
            "changes": [{"key": "status", "old_value": {"ok": ["up"]}, "new_value": {"ok": ["up", "fine"]}}],
        }),
        "jit_domains" => json!({
            "id": own, "domain": name, "role": {"id": id("roles", "viewer")},
            "organization": id("org", "example"),
        }),
        "jit_roles" | "roles" => json!({
            "id": own, "name": name, "users": [by], "created_by": by, "created_at": epoch,
            "updated_at": epoch,
            "permissions": [{"resource_type": "audit_logs", "resource_id": null, "actions": ["read"]}],
        }),
        "mapping_enrichment" => json!({
            "id": own, "type": "mapping", "active": true, "when": {"=": ["source_system", "x"]},
            "version": 3, "config": {"name": name, "fields": []}, "created_by": by,
            "updated_by": by, "note": null,
        }),
        "mapping_table_upload" => json!({
            "total_count": 2,
            "items": [{"application": "checkout", "owner": "a"}, {"application": "search", "owner": "b"}],
        }),
        "sso_config" => json!({
            "disableRequestedAuthnContext": false,
            "idPissuer": "https://idp.example.com/issuer", "provider": name,
            "idPssoUrl": "https://idp.example.com/sso/saml",
        }),
        "sso_test" => json!({"idP": name, "status": "testing", "tester": "ann@example.com"}),
        "tag" => json!({
            "name": name, "created_by": by, "created_at": epoch, "updated_by": by,
            "updated_at": epoch, "description": "", "active": true, "enrichments": [],
        }),
        "tag_enrichments" => json!({
            "id": ids::uuid(plain), "type": "composition", "active": true, "when": {},
            "version": 1, "config": {"destination": name, "value": "x"}, "created_by": by,
            "updated_by": by, "note": "",
        }),
        "tag_enrichments_order" => json!({
            "created_by": by, "enrichment_order": [ids::uuid("first"), ids::uuid("second")],
        }),
        "tag_order" => json!({"created_by": by, "alert_tags_order": ["owner", "cluster"]}),
        "users" => json!({
            "createdAt": epoch, "lastLoginAt": epoch, "firstLoginAt": epoch, "state": "valid",
            "name": name, "username": name, "id": own,
        }),
        _ => json!({"id": own, "name": name}),
    }
}

/// A key as the platform would make it: 32 hex digits.
fn secret(name: &str) -> String {
    ids::uuid(&format!("secret of {name}")).replace('-', "")
}
