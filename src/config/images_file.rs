//! Files of images that a source names: one reference a line.
//!
//! The references join the source's `images`, so that whatever reads these meets one list.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::node::{Key, Mark, Node, Value};
use super::source::{Files, Source};
use crate::policy::Whose;

/// The key of a source.
const KEY: &str = "images_file";

/// The most bytes of such a file.
const MOST_BYTES: u64 = 256 << 10;

/// Images that one file may name. Each takes several requests.
const MOST: usize = 500;

/// Adds the images of the files that sources name to their `images`. Returns the files.
pub(super) fn add(
    layer: &mut Node,
    source: &Source,
    files: &Files,
    whose: Whose,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Arc<Source>> {
    let mut read = Vec::new();
    let keys = layer.entries_mut().into_iter().flatten();
    let sources = keys.filter(|(key, _)| key.name == "sources");
    for (_, settings) in sources.filter_map(|(_, node)| node.entries_mut()).flatten() {
        let Some(node) = settings.get(KEY) else { continue };
        let (id, mark) = (node.id, node.mark);
        let Some(written) = node.text().map(str::to_owned) else { continue };
        let images = files.read(&source.folder, &written, MOST_BYTES, whose).and_then(|file| {
            if whose == Whose::Organisation && matches!(files, Files::OnDisk) && file.is_inside() {
                return Err(format!(
                    "`{written}` is inside the workspace, where the repository can change it; name a \
                     file outside it, or let `from_repository: [images]` take the repository's list"
                ));
            }
            let images = references(&file.text).map_err(|why| format!("`{written}`: {why}"))?;
            Ok((Arc::new(file), images))
        });
        match images {
            Err(message) => diagnostics.push(Diagnostic::at(mark, message)),
            Ok((file, images)) => {
                extend(settings, id, mark, images);
                if !read.iter().any(|other: &Arc<Source>| other.named == file.named) {
                    read.push(file);
                }
            }
        }
    }
    read
}

/// An image of a file: the key by which it is named, and its name.
type Named<'a> = Vec<(&'static str, &'a str)>;

/// The images of a file. Empty lines and what follows a `#` are left out.
fn references(text: &str) -> Result<Vec<Vec<(&'static str, String)>>, String> {
    let mut images = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}');
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let image = reference(line).ok_or_else(|| {
            format!(
                "line {}: `{}` is no reference of an image; write one a line, with its tag or its \
                 digest, such as `registry.example.com/shop/api:1.4`",
                at + 1,
                crate::text::one_line(line, 120)
            )
        })?;
        let image: Vec<_> = image.into_iter().map(|(key, text)| (key, text.to_owned())).collect();
        if !images.contains(&image) {
            images.push(image);
        }
    }
    match images.len() {
        0 => Err("the file names no image".to_owned()),
        count if count > MOST => {
            Err(format!("the file names {count} images; at most {MOST} are read"))
        }
        _ => Ok(images),
    }
}

/// `name:tag`, `name@sha256:…`, `name:tag@sha256:…` or `sha256:…`.
fn reference(line: &str) -> Option<Named<'_>> {
    let has_tag = |name: &str| {
        name.rsplit_once(':')
            .is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains('/'))
    };
    let is_digest = |text: &str| {
        let hex = text.strip_prefix("sha256:");
        hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if line.contains(char::is_whitespace) {
        return None;
    }
    match line.split_once('@') {
        Some((name, digest)) if is_digest(digest) && !name.is_empty() => {
            let tag = has_tag(name).then_some(("tag", name));
            Some(tag.into_iter().chain([("digest", digest)]).collect())
        }
        Some(_) => None,
        None if is_digest(line) => Some(vec![("digest", line)]),
        None => has_tag(line).then(|| vec![("tag", line)]),
    }
}

/// Adds images to the list of a source.
fn extend(settings: &mut Node, id: usize, mark: Mark, images: Vec<Vec<(&'static str, String)>>) {
    let node = |value| Node { id, mark, value };
    let image = |image: Vec<(&'static str, String)>| {
        let entry = |(name, text): (&'static str, String)| {
            let key = Key { name: name.to_owned(), mark };
            (key, node(Value::Scalar { text, plain: false }))
        };
        node(Value::Map(image.into_iter().map(entry).collect()))
    };
    let images = images.into_iter().map(image);
    let Some(entries) = settings.entries_mut() else { return };
    match entries.iter_mut().find(|(key, _)| key.name == "images") {
        Some((_, Node { value: Value::List(items), .. })) => items.extend(images),
        // What is wrong with it is found when it is read.
        Some((_, other)) if !other.is_null() => {}
        _ => {
            entries.retain(|(key, _)| key.name != "images");
            let key = Key { name: "images".to_owned(), mark };
            entries.push((key, node(Value::List(images.collect()))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_reference_with_a_tag_or_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let text = format!(
            "# release 7\nregistry.example.com:5000/shop/api:1.4  # the shop\r\n\n\
             r/web@{digest}\nr/web:2@{digest}\nr/web@{digest}\nr/api:1\nr/api:1\n"
        );
        let images = references(&text).unwrap();
        let keys: Vec<Vec<_>> =
            images.iter().map(|image| image.iter().map(|(key, _)| *key).collect()).collect();
        assert_eq!(keys, [vec!["tag"], vec!["digest"], vec!["tag", "digest"], vec!["tag"]]);
        assert_eq!(images[0][0].1, "registry.example.com:5000/shop/api:1.4");
        for (wrong, has) in [
            ("", "no image"),
            ("# nothing\n", "no image"),
            ("r/api", "line 1: `r/api`"),
            ("r/a:1\nregistry:5000/api", "line 2"),
            ("r/api:1 r/web:2", "line 1"),
            ("r/api@sha256:abc", "line 1"),
            ("[r/api:1]\n- x", "line 2"),
        ] {
            let error = references(wrong).unwrap_err();
            assert!(error.contains(has), "{wrong}: {error}");
        }
    }
}
