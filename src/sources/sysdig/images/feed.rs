//! How old the scanner's own data are: "no vulnerability" means little where the scanner knows only
//! those of last month (docs/platforms/sysdig.md#images).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::units::{Stamp, given};
use crate::evidence::MOST_AHEAD;
use crate::finding::{Cause, Problem};
use crate::http::{Answer, HttpError};
use crate::sources::Session;
use crate::text;

/// A feed that has names of packages, and no vulnerabilities.
const WITHOUT_VULNERABILITIES: &str = "packages";

#[derive(Deserialize)]
struct Feed {
    name: Option<String>,
    enabled: Option<bool>,
    last_full_sync: Option<Stamp>,
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    last_sync: Option<Stamp>,
}

/// A list within an object; the answer may also be the list itself.
#[derive(Deserialize)]
struct Feeds {
    feeds: Option<Vec<Feed>>,
}

/// What is known of the age of the data.
#[derive(Debug, Default)]
pub(super) struct FeedAge {
    pub(super) note: Option<String>,
    pub(super) problem: Option<Problem>,
}

/// Asks how old the data are. Without a greatest age, an unknown one is only a note.
pub(super) async fn age(session: &Session, most: Option<Duration>) -> FeedAge {
    let oldest = match session.http.get("api/scanning/v1/system/feeds", &[]).send().await {
        Ok(answer) => oldest(&answer),
        Err(error) => Err(error.to_string()),
    };
    match (oldest, most) {
        (Ok((name, synced)), most) => FeedAge {
            note: Some(format!(
                "vulnerability feed `{name}` synchronised {}",
                synced.format("%Y-%m-%d %H:%M UTC")
            )),
            problem: most.and_then(|most| too_old(session, &name, synced, most, Utc::now())),
        },
        (Err(why), None) => FeedAge {
            note: Some(format!("the age of the vulnerability feeds is not known: {why}")),
            problem: None,
        },
        (Err(why), Some(_)) => {
            let message =
                format!("{}: the age of the vulnerability feeds is not known: {why}", session.name);
            let problem = Problem::new(Cause::Incomplete, message)
                .help("check that the token may read `system/feeds`, or leave out `feed_max_age`");
            FeedAge { note: None, problem: Some(problem) }
        }
    }
}

/// # Errors
/// Why it is not known.
fn oldest(answer: &Answer) -> Result<(String, DateTime<Utc>), String> {
    let failed = |error: HttpError| error.to_string();
    let feeds = match answer.json::<Value>().map_err(failed)?.is_array() {
        true => answer.json().map_err(failed)?,
        false => {
            let Feeds { feeds } = answer::object(answer).map_err(failed)?;
            feeds.ok_or("the answer has no `feeds`")?
        }
    };
    oldest_of(feeds)
}

/// The feed that was synchronised longest ago, and when. A feed is as new as its newest group: groups
/// of distributions that have reached their end are not synchronised any more.
///
/// # Errors
/// Why it is not known.
fn oldest_of(feeds: Vec<Feed>) -> Result<(String, DateTime<Utc>), String> {
    let counts = |feed: &Feed| {
        feed.enabled != Some(false) && feed.name.as_deref() != Some(WITHOUT_VULNERABILITIES)
    };
    let mut oldest: Option<(String, DateTime<Utc>)> = None;
    for feed in feeds.into_iter().filter(counts) {
        let name = text::one_line(given(&feed.name).unwrap_or("(no name)"), 60);
        let groups = feed.groups.iter().flatten().filter_map(|group| group.last_sync.as_ref());
        let times = groups.chain(&feed.last_full_sync).filter_map(Stamp::moment);
        let Some(synced) = times.max() else {
            return Err(format!("feed `{name}` was never synchronised"));
        };
        if oldest.as_ref().is_none_or(|(_, other)| synced < *other) {
            oldest = Some((name, synced));
        }
    }
    oldest.ok_or_else(|| "the platform lists no feed".to_owned())
}

fn too_old(
    session: &Session,
    name: &str,
    synced: DateTime<Utc>,
    most: Duration,
    now: DateTime<Utc>,
) -> Option<Problem> {
    let age = now - synced;
    let words = |age: Duration| humantime::format_duration(age).to_string();
    if age < -MOST_AHEAD {
        let message = format!(
            "{}: vulnerability feed `{name}` is dated in the future ({synced})",
            session.name
        );
        return Some(Problem::new(Cause::Contradictory, message));
    }
    if TimeDelta::from_std(most).is_ok_and(|most| age <= most) {
        return None;
    }
    // To the minute.
    let minutes = u64::try_from(age.num_minutes()).unwrap_or_default();
    let message = format!(
        "{}: vulnerability feed `{name}` was synchronised {} ago, and `feed_max_age` is {}",
        session.name,
        words(Duration::from_secs(minutes * 60)),
        words(most)
    );
    Some(
        Problem::new(Cause::Incomplete, message).help(
            "synchronise the scanner's feeds; vulnerabilities published since are unknown to it",
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(feeds: Value) -> Result<(String, i64), String> {
        let feeds = serde_json::from_value(feeds).map_err(|error| error.to_string())?;
        oldest_of(feeds).map(|(name, synced)| (name, synced.timestamp()))
    }

    #[test]
    fn the_feed_that_was_synchronised_longest_ago_counts() {
        let feed = |name: &str, at: Value| json!({"name": name, "groups": [{"name": "g", "last_sync": at}]});
        let early = json!("2026-11-01T00:00:00Z");
        let late = json!("2026-11-02T00:00:00.123456");
        let list = json!([feed("nvdv2", late.clone()), feed("vulnerabilities", early.clone())]);
        let expected = Ok(("vulnerabilities".to_owned(), 1_793_491_200));
        assert_eq!(read(list), expected);
        let two = json!([{"name": "a", "groups": [{"last_sync": early}, {"last_sync": late}]}]);
        assert_eq!(read(two).unwrap().1, 1_793_577_600);
        let full = json!([{"name": "a", "last_full_sync": early, "groups": []}]);
        assert_eq!(read(full).unwrap().1, 1_793_491_200);
        // Neither of them has vulnerabilities that a scan could find.
        let others = json!([
            feed("packages", json!(null)),
            {"name": "github", "enabled": false},
            feed("nvdv2", late)
        ]);
        assert_eq!(read(others).unwrap().0, "nvdv2");
    }

    #[test]
    fn an_age_that_is_not_stated_is_not_known() {
        for (feeds, has) in [
            (json!([]), "no feed"),
            (json!([{"name": "packages"}]), "no feed"),
            (json!([{"name": "nvdv2"}]), "`nvdv2` was never synchronised"),
            (json!([{"name": "n", "groups": [{"last_sync": "soon"}]}]), "never synchronised"),
        ] {
            let error = read(feeds.clone()).unwrap_err();
            assert!(error.contains(has), "{feeds}: {error}");
        }
    }
}
