//! The settings that choose what is asked for, as saved evidence states them.

use super::images::SUBJECTS;
use super::{Asked, Events, Image, Images, Inventory, Match, Posture, Value};
use crate::evidence::Filter;
use crate::finding::Severity;
use crate::selection::Field;
use crate::sources::{OneOrMore, SeverityWord};

impl Asked {
    pub(crate) fn filters(&self) -> Vec<Filter> {
        let (kind, filters) = match self {
            Self::Posture(posture) => ("posture", posture.filters()),
            Self::Images(images) => ("images", images.filters()),
            Self::Events(events) => ("events", events.filters()),
        };
        let reads = Filter::setting("reads", [kind]);
        [reads].into_iter().chain(filters).collect()
    }
}

impl Images {
    fn filters(&self) -> Vec<Filter> {
        let compared = self.list.iter().filter_map(|image| {
            let other = image.compare_to.as_ref()?;
            Some(format!("{} with {}", image.written(), other.written()))
        });
        let compared: Vec<_> = compared.collect();
        let mut list: Vec<_> = self.list.iter().map(Image::written).collect();
        if list.is_empty() && self.subjects.is_some() {
            list.push(SUBJECTS.to_owned());
        }
        let (detail, feed) = (self.vulnerabilities, self.feed_max_age.as_ref());
        let lists = [
            Some(Filter::setting("images", list)),
            detail.map(|detail| Filter::setting("vulnerabilities", [word(detail)])),
            (!compared.is_empty()).then(|| Filter::setting("compare_to", compared)),
            feed.map(|age| {
                Filter::setting("feed_max_age", [humantime::format_duration(age.most).to_string()])
            }),
            words("feed_groups", None, feed.and_then(|age| age.groups.as_ref())),
        ];
        lists.into_iter().flatten().collect()
    }
}

impl Posture {
    fn filters(&self) -> Vec<Filter> {
        let lists = [
            words("posture.policies", Some(Field::Framework), self.policies.as_ref()),
            words("posture.zones", None, self.zones.as_ref()),
            words("posture.platforms", None, self.platforms.as_ref()),
            // Of requirements, whose controls may be of other severities.
            severities("posture.severities", None, self.severities.as_ref()),
        ];
        let inventory = self.inventory.iter().flat_map(Inventory::filters).map(|filter| {
            let words = filter.words.iter().map(Match::to_string);
            Filter { field: filter.selector, ..Filter::setting(filter.key, words) }
        });
        lists.into_iter().flatten().chain(inventory).collect()
    }
}

impl Events {
    fn filters(&self) -> Vec<Filter> {
        let lists = [
            Some(Filter::setting("events.window", [self.window.to_string()])),
            Some(Filter::setting("events.detail", [word(self.detail)])),
            Some(Filter::setting("events.quiet", [word(self.quiet)])),
            Some(Filter::setting("events.severity_table", self.severity_table.lines())),
            severities("events.severities", Some(Field::Severity), self.severities.as_ref()),
        ];
        let by_words =
            self.words().map(|filter| words(filter.setting, Some(filter.field), filter.asked));
        lists.into_iter().chain(by_words).flatten().collect()
    }
}

/// A word of a setting, as a policy writes it.
fn word(setting: impl std::fmt::Debug) -> String {
    format!("{setting:?}").to_lowercase()
}

fn words(key: &str, field: Option<Field>, list: Option<&OneOrMore<Value>>) -> Option<Filter> {
    let OneOrMore(values) = list?;
    let words = values.iter().map(|value| value.0.clone());
    Some(Filter { field, ..Filter::setting(key, words) })
}

fn severities(
    key: &str,
    field: Option<Field>,
    list: Option<&OneOrMore<SeverityWord>>,
) -> Option<Filter> {
    let OneOrMore(words) = list?;
    let words = words.iter().map(|word| Severity::word(word.0));
    Some(Filter { field, ..Filter::setting(key, words) })
}
