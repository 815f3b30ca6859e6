//! The legacy scanner of images (docs/platforms/sysdig.md, images).

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta};
use serde_json::{Map, Value, json};

use super::settings::Image;
use super::{Answer, Platform, Refusal, parameter};
use crate::ids::{hash, mix};
use crate::reply;

type Pairs = Query<Vec<(String, String)>>;

const POLICY: (&str, &str) = ("policy_default", "Default image policy");

/// `GET /anchore/images?fulltag=…`: the digests of a tag.
pub(super) async fn by_tag(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Answer {
    platform.scanner()?;
    if platform.settings.images.without_anchore {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "404 page not found"));
    }
    let tag = parameter(&pairs, "fulltag");
    let images = platform.settings.images.scanned.iter();
    let found: Vec<_> = images
        .filter(|image| tag.is_none_or(|tag| tag == image.tag))
        .map(|image| {
            json!({
                "imageDigest": digest(image),
                "analysis_status": if image.analysed { "analyzed" } else { "analyzing" },
                "image_detail": [{
                    "fulltag": image.tag, "imageId": id(image), "imageDigest": digest(image),
                }],
            })
        })
        .collect();
    Ok(reply::json(&found))
}

/// `GET /results`: all scans, by offset.
pub(super) async fn results(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Answer {
    platform.scanner()?;
    let number = |name: &str| parameter(&pairs, name).and_then(|text| text.parse::<usize>().ok());
    let images = &platform.settings.images.scanned;
    let (offset, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
    let rows = images.iter().skip(offset).take(limit).map(|image| {
        let verdict = match (image.stops, image.warns) {
            (0, 0) => "PASS",
            (0, _) => "WARN",
            _ => "FAIL",
        };
        json!({
            "imageDigest": digest(image), "imageId": id(image), "fullTag": image.tag,
            "analysisStatus": if image.analysed { "analyzed" } else { "analyzing" },
            "analyzedAt": platform.seconds(image.evaluated_minutes_ago),
            "policyStatus": image.listed_as.as_deref().unwrap_or(verdict),
        })
    });
    let rows: Vec<_> = rows.collect();
    Ok(reply::json(&json!({
        "options": {"offset": offset, "canLoadMore": offset + rows.len() < images.len()},
        "results": rows, "totalRows": images.len(),
    })))
}

/// `GET /system/feeds`: the page shows no answer; this is the open scanner's.
pub(super) async fn feeds(State(platform): State<Arc<Platform>>) -> Answer {
    platform.scanner()?;
    let images = &platform.settings.images;
    let written = |minutes: Option<i64>| {
        let at = DateTime::from_timestamp(platform.seconds(minutes?), 0)?;
        Some(at.to_rfc3339_opts(SecondsFormat::Secs, true))
    };
    let synced = images.feed_minutes_ago;
    let feed = |name: &str, groups: &[(&str, Option<i64>)]| {
        let group = |(name, minutes): &(&str, Option<i64>)| {
            json!({
                "name": name, "enabled": true, "last_sync": written(*minutes), "record_count": 4711,
            })
        };
        let groups: Vec<_> = groups.iter().map(group).collect();
        let full = written(images.full_sync_minutes_ago.or(synced));
        json!({"name": name, "enabled": true, "last_full_sync": full, "groups": groups})
    };
    let names = json!({"name": "packages", "enabled": false, "last_full_sync": null, "groups": []});
    let alpine = images.group_minutes_ago.or(synced);
    let feeds = [
        feed("vulnerabilities", &[("alpine:3.20", alpine), ("debian:12", synced)]),
        feed("nvdv2", &[("nvdv2:cves", synced)]),
        names,
    ];
    Ok(reply::json(&feeds))
}

/// `GET /images/{digest}/policyEvaluation?tag=…`, also by id.
pub(super) async fn evaluation(
    State(platform): State<Arc<Platform>>,
    Path(image): Path<String>,
    Query(pairs): Pairs,
) -> Answer {
    let image = platform.image(&image)?;
    if parameter(&pairs, "tag").is_some_and(|tag| tag != image.tag) {
        return Err(Refusal::not_found("image not found in DB"));
    }
    let status = if image.stops > 0 { "fail" } else { "pass" };
    let gates = ["vulnerabilities", "dockerfile", "files"];
    let met = [("stop", image.stops), ("warn", image.warns), ("go", image.goes)];
    let rules: Vec<(&str, Value)> = met
        .into_iter()
        .flat_map(|(action, count)| (0..count).map(move |number| (action, number)))
        .zip(gates.into_iter().cycle())
        .map(|((action, number), gate)| {
            let said = format!("{gate} rule {number} asks to {action}");
            (gate, json!({"gateAction": action, "checkOutput": platform.hostility.text(said)}))
        })
        .collect();
    let of_gate = |gate: &str| -> Vec<&Value> {
        rules.iter().filter(|(own, _)| *own == gate).map(|(_, rule)| rule).collect()
    };
    let gate_results: Vec<_> =
        gates.iter().map(|gate| json!({"gate": gate, "ruleResults": of_gate(gate)})).collect();
    Ok(reply::json(&json!({
        "imageDigest": digest(image), "imageId": id(image), "status": status,
        "nStop": image.stops, "nWarn": image.warns,
        "at": platform.seconds(image.evaluated_minutes_ago),
        "results": [{
            "policyId": POLICY.0, "policyName": platform.hostility.text(POLICY.1),
            "status": status, "nStop": image.stops, "nWarn": image.warns,
            "gateResults": gate_results,
        }],
    })))
}

/// `GET /images/{digest}/vulnSummary`: a severity without vulnerabilities has no key.
pub(super) async fn summary(
    State(platform): State<Arc<Platform>>,
    Path(image): Path<String>,
) -> Answer {
    let image = platform.image(&image)?;
    let mut kinds = Map::new();
    for kind in ["os", "non-os"] {
        let mut counts: Map<String, Value> = Map::new();
        for found in vulnerabilities_of(image).iter().filter(|found| found.kind == kind) {
            let count = counts.get(found.severity).and_then(Value::as_i64).unwrap_or(0);
            counts.insert(found.severity.to_owned(), json!(count + 1));
        }
        for count in counts.values_mut() {
            let shifted = count.as_i64().unwrap_or(0) + platform.settings.images.summary_offset;
            *count = json!(shifted);
        }
        kinds.insert(kind.to_owned(), counts.into());
    }
    Ok(reply::json(&kinds))
}

/// `GET /images/{digest}/vuln/{os|non-os}`.
pub(super) async fn vulnerabilities(
    State(platform): State<Arc<Platform>>,
    Path((image, kind)): Path<(String, String)>,
    Query(pairs): Pairs,
) -> Answer {
    let image = platform.image(&image)?;
    let number = |name: &str| parameter(&pairs, name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(usize::MAX).min(platform.settings.images.largest_page);
    let offset = number("offset").unwrap_or(0);
    let all = vulnerabilities_of(image);
    let all: Vec<_> = all.iter().filter(|found| kind == "all" || found.kind == kind).collect();
    let rows: Vec<_> = all
        .iter()
        .skip(offset)
        .take(limit)
        .map(|found| {
            json!({
                "vuln": found.id, "severity": found.severity,
                "package": format!("{}-1.2.3", found.package), "package_name": found.package,
                "package_version": "1.2.3", "package_type": "dpkg", "package_path": "pkgdb",
                "fix": if found.number.is_multiple_of(2) { "1.2.4" } else { "None" },
                "url": format!("https://vulnerabilities.example/{}", found.id),
                "feed": "vulnerabilities", "feed_group": "example:12",
                "disclosure_date": "2024-03-01T00:00:00Z",
            })
        })
        .collect();
    let more = offset + rows.len() < all.len();
    Ok(reply::json(&json!({
        "imageDigest": digest(image), "vtype": kind, "vulns": rows, "canLoadMore": more,
    })))
}

/// `GET /images/{digest}/vulnexceptions?tag=…`: the lists that a policy binds to the image, as public
/// clients read them.
pub(super) async fn exceptions(
    State(platform): State<Arc<Platform>>,
    Path(image): Path<String>,
    Query(pairs): Pairs,
) -> Answer {
    let image = platform.image(&image)?;
    if parameter(&pairs, "tag").is_some_and(|tag| tag != image.tag) {
        return Err(Refusal::not_found("Image not found"));
    }
    Ok(reply::json(&json!([platform.exception_list(image)])))
}

/// `GET /vulnexceptions/{id}`: one list.
pub(super) async fn exception_list(
    State(platform): State<Arc<Platform>>,
    Path(list): Path<String>,
) -> Answer {
    platform.scanner()?;
    let mut images = platform.settings.images.scanned.iter();
    let image = images.find(|image| list_of(image) == list);
    let image =
        image.ok_or_else(|| Refusal::not_found("Vulnerability exception list not found"))?;
    Ok(reply::json(&platform.exception_list(image)))
}

struct Found {
    number: u64,
    id: String,
    severity: &'static str,
    kind: &'static str,
    package: String,
}

fn vulnerabilities_of(image: &Image) -> Vec<Found> {
    let counts = &image.vulnerabilities;
    let severities = [
        ("Critical", counts.critical),
        ("High", counts.high),
        ("Medium", counts.medium),
        ("Low", counts.low),
        ("Negligible", counts.negligible),
        ("Unknown", counts.unknown),
    ];
    let all = severities.into_iter().flat_map(|(word, count)| (0..count).map(move |_| word));
    (0..)
        .zip(all)
        .map(|(number, severity)| Found {
            number,
            id: format!("CVE-2024-{}", 10_000 + number),
            severity,
            kind: if number % 3 == 2 { "non-os" } else { "os" },
            package: format!("lib{number}"),
        })
        .collect()
}

fn digest(image: &Image) -> String {
    let words = (0..4).map(|at| format!("{:016x}", mix(hash(&image.tag) ^ at)));
    format!("sha256:{}", words.collect::<String>())
}

fn id(image: &Image) -> String {
    let words = (4..8).map(|at| format!("{:016x}", mix(hash(&image.tag) ^ at)));
    words.collect()
}

/// The id of an image's own list of exceptions.
fn list_of(image: &Image) -> String {
    format!("vulnexception_{:016x}", hash(&image.tag))
}

impl Platform {
    fn exception_list(&self, image: &Image) -> Value {
        let found = vulnerabilities_of(image);
        let today = self.clock.at(self.clock.now()).date_naive().and_time(NaiveTime::MIN);
        let items = image.exceptions.iter().filter_map(|exception| {
            let vulnerability = found.iter().find(|found| found.number == exception.number)?;
            let end = exception.ends_in_days.map(|days| today + TimeDelta::days(days));
            Some(json!({
                "id": format!("vulnexceptionitem_{}", exception.number), "gate": "vulnerabilities",
                "trigger_id": format!("{}+*", vulnerability.id), "enabled": exception.enabled,
                "expiration_date": end.map(|end| end.and_utc().timestamp()),
                "notes": self.hostility.text("not reachable in this image".to_owned()),
            }))
        });
        json!({
            "id": list_of(image), "version": "1_0", "name": "Accepted for this image", "comment": "",
            "items": items.collect::<Vec<_>>(),
        })
    }

    fn scanner(&self) -> Result<(), Refusal> {
        match self.settings.images.legacy_missing {
            true => Err(Refusal::new(StatusCode::NOT_FOUND, "404 page not found")),
            false => Ok(()),
        }
    }

    /// An image by its digest or its id.
    fn image(&self, name: &str) -> Result<&Image, Refusal> {
        self.scanner()?;
        let images = &self.settings.images.scanned;
        let image = images.iter().find(|image| digest(image) == name || id(image) == name);
        match image {
            None => Err(Refusal::not_found("image not found in DB")),
            Some(image) if !image.analysed => {
                Err(Refusal::not_found("image is not analyzed - analysis_status: analyzing"))
            }
            Some(image) => Ok(image),
        }
    }
}
