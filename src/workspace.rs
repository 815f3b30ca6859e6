//! Files that a policy file names.
//!
//! A policy file can come from anyone who can open a pull request. A path in it must stay inside
//! the workspace, outside `.git`, and name a regular file: a device never ends, a pipe blocks, and
//! a link can lead anywhere.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

const IN_GIT: &str = "is inside `.git`; choose another path";

/// The root of the repository around the working directory; without a repository, the working
/// directory.
///
/// # Errors
/// If the working directory cannot be determined.
pub(crate) fn root() -> io::Result<PathBuf> {
    let current = Path::new(".").canonicalize()?;
    let root = current.ancestors().find(|folder| folder.join(".git").exists());
    Ok(root.map_or_else(|| current.clone(), Path::to_owned))
}

/// Checks that a path leads to a regular file in the workspace, or to nothing yet.
///
/// # Errors
/// A sentence that follows the path's name.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let unusable = |error: io::Error| format!("cannot be checked: {error}");
    let is_git =
        |path: &Path| path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
    // In a work tree of git, `.git` is a file, and a path through it cannot be resolved.
    if is_git(path) {
        return Err(IN_GIT.to_owned());
    }
    let root = root().map_err(unusable)?;
    let full = full_path(path).map_err(unusable)?;
    let inside = full.strip_prefix(&root).map_err(|_| {
        format!("leads outside the workspace ({}); choose a path inside it", root.display())
    })?;
    if is_git(inside) {
        return Err(IN_GIT.to_owned());
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(error)),
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) => Err(format!("is {}, not a regular file", kind(&metadata))),
    }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// If it cannot be read, is not a regular file, or is longer.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Opening a pipe would block until another process writes to it.
    regular(&std::fs::metadata(path)?)?;
    read_open(&mut File::open(path)?, most)
}

/// Reads an open file of at most `most` bytes to its end.
///
/// # Errors
/// As for [`read`].
pub(crate) fn read_open(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    regular(&file.metadata()?)?;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that it is too long, regardless of its metadata.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {} KiB", most >> 10)));
    }
    Ok(bytes)
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other(format!("it is {}, not a regular file", kind(metadata)))),
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    match metadata {
        metadata if metadata.is_dir() => "a folder",
        metadata if metadata.is_symlink() => "a symbolic link",
        _ => "a device or pipe",
    }
}

/// The full path, with the links of its existing folders resolved. The last component itself is
/// not resolved.
fn full_path(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it does not name a file"))?;
    let mut missing = vec![name];
    let mut folder = path.parent().unwrap_or(Path::new(""));
    loop {
        let existing = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match existing.canonicalize() {
            Ok(full) => return Ok(full.join(missing.iter().rev().collect::<PathBuf>())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // `..` below a folder that does not exist leads nowhere.
        match folder.components().next_back() {
            Some(Component::Normal(name)) => missing.push(name),
            _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
        }
        folder = folder.parent().unwrap_or(Path::new(""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_the_workspace() {
        for inside in ["target/x/y.jsonl", "new.jsonl", "src/../new.jsonl", "./.cache/t.jsonl"] {
            assert_eq!(check(Path::new(inside)), Ok(()), "{inside}");
        }
        for (outside, why) in [
            ("../victim", "outside the workspace"),
            ("/etc/passwd", "outside the workspace"),
            ("new/../../victim", "cannot be checked"),
            (".git/hooks/pre-push", "inside `.git`"),
            ("src", "a folder"),
            ("..", "does not name a file"),
            ("/dev/zero", "outside the workspace"),
        ] {
            let said = check(Path::new(outside)).unwrap_err();
            assert!(said.contains(why), "{outside}: {said}");
        }
    }

    #[test]
    fn only_regular_files_are_read_and_only_up_to_a_limit() {
        assert!(read(Path::new("/dev/zero"), 10).unwrap_err().to_string().contains("a device"));
        assert!(read(Path::new("src"), 10).unwrap_err().to_string().contains("a folder"));
        assert!(read(Path::new("Cargo.toml"), 10).unwrap_err().to_string().contains("larger"));
        assert!(!read(Path::new("Cargo.toml"), 1 << 20).unwrap().is_empty());
    }
}
