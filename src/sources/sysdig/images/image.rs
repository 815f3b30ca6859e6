//! An image, as the rest of the source sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::settings::Image;
use super::scans::Row;
use super::wire::Evaluation;
use crate::finding::{Facets, Finding, Identity, ImagePart, Subject};
use crate::http::{Call, Http};
use crate::selection::Field;
use crate::text;

/// An image that was analysed.
#[derive(Clone, Debug)]
pub(super) struct AnalysedImage {
    /// As the policy names it, with all its tags.
    pub(super) name: String,
    pub(super) address: Address,
    /// The tags by which the policy names it, sorted.
    pub(super) tags: BTreeSet<String>,
    pub(super) evaluation: Evaluation,
    /// What the list of scans says of it, where that was read.
    pub(super) row: Row,
    /// The image that it is compared with.
    pub(super) compare_to: Option<Box<Image>>,
}

/// How the platform addresses an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Digest(String),
    Id(String),
}

impl Address {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Digest(text) | Self::Id(text) => text,
        }
    }

    /// A call about the image. Some calls have another name by id (docs/platforms/sysdig.md#images).
    pub(super) fn get<'a>(&self, http: &'a Http, by_digest: &str, by_id: &str) -> Call<'a> {
        match self {
            Self::Digest(digest) => {
                http.get(&format!("api/scanning/v1/images/{{}}/{by_digest}"), &[digest])
            }
            Self::Id(id) => http.get(&format!("api/scanning/v1/images/by_id/{{}}/{by_id}"), &[id]),
        }
    }
}

impl AnalysedImage {
    /// Adds the tags of another finding of the same image.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.row.fails() {
            self.row = other.row.clone();
        }
        self.tags.extend(other.tags.iter().cloned());
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(|tag| text::one_line(tag, 120)).collect();
            self.name = tags.join(", ");
        }
    }

    /// What stays the same when the image is built again: its repository, where it has a tag.
    fn repository(&self) -> &str {
        self.tags.first().map_or_else(|| self.address.text(), |tag| repository(tag))
    }

    /// The SHA-256 of its manifest, where it is known.
    pub(super) fn sha256(&self) -> Option<String> {
        let digest = match &self.address {
            Address::Digest(digest) => Some(digest),
            Address::Id(_) => self.evaluation.image_digest.as_ref(),
        };
        sha256(digest?)
    }

    /// Its digest or id, with each of its tags.
    pub(super) fn names(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
        let id = Some(self.address.text());
        let tags = self.tags.iter().map(|tag| Some(tag.as_str()));
        tags.chain(self.tags.is_empty().then_some(None)).map(move |tag| (id, tag))
    }

    /// What each of its findings has in common; about a package, or about the image as a whole.
    pub(super) fn finding(&self, subject: Subject, package: &str, path: &str) -> Finding {
        let identity = Identity::Image(Box::new(ImagePart {
            repository: self.repository().into(),
            package: package.into(),
            path: path.into(),
        }));
        let tags: Vec<_> = self.tags.iter().map(String::as_str).collect();
        Finding {
            resource_id: Some(self.address.text().into()),
            resource_name: (!tags.is_empty()).then(|| tags.join(", ").into()),
            facets: self.facets(),
            ..Finding::new(subject, identity)
        }
    }

    /// What selectors find it by, also where nothing failed.
    pub(super) fn facets(&self) -> Facets {
        let tags = || self.tags.iter().map(String::as_str);
        let images = tags().flat_map(|tag| [tag, repository(tag)]);
        let mut facets = Facets::default();
        facets.insert(Field::Resource.word(), tags().map(Arc::from).collect());
        facets.insert(Field::Image.word(), images.map(Arc::from).collect());
        facets
    }
}

/// The hexadecimal digits of a digest, if it is of this kind.
pub(super) fn sha256(digest: &str) -> Option<String> {
    Some(digest.strip_prefix("sha256:")?.to_ascii_lowercase())
}

/// A reference without its tag and digest. A colon before a slash is that of a port.
pub(super) fn repository(tag: &str) -> &str {
    let name = tag.split_once('@').map_or(tag, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, version)) if !version.contains('/') => repository,
        _ => name,
    }
}
