//! Which images are read.

use serde::Deserialize;

use super::values::Value;
use crate::sources::written_as;

/// An image: by its tag, its digest or its id. A tag may be given with either of the others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ImageKeys")]
pub(crate) struct Image {
    pub by: ImageKey,
    /// The whole tag, with registry and repository.
    pub tag: Option<String>,
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
}

impl TryFrom<ImageKeys> for Image {
    type Error = String;

    fn try_from(keys: ImageKeys) -> Result<Self, String> {
        let tag = keys.tag.map(|tag| tag.0);
        if let Some(repository) = keys.repository {
            if tag.is_some() || keys.digest.is_some() || keys.image_id.is_some() {
                return Err("`repository` stands for all of its images; name a single image by \
                            `tag`, `digest` or `image_id` instead"
                    .to_owned());
            }
            return Ok(Self { by: ImageKey::Repository(repository.0), tag: None });
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
        Ok(Self { by, tag })
    }
}

written_as!(Image => ImageKeys);
