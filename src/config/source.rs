//! Where a configuration is, and its text.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::policy::{DEFAULT_PATHS, Document, Whose};
use crate::text;

/// A larger file is not a policy that anyone has read.
const MOST_BYTES: u64 = 256 << 10;

/// The text of a file, and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// As the user named it.
    pub named: Arc<str>,
    /// From the root of its repository, as CI hosts know it.
    pub file: Arc<str>,
    /// The folder that relative paths in it begin at.
    pub folder: PathBuf,
    pub text: String,
    /// Whether it belongs to the workspace.
    inside: bool,
}

impl Source {
    /// # Errors
    /// A sentence, if it is not a regular file of at most 256 KiB, in UTF-8, or if it is a link
    /// that leaves the workspace.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let named = path.display().to_string().replace('\\', "/");
        let failed =
            |error: std::io::Error| format!("failed to read the file: {}", text::reason(&error));
        let inside = path.canonicalize().map_err(failed)?.starts_with(workspace());
        if !inside && absolute(path).starts_with(workspace()) {
            return Err("this is a symbolic link that leaves the workspace; a policy of the \
                        repository is a file of the repository"
                .to_owned());
        }
        Ok(Self {
            file: in_repository(&named).into(),
            named: named.into(),
            folder: absolute(path).parent().map(Path::to_owned).unwrap_or_default(),
            text: text_of(path, MOST_BYTES)?,
            inside,
        })
    }

    /// A file as it was read once.
    pub(super) fn recorded(document: &Document) -> Self {
        let folder = absolute(Path::new(&document.path)).parent().map(Path::to_owned);
        Self {
            named: document.path.as_str().into(),
            file: document.path.as_str().into(),
            folder: folder.unwrap_or_default(),
            text: document.text.clone(),
            inside: true,
        }
    }

    /// Where a file is that another file names, whether it exists or not.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn place_named(
        folder: &Path,
        written: &str,
        whose: Whose,
    ) -> Result<PathBuf, String> {
        let place = absolute(&folder.join(written));
        let in_git = |part: std::path::Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
        match () {
            () if written.is_empty() => Err("an empty path; name a file".to_owned()),
            () if place.components().any(in_git) => {
                Err(format!("`{written}`: this is a file of git; name another one"))
            }
            () if whose == Whose::Repository && !is_inside(&place) => {
                Err(format!("`{written}`: this leaves the workspace; name a file inside it"))
            }
            () => Ok(place),
        }
    }

    /// Whether the repository can change it.
    pub(super) const fn is_inside(&self) -> bool {
        self.inside
    }

    /// The text as far as errors may show it: a file outside the workspace can be anything.
    pub(super) fn shown_text(&self) -> Option<&str> {
        self.inside.then_some(&self.text)
    }
}

/// The files that a policy file names.
#[derive(Debug)]
pub(super) enum Files {
    OnDisk,
    /// As they were read once.
    Recorded(Vec<Source>),
}

impl Files {
    /// A file that a file in a folder names, of at most so many bytes. A repository's is inside the
    /// workspace.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(
        &self,
        folder: &Path,
        written: &str,
        most: u64,
        whose: Whose,
    ) -> Result<Source, String> {
        let place = Source::place_named(folder, written, whose)?;
        let here = absolute(Path::new("."));
        let shown = place.strip_prefix(here).unwrap_or(&place);
        let named = shown.display().to_string().replace('\\', "/");
        match self {
            Self::OnDisk => Ok(Source {
                file: in_repository(&named).into(),
                named: named.into(),
                folder: place.parent().map(Path::to_owned).unwrap_or_default(),
                text: text_of(&place, most).map_err(|why| format!("`{written}`: {why}"))?,
                inside: is_inside(&place),
            }),
            Self::Recorded(files) => {
                let file = files.iter().find(|file| *file.file == *named);
                file.cloned().ok_or_else(|| format!("`{written}` was not recorded"))
            }
        }
    }
}

/// The text of a file, read up to a limit regardless of the size that its metadata states.
fn text_of(path: &Path, most: u64) -> Result<String, String> {
    let failed =
        |error: std::io::Error| format!("failed to read the file: {}", text::reason(&error));
    // Opening a pipe would wait for a writer.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err("this is not a regular file, and only those are read".to_owned());
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(format!(
            "the file is larger than {} bytes ({} KiB), the most that is read",
            text::thousands(most),
            most >> 10
        ));
    }
    String::from_utf8(bytes).map_err(|_| "the file is not text in UTF-8".to_owned())
}

/// Why there is no one file to read, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotFound {
    #[error("{0}")]
    None(String),
    #[error("{0}")]
    Several(String),
}

/// The file to read: the one that was named, else the only default that exists.
///
/// # Errors
/// A sentence, if none exists, or more than one: a new file must not shadow a guarded one.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, NotFound> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let found: Vec<_> = DEFAULT_PATHS
        .iter()
        .map(Path::new)
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    match found.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            let similar = DEFAULT_PATHS.map(|path| path.replace(".yaml", ".yml"));
            let similar = similar.iter().find(|path| Path::new(path).exists());
            let similar = similar.map_or_else(String::new, |path| {
                format!(" ({path} does; only the ending `.yaml` is looked for)")
            });
            Err(NotFound::None(format!(
                "there is no configuration: none of {} exists{similar}; name one with --config, or \
                 write one with `compliance-gate policy init`",
                DEFAULT_PATHS.join(", ")
            )))
        }
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            Err(NotFound::Several(format!(
                "{} exist side by side; remove one, or name the one that counts with --config",
                names.join(" and ")
            )))
        }
    }
}

/// The root of the repository that the command runs in, else the working directory.
pub(super) fn workspace() -> PathBuf {
    let here = Path::new(".").canonicalize().unwrap_or_default();
    repository_of(&here).map_or_else(|| here.clone(), Path::to_owned)
}

fn is_inside(place: &Path) -> bool {
    resolved(place).starts_with(workspace())
}

fn repository_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// A path without `.` and `..`, from the root of the file system; links are not followed.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let mut whole = Path::new(".").canonicalize().unwrap_or_default();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = whole.pop(),
            other => whole.push(other),
        }
    }
    whole
}

/// A path with the links that exist on the way to it followed.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let exists = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let Some((part, real)) = exists else { return path.to_owned() };
    path.strip_prefix(part).map(|rest| real.join(rest)).unwrap_or(real)
}

/// A path as CI hosts know it: from the repository's root, or, where there is none, from the
/// working directory; else as it was named.
fn in_repository(path: &str) -> String {
    let relative = || {
        let path = Path::new(path);
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        let root = repository_of(&parent).map(Path::to_owned);
        let root = root.or_else(|| Path::new(".").canonicalize().ok())?;
        let inside = parent.strip_prefix(root).ok()?.join(path.file_name()?);
        Some(inside.display().to_string().replace('\\', "/"))
    };
    relative().unwrap_or_else(|| path.to_owned())
}
