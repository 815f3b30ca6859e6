//! How old the scanner's own data are: "no vulnerability" means little where the scanner knows only
//! those of last month (docs/platforms/sysdig.md#images).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::settings::{FeedAge, values};
use super::super::units::{Stamp, given};
use crate::evidence::MOST_AHEAD;
use crate::finding::{Cause, Problem};
use crate::http::{Answer, HttpError};
use crate::json::Whole;
use crate::selection::Pattern;
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

/// The data of one distribution, or of one kind of package.
#[derive(Deserialize)]
struct Group {
    name: Option<String>,
    enabled: Option<bool>,
    last_sync: Option<Stamp>,
    record_count: Option<Whole>,
}

/// A list within an object; the answer may also be the list itself.
#[derive(Deserialize)]
struct Feeds {
    feeds: Option<Vec<Feed>>,
}

/// What is known of the age of the data.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) note: Option<String>,
    pub(super) problem: Option<Problem>,
}

/// What is synchronised by itself: a group, or a feed as a whole.
struct Synced {
    feed: String,
    group: Option<String>,
    /// Or why it is not known.
    at: Result<DateTime<Utc>, String>,
}

/// The data that were synchronised longest ago.
#[derive(Debug, PartialEq, Eq)]
struct Oldest {
    name: String,
    synced: DateTime<Utc>,
    /// Of how many.
    of: usize,
}

/// Asks how old the data are. Without a greatest age, an unknown one is only a note.
pub(super) async fn age(session: &Session, most: Option<&FeedAge>) -> Known {
    let groups: Vec<_> =
        most.into_iter().flat_map(|most| values(most.groups.as_ref())).map(Pattern::new).collect();
    let now = Utc::now();
    let oldest = match session.http.get("api/scanning/v1/system/feeds", &[]).send().await {
        Ok(answer) => feeds(&answer).and_then(|feeds| oldest(feeds, &groups, now)),
        Err(error) => Err(error.to_string()),
    };
    match (oldest, most) {
        (Ok(oldest), most) => Known {
            note: Some(format!(
                "vulnerability feed `{}` synchronised {}, the oldest of {}",
                oldest.name,
                oldest.synced.format("%Y-%m-%d %H:%M UTC"),
                oldest.of
            )),
            problem: most.and_then(|most| too_old(session, &oldest, most.most, now)),
        },
        (Err(why), None) => Known {
            note: Some(format!("the age of the vulnerability feeds is not known: {why}")),
            problem: None,
        },
        (Err(why), Some(_)) => {
            let message =
                format!("{}: the age of the vulnerability feeds is not known: {why}", session.name);
            let help = match groups.is_empty() {
                true => {
                    "check that the token may read `system/feeds` and that the scanner's feeds are \
                     synchronised; `feed_groups` names the groups that matter"
                }
                false => {
                    "check `feed_groups`, and that the scanner's feeds are synchronised; the token \
                     needs to read `system/feeds`"
                }
            };
            let problem = Problem::new(Cause::Incomplete, message).help(help);
            Known { note: None, problem: Some(problem) }
        }
    }
}

/// # Errors
/// Why they are not known.
fn feeds(answer: &Answer) -> Result<Vec<Feed>, String> {
    let failed = |error: HttpError| error.to_string();
    match answer.json::<Value>().map_err(failed)?.is_array() {
        true => answer.json().map_err(failed),
        false => {
            let Feeds { feeds } = answer::object(answer).map_err(failed)?;
            feeds.ok_or_else(|| "the answer has no `feeds`".to_owned())
        }
    }
}

/// The data that were synchronised longest ago, of the groups that these patterns name, or of all.
/// Every group is synchronised in each cycle, also that of a distribution that has reached its end,
/// and an image without vulnerabilities does not say which group it needs.
///
/// # Errors
/// Why it is not known.
fn oldest(feeds: Vec<Feed>, wanted: &[Pattern], now: DateTime<Utc>) -> Result<Oldest, String> {
    let counts = |feed: &Feed| {
        feed.enabled != Some(false) && feed.name.as_deref() != Some(WITHOUT_VULNERABILITIES)
    };
    let all: Vec<_> = feeds.into_iter().filter(counts).flat_map(Feed::synced).collect();
    if let Some(pattern) = wanted.iter().find(|wanted| !all.iter().any(|one| one.is_of(wanted))) {
        let names = text::one_line(&text::listed(all.iter().map(Synced::name), ", ", 12), 400);
        let pattern = text::one_line(pattern.as_str(), 60);
        return Err(format!("no feed that is in use is `{pattern}` of `feed_groups`, of: {names}"));
    }
    let is_wanted = |one: &Synced| wanted.is_empty() || wanted.iter().any(|by| one.is_of(by));
    let all: Vec<_> = all.into_iter().filter(is_wanted).collect();
    let mut oldest: Option<Oldest> = None;
    for one in &all {
        let synced = one.at.clone().map_err(|why| format!("feed `{}` {why}", one.name()))?;
        if synced > now + MOST_AHEAD {
            return Err(format!("feed `{}` is dated in the future ({synced})", one.name()));
        }
        if oldest.as_ref().is_none_or(|other| synced < other.synced) {
            oldest = Some(Oldest { name: one.name(), synced, of: all.len() });
        }
    }
    oldest.ok_or_else(|| "the platform lists no feed".to_owned())
}

