//! The view of all resources of a job, as it is sent (docs/platforms/opencomply.md#resource-view),
//! on borrowed text.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::finding::Severity;
use crate::sources::opencomply::wire::JobSummary;
use crate::text;

/// The view, with its passes as `O`: skipped, or read.
#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct View<'a, O> {
    #[serde(borrow, default)]
    pub(super) integrations: Entries<'a, Types<'a, O>>,
    pub(super) job_summary: Option<JobSummary>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Types<'a, O> {
    #[serde(borrow, default)]
    pub(super) resource_types: Entries<'a, Resources<'a, O>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Resources<'a, O> {
    #[serde(borrow, default)]
    pub(super) resources: Entries<'a, Resource<'a, O>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Resource<'a, O> {
    #[serde(borrow)]
    pub(super) resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) results: Option<Results<'a, O>>,
}

impl<'a, O: Passes<'a>> Resource<'a, O> {
    pub(super) fn alarms(&self) -> &[Alarm<'a>] {
        self.results.as_ref().and_then(|results| results.alarm.as_deref()).unwrap_or_default()
    }

    pub(super) fn passes(&self) -> &[Check<'a>] {
        let passes = self.results.as_ref().and_then(|results| results.ok.as_ref());
        passes.map_or(&[], Passes::checks)
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Results<'a, O> {
    #[serde(borrow)]
    pub(super) alarm: Option<Vec<Alarm<'a>>>,
    pub(super) ok: Option<O>,
}

pub(super) struct Alarm<'a> {
    pub(super) check: Check<'a>,
    pub(super) reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Check<'a> {
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    control_id: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Alarm<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Flat<'a> {
            #[serde(borrow)]
            severity: Option<Text<'a>>,
            #[serde(borrow)]
            control_id: Option<Text<'a>>,
            #[serde(borrow)]
            reason: Option<Text<'a>>,
        }
        let Flat { severity, control_id, reason } = Flat::deserialize(deserializer)?;
        Ok(Self { check: Check { severity, control_id }, reason })
    }
}

impl<'a> Check<'a> {
    pub(super) fn control_and_severity(
        &self,
        resource: Option<&str>,
    ) -> Result<(&str, Severity), String> {
        let Some(control) = self
            .control_id
            .as_ref()
            .and_then(|control| (!control.0.is_empty()).then_some(&*control.0))
        else {
            let resource = text::one_line(resource.unwrap_or("(not named)"), 100);
            return Err(format!("a check of resource {resource} has no `control_id`"));
        };
        let severity = self.severity.as_ref().map_or("", |severity| &severity.0);
        Ok((control, Severity::from_platform(severity)))
    }
}

/// Checks that passed, or nothing where they were skipped.
pub(super) trait Passes<'a> {
    fn checks(&self) -> &[Check<'a>];
}

impl<'a> Passes<'a> for IgnoredAny {
    fn checks(&self) -> &[Check<'a>] {
        &[]
    }
}

impl<'a> Passes<'a> for Vec<Check<'a>> {
    fn checks(&self) -> &[Check<'a>] {
        self
    }
}

/// Text that borrows from the answer, unless it has escapes: `&`, `<` and `>` always do.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Borrowed).map(Self)
    }
}

/// The entries of a map, or of a null, as they were sent.
pub(super) struct Entries<'a, V>(pub(super) Vec<(Text<'a>, V)>);

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrNull<'a, V>(PhantomData<(&'a str, V)>);
        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for MapOrNull<'a, V> {
            type Value = Entries<'a, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Entries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_any(MapOrNull(PhantomData))
    }
}
