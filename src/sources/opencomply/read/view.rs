//! The view of all resources of a job, as it is sent (docs/platforms/opencomply.md#resource-view):
//! integration → resource type → resource → checks. It is read while it arrives, and one resource of
//! it is held at a time.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer};
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::finding::Severity;
use crate::sources::opencomply::wire::JobSummary;
use crate::text;

/// What a view is handed to, in the order in which it arrives.
pub(super) trait TakeView {
    fn integration(&mut self, id: &str);

    /// A resource type of that integration.
    fn resource_type(&mut self, kind: &str);

    /// A resource of that type.
    ///
    /// # Errors
    /// A sentence, if it is not what the API promises.
    fn resource(&mut self, resource: &CheckedResource<'_>) -> Result<(), String>;
}

/// A resource, and what was checked about it.
pub(super) struct CheckedResource<'r> {
    pub id: &'r str,
    pub name: Option<&'r str>,
    pub alarms: &'r [Check],
    /// Empty where passes are skipped.
    pub passes: &'r [Check],
}

#[derive(Deserialize)]
pub(super) struct Check {
    severity: Option<String>,
    control_id: Option<String>,
    pub reason: Option<String>,
}

impl Check {
    pub(super) fn control_and_severity(&self, resource: &str) -> Result<(&str, Severity), String> {
        let Some(control) = self.control_id.as_deref().filter(|id| !id.is_empty()) else {
            let resource = match resource {
                "" => "(not named)".to_owned(),
                resource => text::one_line(resource, 100),
            };
            return Err(format!("a check of resource {resource} has no `control_id`"));
        };
        let severity = self.severity.as_deref().unwrap_or_default();
        Ok((control, Severity::from_platform(severity)))
    }
}

/// Checks that passed, or nothing where they are skipped.
pub(super) trait Passes: DeserializeOwned {
    fn checks(&self) -> &[Check];
}

impl Passes for IgnoredAny {
    fn checks(&self) -> &[Check] {
        &[]
    }
}

impl Passes for Vec<Check> {
    fn checks(&self) -> &[Check] {
        self
    }
}

/// Reads a view, with its passes as `O`: skipped, or read. The value: what it says it is of.
pub(super) struct ViewSeed<'t, T, O> {
    view: &'t mut T,
    passes: PhantomData<O>,
}

impl<'t, T: TakeView, O: Passes> ViewSeed<'t, T, O> {
    pub(super) fn new(view: &'t mut T) -> Self {
        Self { view, passes: PhantomData }
    }

    /// The same view, for a level below.
    fn below(&mut self) -> ViewSeed<'_, T, O> {
        ViewSeed::new(self.view)
    }
}

impl<'de, T: TakeView, O: Passes> DeserializeSeed<'de> for ViewSeed<'_, T, O> {
    type Value = Option<JobSummary>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let mut document = Document { view: self, about: None };
        EachEntry(&mut document).deserialize(deserializer)?;
        Ok(document.about)
    }
}

/// One level of a view.
trait Level {
    /// Takes the value of this key.
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// An object, or a null, of which one entry is taken after the other.
struct EachEntry<'l, L>(&'l mut L);

impl<'de, L: Level> DeserializeSeed<'de> for EachEntry<'_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L: Level> Visitor<'de> for EachEntry<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut key = String::new();
        while map.next_key_seed(KeyInto(&mut key))?.is_some() {
            self.0.entry(&key, &mut map)?;
        }
        Ok(())
    }
}

/// A key, in place of the one before it.
struct KeyInto<'k>(&'k mut String);

impl<'de> DeserializeSeed<'de> for KeyInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<(), E> {
        key.clone_into(self.0);
        Ok(())
    }
}

struct Document<'t, T, O> {
    view: ViewSeed<'t, T, O>,
    about: Option<JobSummary>,
}

impl<T: TakeView, O: Passes> Level for Document<'_, T, O> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "integrations" => map.next_value_seed(EachEntry(&mut Integrations(self.view.below()))),
            "job_summary" => map.next_value().map(|about| self.about = about),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

struct Integrations<'t, T, O>(ViewSeed<'t, T, O>);

impl<T: TakeView, O: Passes> Level for Integrations<'_, T, O> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.view.integration(key);
        let mut types = Only { key: "resource_types", level: Types(self.0.below()) };
        map.next_value_seed(EachEntry(&mut types))
    }
}

struct Types<'t, T, O>(ViewSeed<'t, T, O>);

impl<T: TakeView, O: Passes> Level for Types<'_, T, O> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.view.resource_type(key);
        let mut resources = Only { key: "resources", level: Resources(self.0.below()) };
        map.next_value_seed(EachEntry(&mut resources))
    }
}

struct Resources<'t, T, O>(ViewSeed<'t, T, O>);

impl<T: TakeView, O: Passes> Level for Resources<'_, T, O> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(ResourceSeed { view: self.0.below(), id: key })
    }
}

/// An object of which one entry matters.
struct Only<L> {
    key: &'static str,
    level: L,
}

