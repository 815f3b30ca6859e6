//! Which images are read.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::values::{Detail, Value};
use crate::artefact::Artefact;
use crate::sources::{OneOrMore, schema_of, written_as};

/// Which images are read, and what of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Images {
    /// Empty only where they are named in a file that is read later, or by the run.
    pub list: Vec<Image>,
    /// Whether they are the subjects of the run.
    pub subjects: Option<Subjects>,
    pub vulnerabilities: Option<Detail>,
    pub feed_max_age: Option<FeedAge>,
}

/// How old the scanner's own data may be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedAge {
    pub most: Duration,
    /// The groups and feeds that it is about; all of them if it names none.
    pub groups: Option<OneOrMore<Value>>,
}

/// Images that the run names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subjects {
    /// Vulnerabilities that this image has too do not count.
    pub compare_to: Option<Box<Image>>,
}

impl Images {
    /// These artefacts as the images, if the run names them.
    pub(crate) fn of_artefacts(&self, artefacts: &[Artefact]) -> Option<Self> {
        let Subjects { compare_to } = self.subjects.as_ref()?;
        let image = |artefact: &Artefact| Image {
            by: ImageKey::Digest(artefact.digest()),
            tag: Some(artefact.name.clone()),
            compare_to: compare_to.clone(),
        };
        Some(Self { list: artefacts.iter().map(image).collect(), ..self.clone() })
    }

    /// # Errors
    /// A sentence, if something is asked for that needs something else.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(image) = self.list.iter().find(|image| image.is_compared_with_itself()) {
            return Err(format!(
                "image `{}` is compared with itself, so nothing of it would count; `compare_to` \
                 names another image, such as the one that runs in production",
                image.written()
            ));
        }
        let of_subjects = self.subjects.as_ref().map(|subjects| &subjects.compare_to);
        let compared = self.list.iter().map(|image| &image.compare_to).chain(of_subjects);
        let compares = compared.into_iter().any(Option::is_some);
        match self.vulnerabilities {
            Some(Detail::Findings) => Ok(()),
            _ if compares => Err("`compare_to` leaves out vulnerabilities that another image has \
                                  too; set `vulnerabilities: findings`"
                .to_owned()),
            _ => Ok(()),
        }
    }
}

/// The value of `images`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chosen {
    Listed(Vec<Image>),
    /// Those that the run is about.
    Subjects,
}

/// The word for the subjects of the run.
pub(super) const SUBJECTS: &str = "subjects";

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChosenVisitor;
        impl<'de> Visitor<'de> for ChosenVisitor {
            type Value = Chosen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of images, or `subjects` for those of the run")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Chosen, E> {
                match text {
                    SUBJECTS => Ok(Chosen::Subjects),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Chosen, A::Error> {
                let list = de::value::SeqAccessDeserializer::new(list);
                Vec::deserialize(list).map(Chosen::Listed)
            }
        }
        deserializer.deserialize_any(ChosenVisitor)
    }
}

/// An image: by its tag, its digest or its id. A tag may be given with either of the others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ImageKeys")]
pub(crate) struct Image {
    pub by: ImageKey,
    /// The whole tag, with registry and repository.
    pub tag: Option<String>,
    /// Its vulnerabilities that this image has too do not count.
    pub compare_to: Option<Box<Self>>,
}

impl Image {
    /// As a policy names it.
    pub(super) fn written(&self) -> String {
        let by = match &self.by {
            ImageKey::Tag => None,
            ImageKey::Digest(text) | ImageKey::Id(text) | ImageKey::Repository(text) => Some(text),
        };
        let words: Vec<_> = self.tag.iter().chain(by).map(String::as_str).collect();
        words.join(" ")
    }

    /// Whether `compare_to` is the same reference.
    fn is_compared_with_itself(&self) -> bool {
        self.compare_to.as_deref().is_some_and(|other| match (&self.by, &other.by) {
            (ImageKey::Tag, ImageKey::Tag) => self.tag == other.tag,
            (by, other) => by == other,
        })
    }
}

