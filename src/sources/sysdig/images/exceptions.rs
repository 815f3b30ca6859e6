//! Vulnerabilities that are accepted on the platform, in the lists of exceptions that a policy binds to
//! an image (docs/platforms/sysdig.md#images).
//!
//! What cannot be read accepts nothing: every vulnerability then counts, and says why it does.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::units::{Stamp, given, id};
use super::image::AnalysedImage;
use crate::finding::{Finding, Waiver, WaiverKind};
use crate::http::{Answer, Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// The gate of an image policy that exceptions are about, and "any package".
const GATE: &str = "vulnerabilities";
const ANY: &str = "*";

#[derive(Debug, Deserialize)]
struct ExceptionList {
    #[serde(default, deserialize_with = "id")]
    id: Option<String>,
    name: Option<String>,
    /// May be left out of a listing.
    items: Option<Vec<Item>>,
}

#[derive(Debug, Deserialize)]
struct Item {
    gate: Option<String>,
    /// `CVE-2024-1234+*`, or with the name of a package.
    trigger_id: Option<String>,
    enabled: Option<bool>,
    /// Null: it does not end.
    expiration_date: Option<Stamp>,
    notes: Option<String>,
}

/// Marks what the platform accepts. Returns what a reader should know.
pub(super) async fn mark(
    session: &Session,
    found: &AnalysedImage,
    findings: &mut [Finding],
) -> Option<String> {
    if findings.is_empty() {
        return None;
    }
    // A policy binds its lists by tag, so each tag must have the exception.
    let mut tags: Vec<_> = found.tags.iter().map(|tag| Some(tag.as_str())).collect();
    if tags.is_empty() {
        tags.push(None);
    }
    let mut bound = Vec::new();
    for tag in tags {
        match read(session, found, tag).await {
            Ok(lists) => bound.push(lists),
            Err(error) => {
                let why = format!(
                    "the vulnerability exceptions of image {} could not be read: {error}",
                    found.name
                );
                let waiver = Waiver {
                    fault: Some(text::one_line(&why, 300).into()),
                    ..Waiver::new(WaiverKind::SysdigVulnerabilityException)
                };
                findings.iter_mut().for_each(|one| one.waiver = Some(Box::new(waiver.clone())));
                return Some(why);
            }
        }
    }
    let mut accepted = 0;
    for finding in findings {
        let (package, _) = finding.image_part();
        let of_tag = |lists: &Vec<ExceptionList>| best(lists, finding.rule_id(), package);
        let waivers: Option<Vec<Waiver>> = bound.iter().map(of_tag).collect();
        finding.waiver = waivers.into_iter().flatten().min_by_key(strength).map(Box::new);
        accepted += u64::from(finding.waiver.as_ref().is_some_and(|waiver| waiver.fault.is_none()));
    }
    let count = text::count(accepted, "vulnerability");
    (accepted > 0).then(|| {
        format!(
            "{count} of image {} accepted on the platform; an entry of `accept` with `upstream: \
             sysdig.vulnerability_exception` decides whether that holds",
            found.name
        )
    })
}

/// The lists that are bound to a tag of an image.
///
/// # Errors
/// If they do not arrive, or are not what they should be.
async fn read(
    session: &Session,
    found: &AnalysedImage,
    tag: Option<&str>,
) -> Result<Vec<ExceptionList>, HttpError> {
    let call = found.address.get(&session.http, "vulnexceptions", "vulnexceptions");
    let call = match tag {
        Some(tag) => call.parameter("tag", tag),
        None => call,
    };
    let answer = call.send().await?;
    let mut lists: Vec<ExceptionList> = many(&answer)?;
    for list in lists.iter_mut().filter(|list| list.items.is_none()) {
        let id = list.id.as_ref().ok_or_else(|| no_list(&answer))?;
        let call = session.http.get("api/scanning/v1/vulnexceptions/{}", &[id]);
        let answer = call.send().await?;
        // A list that is empty may have null.
        let own: ExceptionList = answer::object(&answer)?;
        if own.items.is_none() && own.id.as_ref() != Some(id) {
            return Err(no_list(&answer));
        }
        list.items = own.items;
    }
    Ok(lists)
}

/// An answer that is something else than a list of exceptions.
fn no_list(answer: &Answer) -> HttpError {
    answer.failed(Failure::Protocol("a list of exceptions has no `items`".to_owned()))
}

/// Lists, or the only one.
fn many(answer: &Answer) -> Result<Vec<ExceptionList>, HttpError> {
    match answer.json::<Value>()?.is_array() {
        true => answer.json(),
        false => answer::object(answer).map(|list| vec![list]),
    }
}

/// The strongest exception of a vulnerability in a package.
fn best(lists: &[ExceptionList], vulnerability: &str, package: &str) -> Option<Waiver> {
    let all =
        lists.iter().flat_map(|list| list.items.iter().flatten().map(move |item| (list, item)));
    let about = all.filter(|(_, item)| item.is_about(vulnerability, package));
    about.map(|(list, item)| item.waiver(list)).max_by_key(strength)
}

/// Whether it can hold, and how long.
fn strength(waiver: &Waiver) -> (bool, bool, Option<DateTime<Utc>>) {
    (waiver.fault.is_none(), waiver.until.is_none(), waiver.until)
}

impl Item {
    fn is_about(&self, vulnerability: &str, package: &str) -> bool {
        let trigger = self.trigger_id.as_deref().and_then(|trigger| trigger.split_once('+'));
        trigger.is_some_and(|(id, of)| id == vulnerability && (of == ANY || of == package))
    }

    fn waiver(&self, list: &ExceptionList) -> Waiver {
        let until = self.expiration_date.as_ref().map(Stamp::moment);
        let fault = match (self.gate.as_deref(), self.enabled, until) {
            (Some(GATE), Some(true), None | Some(Some(_))) => None,
            (Some(GATE), Some(true), Some(None)) => Some("its end cannot be read".to_owned()),
            (Some(GATE), Some(false), _) => Some("it is disabled".to_owned()),
            (Some(GATE), None, _) => Some("it does not say that it is enabled".to_owned()),
            (gate, ..) => {
                let gate = text::one_line(gate.unwrap_or("none"), 40);
                Some(format!("its gate is `{gate}`, not `{GATE}`"))
            }
        };
        let said = given(&self.notes).map(|notes| text::one_line(notes, 200));
        let name = given(&list.name).map(|name| format!("list `{}`", text::one_line(name, 60)));
        let reason: Vec<_> = said.into_iter().chain(name).collect();
        Waiver {
            until: until.flatten(),
            reason: (!reason.is_empty()).then(|| reason.join("; ").into()),
            fault: fault.map(String::into_boxed_str),
            ..Waiver::new(WaiverKind::SysdigVulnerabilityException)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(items: Value) -> Option<Waiver> {
        let list = json!([{"id": "l", "name": "Base image", "items": items}]);
        best(&serde_json::from_value::<Vec<ExceptionList>>(list).unwrap(), "CVE-1", "libc++")
    }

    fn item(field: &str, value: Value) -> Value {
        let mut item = json!({"gate": "vulnerabilities", "trigger_id": "CVE-1+*", "enabled": true,
            "expiration_date": 1_800_000_000, "notes": "no shell in it"});
        item[field] = value;
        item
    }

    #[test]
    fn an_exception_holds_until_its_end() {
        let waiver = of(json!([item("id", json!("i"))])).unwrap();
        assert_eq!(waiver.until.unwrap().timestamp(), 1_800_000_000);
        assert_eq!(waiver.reason.as_deref(), Some("no shell in it; list `Base image`"));
        assert_eq!(waiver.fault, None);
        let endless = of(json!([item("expiration_date", Value::Null)])).unwrap();
        assert_eq!((endless.until, endless.fault), (None, None));
        assert!(of(json!([item("trigger_id", json!("CVE-1+libc++"))])).is_some());
    }

    #[test]
    fn one_that_is_disabled_or_unreadable_does_not_hold() {
        for (field, value, why) in [
            ("enabled", json!(false), "it is disabled"),
            ("enabled", Value::Null, "it does not say that it is enabled"),
            ("expiration_date", json!("soon"), "its end cannot be read"),
            ("expiration_date", json!(0), "its end cannot be read"),
            ("gate", json!("dockerfile"), "its gate is `dockerfile`, not `vulnerabilities`"),
            ("gate", Value::Null, "its gate is `none`, not `vulnerabilities`"),
        ] {
            let waiver = of(json!([item(field, value)])).unwrap();
            assert_eq!(waiver.fault.as_deref(), Some(why));
        }
    }

    #[test]
    fn another_vulnerability_or_package_has_none() {
        for trigger in [
            json!("CVE-11+*"),
            json!("CVE-1"),
            json!("CVE-1+libc"),
            json!("*+*"),
            json!(""),
            json!(null),
        ] {
            assert_eq!(of(json!([item("trigger_id", trigger.clone())])), None, "{trigger}");
        }
    }

    #[test]
    fn the_strongest_of_several_counts() {
        let several = json!([
            item("enabled", json!(false)),
            item("notes", json!("a")),
            item("expiration_date", json!(1_700_000_000))
        ]);
        assert_eq!(of(several).unwrap().until.unwrap().timestamp(), 1_800_000_000);
    }
}