impl<L: Level> Level for Only<L> {
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key == self.key {
            true => map.next_value_seed(EachEntry(&mut self.level)),
            false => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

/// A resource, of which nothing is kept here.
struct ResourceSeed<'t, 'k, T, O> {
    view: ViewSeed<'t, T, O>,
    id: &'k str,
}

impl<'de, T: TakeView, O: Passes> DeserializeSeed<'de> for ResourceSeed<'_, '_, T, O> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        #[derive(Deserialize)]
        #[serde(bound(deserialize = "O: Passes"))]
        struct Resource<O> {
            resource_name: Option<String>,
            results: Option<Results<O>>,
        }
        #[derive(Deserialize)]
        #[serde(bound(deserialize = "O: Passes"))]
        struct Results<O> {
            alarm: Option<Vec<Check>>,
            ok: Option<O>,
        }
        let Resource { resource_name, results } = Resource::<O>::deserialize(deserializer)?;
        let (alarms, passes) = results.map_or((None, None), |each| (each.alarm, each.ok));
        let resource = CheckedResource {
            id: self.id,
            name: resource_name.as_deref(),
            alarms: alarms.as_deref().unwrap_or_default(),
            passes: passes.as_ref().map_or(&[], Passes::checks),
        };
        self.view.view.resource(&resource).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[derive(Default)]
    struct Taken(Vec<String>);

    impl TakeView for Taken {
        fn integration(&mut self, id: &str) {
            self.0.push(format!("integration {id}"));
        }

        fn resource_type(&mut self, kind: &str) {
            self.0.push(format!("type {kind}"));
        }

        fn resource(&mut self, resource: &CheckedResource<'_>) -> Result<(), String> {
            let CheckedResource { id, name, alarms, passes } = resource;
            let checks = alarms.iter().chain(*passes);
            let controls = checks.map(|check| Ok(check.control_and_severity(id)?.0.to_owned()));
            let controls: Result<Vec<_>, String> = controls.collect();
            self.0.push(format!("{id} {name:?}: {}", controls?.join(" ")));
            Ok(())
        }
    }

    fn read<O: Passes>(text: &str) -> Result<(Vec<String>, Option<JobSummary>), String> {
        let mut taken = Taken::default();
        let about = json::from_reader(text.as_bytes(), ViewSeed::<_, O>::new(&mut taken));
        about.map(|about| (taken.0, about)).map_err(|error| error.to_string())
    }

    const VIEW: &str = r#"{"controls": null, "job_summary": {"job_id": "136"},
        "integrations": {"i1": {"resource_types": {
            "bucket": {"resources": {
                "b1": {"results": {"alarm": [{"severity": "high", "control_id": "c1"}],
                                   "ok": [{"severity": "low", "control_id": "c2"}]},
                       "resource_name": "one"},
                "b2": {"resource_name": null, "results": {"ok": null}}}},
            "": {"resources": null}}},
          "i2": {"resource_types": null}}, "audit_summary": {}}"#;

    #[test]
    fn a_view_is_taken_in_its_order() {
        let (taken, about) = read::<Vec<Check>>(VIEW).unwrap();
        let rest = ["b2 None: ", "type ", "integration i2"];
        let first = ["integration i1", "type bucket", "b1 Some(\"one\"): c1 c2"];
        assert_eq!(taken, [first, rest].concat());
        assert_eq!(about.unwrap().job_id.unwrap().0, 136);
        let (taken, _) = read::<IgnoredAny>(VIEW).unwrap();
        assert_eq!(taken[2], "b1 Some(\"one\"): c1");
    }

    #[test]
    fn repeated_keys_are_refused_on_every_level() {
        for (once, repeated) in [
            (r#""audit_summary": {}"#, r#""integrations": {}"#),
            (r#""i2": {"#, r#""i1": {"#),
            (r#""": {"resources""#, r#""bucket": {"resources""#),
            (r#""b2": {"#, r#""b1": {"#),
            (r#""resource_name": null"#, r#""results": null"#),
        ] {
            let error = read::<IgnoredAny>(&VIEW.replace(once, repeated)).unwrap_err();
            assert!(error.contains("repeated") || error.contains("duplicate"), "{error}");
        }
    }

    #[test]
    fn what_is_no_view_is_an_error() {
        for (text, words) in [
            ("[]", "a map"),
            (r#"{"integrations": 3}"#, "a map"),
            (r#"{"integrations": {"i1": {"resource_types": {"t": {"resources": []}}}}}"#, "a map"),
            (&VIEW[..200], "ends too early"),
            (&*VIEW.replace("control_id", "control"), "b1 has no `control_id`"),
        ] {
            let error = read::<Vec<Check>>(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    /// Memory that is charged for one resource is free again after it.
    #[test]
    fn a_large_view_is_not_taken_for_a_large_value() {
        let checks = vec!["{}"; 100].join(",");
        let resources: Vec<_> = (0..10_000)
            .map(|number| format!(r#""r{number}":{{"results":{{"alarm":[{checks}]}}}}"#))
            .collect();
        let types = format!(r#"{{"t":{{"resources":{{{}}}}}}}"#, resources.join(","));
        let view = format!(r#"{{"integrations":{{"i":{{"resource_types":{types}}}}}}}"#);
        struct Counted(u64);
        impl TakeView for Counted {
            fn integration(&mut self, _: &str) {}
            fn resource_type(&mut self, _: &str) {}
            fn resource(&mut self, resource: &CheckedResource<'_>) -> Result<(), String> {
                self.0 += resource.alarms.len() as u64;
                Ok(())
            }
        }
        let mut counted = Counted(0);
        let seed = ViewSeed::<_, IgnoredAny>::new(&mut counted);
        json::from_reader(view.as_bytes(), seed).unwrap();
        assert_eq!(counted.0, 1_000_000);
    }
}