/// How an image is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageKey {
    Tag,
    Digest(String),
    Id(String),
    /// All scanned images of repositories that match this pattern.
    Repository(String),
}

/// An image by its tag, its digest or its id.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigImage"))]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageKeys {
    /// The whole tag, such as `registry.example.com/shop/api:1.4`.
    #[serde(default)]
    tag: Option<Value>,
    /// `sha256:…` of the manifest.
    #[serde(default)]
    digest: Option<Value>,
    /// The image's own id.
    #[serde(default)]
    image_id: Option<Value>,
    /// All scanned images of a repository, with its registry; `*` matches anything.
    #[serde(default)]
    repository: Option<Value>,
    /// Vulnerabilities that this image has too do not count: a tag, a digest, or a map.
    #[serde(default)]
    compare_to: Option<Reference>,
}

impl TryFrom<ImageKeys> for Image {
    type Error = String;

    fn try_from(keys: ImageKeys) -> Result<Self, String> {
        let tag = keys.tag.map(|tag| tag.0);
        let compare_to = keys.compare_to.map(|image| Box::new(image.0));
        if let Some(repository) = keys.repository {
            if tag.is_some() || keys.digest.is_some() || keys.image_id.is_some() {
                return Err("`repository` stands for all of its images; name a single image by \
                            `tag`, `digest` or `image_id` instead"
                    .to_owned());
            }
            return Ok(Self { by: ImageKey::Repository(repository.0), tag: None, compare_to });
        }
        let by = match (keys.digest, keys.image_id, &tag) {
            (Some(_), Some(_), _) => {
                return Err("an image is named by `digest` or by `image_id`, not both".to_owned());
            }
            (Some(digest), None, _) if !digest.0.contains(':') => {
                return Err(format!(
                    "`digest: {}` has no algorithm; write `sha256:…`, or `image_id`",
                    digest.0
                ));
            }
            (Some(digest), None, _) => ImageKey::Digest(digest.0),
            (None, Some(id), _) => ImageKey::Id(id.0),
            (None, None, Some(_)) => ImageKey::Tag,
            (None, None, None) => {
                return Err(
                    "an image needs `tag`, `digest` or `image_id`, or `repository` for all of one"
                        .to_owned(),
                );
            }
        };
        Ok(Self { by, tag, compare_to })
    }
}

/// Another image, to compare with: a tag, a digest, or a map as for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference(pub Image);

/// A single image.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigSingleImage"))]
#[serde(deny_unknown_fields)]
struct SingleKeys {
    /// The whole tag.
    #[serde(default)]
    tag: Option<Value>,
    /// `sha256:…` of the manifest.
    #[serde(default)]
    digest: Option<Value>,
    /// The image's own id.
    #[serde(default)]
    image_id: Option<Value>,
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReferenceVisitor;
        impl<'de> Visitor<'de> for ReferenceVisitor {
            type Value = Reference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an image: its tag, its digest `sha256:…`, or a map with one of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Reference, E> {
                let value = Value::deserialize(de::value::StrDeserializer::new(text))?;
                let (by, tag) = match value.0.starts_with("sha256:") {
                    true => (ImageKey::Digest(value.0), None),
                    false => (ImageKey::Tag, Some(value.0)),
                };
                Ok(Reference(Image { by, tag, compare_to: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reference, A::Error> {
                let map = de::value::MapAccessDeserializer::new(map);
                let SingleKeys { tag, digest, image_id } = SingleKeys::deserialize(map)?;
                let keys = ImageKeys { tag, digest, image_id, repository: None, compare_to: None };
                Image::try_from(keys).map(Reference).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

schema_of! {
    Chosen, "SysdigImages", |generator| {
        let image = generator.subschema_for::<Image>();
        let list = serde_json::json!({"type": "array", "items": image, "minItems": 1});
        schemars::json_schema!({"anyOf": [list, {"const": SUBJECTS}]})
    };
    Reference, "SysdigImageReference", |generator| {
        let map = generator.subschema_for::<SingleKeys>();
        schemars::json_schema!({"anyOf": [{"type": "string", "minLength": 1}, map]})
    };
}

written_as!(Image => ImageKeys);
