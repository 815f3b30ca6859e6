//! Where the configuration is, and where it says that reports go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::text;

/// Where a configuration is looked for when none is named.
pub const DEFAULT_PATHS: [&str; 3] =
    ["compliance-gate.yaml", ".compliance-gate.yaml", ".github/compliance-gate.yaml"];

/// A larger file is not a policy that anyone has read.
const MOST_BYTES: u64 = 256 << 10;

/// The file to read: the one that was named, else the only default that exists.
///
/// # Errors
/// A sentence, if none exists, or more than one: a new file must not shadow a guarded one.
pub fn find(named: Option<&Path>) -> Result<PathBuf, String> {
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
            Err(format!(
                "there is no configuration: none of {} exists{similar}; name one with --config, or \
                 write one with `compliance-gate policy init`",
                DEFAULT_PATHS.join(", ")
            ))
        }
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            Err(format!(
                "{} exist side by side; remove one, or name the one that counts with --config",
                names.join(" and ")
            ))
        }
    }
}

/// Where a file says that reports go, whatever else is wrong with it.
pub fn reports(path: &Path) -> BTreeMap<String, PathBuf> {
    #[derive(Deserialize)]
    struct Keys {
        reports: Option<BTreeMap<String, PathBuf>>,
    }
    let text = text_of(path).unwrap_or_default();
    let keys = serde_yaml::from_str::<Keys>(&text).ok().and_then(|keys| keys.reports);
    keys.into_iter().flatten().map(|(key, path)| (key.replace('_', "-"), path)).collect()
}

/// # Errors
/// A sentence, if it cannot be read, or is too long.
pub fn text_of(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("failed to read the configuration: {error}");
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MOST_BYTES {
        return Err(format!(
            "the configuration has {} bytes; at most {} (256 KiB) are read",
            text::thousands(size),
            text::thousands(MOST_BYTES)
        ));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// A path as CI hosts know it: from the repository's root, or, where there is none, from the
/// working directory; else as it was named.
pub fn in_repository(path: &str) -> String {
    let relative = || {
        let path = Path::new(path);
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        let root = parent.ancestors().find(|folder| folder.join(".git").exists());
        let root = root.map(Path::to_owned).or_else(|| Path::new(".").canonicalize().ok())?;
        let inside = parent.strip_prefix(root).ok()?.join(path.file_name()?);
        Some(inside.display().to_string().replace('\\', "/"))
    };
    relative().unwrap_or_else(|| path.to_owned())
}