impl Feed {
    /// Its groups, and itself: by its groups alone if it states no time of its own.
    fn synced(self) -> Vec<Synced> {
        let feed = name(&self.name);
        let own = |at| Some(Synced { feed: feed.clone(), group: None, at });
        let own = match (&self.last_full_sync, &self.groups) {
            (_, Some(groups)) if groups.is_empty() => own(Err("has no groups".to_owned())),
            (None, Some(_)) => None,
            (last, _) => own(moment(last.as_ref())),
        };
        let groups = self.groups.unwrap_or_default();
        let groups = groups.into_iter().filter(|group| group.enabled != Some(false));
        let groups = groups.map(|group| {
            let at = match group.record_count {
                Some(Whole(0)) => Err("has no records".to_owned()),
                _ => moment(group.last_sync.as_ref()),
            };
            Synced { feed: feed.clone(), group: Some(name(&group.name)), at }
        });
        groups.chain(own).collect()
    }
}

impl Synced {
    fn name(&self) -> String {
        match &self.group {
            Some(group) => format!("{}/{group}", self.feed),
            None => self.feed.clone(),
        }
    }

    /// Whether a pattern means it: by its own name, or by that of its feed.
    fn is_of(&self, pattern: &Pattern) -> bool {
        let group = self.group.as_deref();
        pattern.matches(&self.feed)
            || pattern.matches(&self.name())
            || group.is_some_and(|group| pattern.matches(group))
    }
}

fn name(given_name: &Option<String>) -> String {
    text::one_line(given(given_name).unwrap_or("(no name)"), 60)
}

/// # Errors
/// Why it is not known when something was synchronised.
fn moment(stated: Option<&Stamp>) -> Result<DateTime<Utc>, String> {
    let stated = stated.ok_or("was never synchronised")?;
    stated.moment().ok_or_else(|| {
        format!("was synchronised at `{}`, which is no time", text::one_line(stated.text(), 40))
    })
}

fn too_old(
    session: &Session,
    oldest: &Oldest,
    most: Duration,
    now: DateTime<Utc>,
) -> Option<Problem> {
    let Oldest { name, synced, .. } = oldest;
    let age = now - synced;
    let words = |age: Duration| humantime::format_duration(age).to_string();
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
    Some(Problem::new(Cause::Incomplete, message).help(
        "synchronise the scanner's feeds; vulnerabilities published since are unknown to it; \
             where this group matters to none of the images, name those that do in `feed_groups`",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EARLY: &str = "2026-11-01T00:00:00Z";
    const LATE: &str = "2026-11-02T00:00:00.123456";
    const NOW: &str = "2026-11-02T06:00:00Z";

    fn of_groups(feeds: &Value, groups: &[&str]) -> Result<(String, usize), String> {
        let feeds = serde_json::from_value(feeds.clone()).map_err(|error| error.to_string())?;
        let groups: Vec<_> = groups.iter().map(|group| Pattern::new(*group)).collect();
        oldest(feeds, &groups, NOW.parse().unwrap()).map(|oldest| (oldest.name, oldest.of))
    }

    fn read(feeds: &Value) -> Result<(String, usize), String> {
        of_groups(feeds, &[])
    }

    fn group(name: &str, at: &str) -> Value {
        json!({"name": name, "last_sync": at})
    }

    #[test]
    fn the_group_or_feed_that_was_synchronised_longest_ago_counts() {
        let feed = |name: &str, groups: &[Value]| json!({"name": name, "groups": groups});
        let found = |name: &str, of: usize| Ok((name.to_owned(), of));
        let (old, new) = (group("alpine:3.20", EARLY), group("debian:12", LATE));
        let both = json!([feed("nvdv2", &[group("nvdv2:cves", LATE)]), feed("v", &[new, old])]);
        assert_eq!(read(&both), found("v/alpine:3.20", 3));
        assert_eq!(of_groups(&both, &["debian:*", "nvdv2"]).unwrap().1, 2);
        assert_eq!(of_groups(&both, &["v/alpine:3.20"]), found("v/alpine:3.20", 1));
        let error = of_groups(&both, &["debian:12", "debian:13"]).unwrap_err();
        assert!(error.contains("`debian:13` of `feed_groups`, of: nvdv2/nvdv2:cves"), "{error}");
        // A feed that says of itself when all of it was synchronised, with groups and without.
        let of_all = json!([{"name": "v", "last_full_sync": EARLY, "groups": [group("a", LATE)]}]);
        assert_eq!(read(&of_all), found("v", 2));
        assert_eq!(read(&json!([{"name": "a", "last_full_sync": EARLY}])), found("a", 1));
        let fresh = json!([{"name": "v", "last_full_sync": LATE, "groups": [group("a", EARLY)]}]);
        assert_eq!(read(&fresh), found("v/a", 2));
        // None of these has vulnerabilities that a scan could find.
        let others = json!([
            feed("packages", &[group("gem", EARLY)]),
            {"name": "github", "enabled": false},
            feed("v", &[json!({"name": "b", "enabled": false}), group("a", LATE)])
        ]);
        assert_eq!(read(&others), found("v/a", 1));
    }

    #[test]
    fn an_age_that_is_not_stated_is_not_known() {
        let after =
            |group: Value| json!([{"name": "n", "last_full_sync": LATE, "groups": [group]}]);
        for (feeds, has) in [
            (json!([]), "no feed"),
            (json!([{"name": "packages"}]), "no feed"),
            (json!([{"name": "nvdv2"}]), "feed `nvdv2` was never synchronised"),
            (after(json!({"name": "a"})), "feed `n/a` was never synchronised"),
            (after(group("a", "soon")), "feed `n/a` was synchronised at `soon`"),
            (after(group("a", "2027-11-01T00:00:00Z")), "feed `n/a` is dated in the future"),
            (
                after(json!({"name": "a", "last_sync": LATE, "record_count": 0})),
                "feed `n/a` has no records",
            ),
            (json!([{"name": "n", "last_full_sync": "x", "groups": [group("a", LATE)]}]), "`x`"),
        ] {
            let error = read(&feeds).unwrap_err();
            assert!(error.contains(has), "{feeds}: {error}");
        }
    }
}
