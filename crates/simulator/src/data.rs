//! The tables of the simulated platforms: JSON files below `data/`, which are part of the binary.

use serde::de::DeserializeOwned;

/// Reads a table. Every table is read by a test, so that one that cannot be read is never shipped;
/// it would be empty.
pub(crate) fn table<T: DeserializeOwned + Default>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    /// What is wrong in a file's content shows in the tests of the modules that use it.
    #[test]
    fn every_table_is_used_and_is_json() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources: String = files(&root.join("src"))
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        let tables = files(&root.join("data"));
        assert!(tables.len() > 5, "{tables:?}");
        for path in tables {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", path.display());
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            assert!(sources.contains(&name), "{name} is not used");
        }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
}
