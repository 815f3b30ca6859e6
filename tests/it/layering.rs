//! Reads the `use` lines of all modules and fails on one that points the wrong way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The modules, and what each may use: only modules above it.
const MODULES: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("artefact", &["text"]),
    ("workspace", &[]),
    ("finding", &[]),
    ("stop", &[]),
    ("place", &[]),
    ("selection", &["finding"]),
    ("baseline", &["finding"]),
    ("acceptance", &["baseline", "finding", "place", "selection", "text"]),
    ("evidence", &["finding", "selection", "text"]),
    ("secret", &["text", "workspace"]),
    ("progress", &["secret", "text"]),
    ("json", &["secret", "text"]),
    ("verdict", &["finding", "stop"]),
    ("http", &["finding", "json", "progress", "secret", "stop", "text", "workspace"]),
    ("page", &["finding", "text"]),
    ("poll", &["stop"]),
    (
        "sources",
        &[
            "artefact",
            "evidence",
            "finding",
            "http",
            "json",
            "page",
            "poll",
            "progress",
            "secret",
            "selection",
            "stop",
            "text",
        ],
    ),
    (
        "export",
        &[
            "finding",
            "http",
            "progress",
            "secret",
            "selection",
            "sources",
            "stop",
            "text",
            "workspace",
        ],
    ),
    ("policy", &["acceptance", "finding", "place", "selection", "text"]),
    (
        "evaluate",
        &[
            "acceptance",
            "artefact",
            "baseline",
            "evidence",
            "finding",
            "policy",
            "selection",
            "text",
            "verdict",
        ],
    ),
    (
        "compare",
        &[
            "acceptance",
            "artefact",
            "evaluate",
            "evidence",
            "finding",
            "policy",
            "selection",
            "text",
            "verdict",
        ],
    ),
    (
        "forecast",
        &[
            "acceptance",
            "artefact",
            "evaluate",
            "evidence",
            "policy",
            "selection",
            "text",
            "verdict",
        ],
    ),
    (
        "saved",
        &["artefact", "evidence", "finding", "json", "policy", "selection", "text", "verdict"],
    ),
    (
        "report",
        &[
            "acceptance",
            "artefact",
            "baseline",
            "evaluate",
            "evidence",
            "finding",
            "policy",
            "saved",
            "selection",
            "text",
            "verdict",
        ],
    ),
    ("host", &["evidence", "report", "secret", "text"]),
    (
        "config",
        &[
            "acceptance",
            "artefact",
            "baseline",
            "export",
            "finding",
            "place",
            "policy",
            "report",
            "selection",
            "sources",
            "text",
            "verdict",
        ],
    ),
    ("setup", &["config", "http", "progress", "secret", "sources", "stop"]),
    (
        "pipeline",
        &[
            "artefact",
            "config",
            "evaluate",
            "evidence",
            "finding",
            "host",
            "policy",
            "progress",
            "report",
            "saved",
            "secret",
            "selection",
            "setup",
            "sources",
            "stop",
            "verdict",
        ],
    ),
    ("cli", &["artefact", "host", "report", "text"]),
    (
        "command",
        &[
            "acceptance",
            "artefact",
            "baseline",
            "cli",
            "compare",
            "config",
            "evaluate",
            "evidence",
            "export",
            "finding",
            "forecast",
            "host",
            "http",
            "pipeline",
            "policy",
            "progress",
            "report",
            "saved",
            "secret",
            "selection",
            "setup",
            "sources",
            "stop",
            "text",
            "verdict",
            "workspace",
        ],
    ),
];

#[test]
fn dependencies_point_in_one_direction() -> Result<()> {
    let allowed: BTreeMap<_, _> = MODULES.iter().copied().collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in rust_files(&source)? {
        let relative = path.strip_prefix(&source)?.display().to_string();
        let module = relative.split(['/', '.']).next().unwrap_or_default().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!("{relative}: module `{module}` is not in the table of this test"));
            continue;
        };
        for used in modules_used(&std::fs::read_to_string(&path)?) {
            seen += 1;
            if used != module && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{relative}: {module} → {used}"));
            }
        }
    }
    assert!(seen > 50, "only {seen} `use crate::` lines were found; is the walk broken?");
    assert!(wrong.is_empty(), "dependencies that point the wrong way:\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn modules_have_an_order_without_cycles() {
    for (at, (module, uses)) in MODULES.iter().enumerate() {
        for used in *uses {
            let earlier = MODULES[..at].iter().any(|(earlier, _)| earlier == used);
            assert!(earlier, "{module} → {used}, which is not above it in the table");
        }
    }
}

/// `src/lib.rs` declares the modules of this table, describes each in its map, and has them in an
/// order in which each uses only modules in lines below its own.
#[test]
fn the_module_map_is_true() -> Result<()> {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))?;
    let mut declared: Vec<_> = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .collect();
    declared.sort_unstable();
    let mut listed: Vec<_> = MODULES.iter().map(|(module, _)| *module).collect();
    listed.sort_unstable();
    assert_eq!(declared, listed);

    let order = lib.split("```text").nth(2).and_then(|rest| rest.split("```").next());
    let order: Vec<_> = order.ok_or("src/lib.rs has no order of modules")?.lines().collect();
    let line = |module: &str| {
        order.iter().position(|line| {
            line.trim_start_matches("//!").split(',').any(|name| name.trim() == module)
        })
    };
    for (module, uses) in MODULES {
        let link = if lib.contains(&format!("\npub mod {module};")) { "[" } else { "" };
        assert!(lib.contains(&format!("//! | {link}`{module}`")), "{module} is not described");
        let own = line(module).ok_or_else(|| format!("{module} is not in the order"))?;
        for used in *uses {
            assert!(line(used) > Some(own), "{module} → {used}");
        }
    }
    Ok(())
}

/// A system does not use another system.
#[test]
fn systems_do_not_use_each_other() -> Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources");
    for entry in std::fs::read_dir(&sources)? {
        let folder = entry?.path();
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        if !folder.is_dir() {
            continue;
        }
        for path in rust_files(&folder)? {
            let text = std::fs::read_to_string(&path)?;
            for line in text.lines().filter(|line| line.contains("crate::sources::")) {
                let other = line.split("crate::sources::").nth(1).unwrap_or_default();
                let other = other.split([':', ';', '{', ' ']).next().unwrap_or_default();
                let is_system = sources.join(other).is_dir() && !other.is_empty();
                assert!(!is_system || other == name, "{}: {line}", path.display());
            }
        }
    }
    Ok(())
}

/// Every module that a text names after `crate::`, also in a group, tests included.
fn modules_used(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split(',').map(first_word).collect(),
            None => vec![first_word(rest)],
        })
        .filter(|module| !module.is_empty())
        .collect()
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
