//! The pages of the documentation: the reference follows the schema, links lead somewhere, and
//! complete policies are valid.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::Folder;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_policy_reference_follows_the_schema() {
    let schema: Value = serde_json::from_str(&read("schemas/policy.schema.json")).unwrap();
    let reference = Reference::of(&schema);
    let path = "docs/policy-reference.md";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(Path::new(ROOT).join(path), &reference).unwrap();
    }
    assert!(
        read(path) == reference,
        "{path} is out of date; `UPDATE_SCHEMAS=1 cargo test` writes it anew"
    );
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 130, "README.md has {lines} lines; details belong in docs/");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => PathBuf::from(&page),
                _ => Path::new(&page).parent().unwrap().join(path),
            };
            let file = Path::new(ROOT).join(&target);
            let has_anchor = || {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                headings(&text).contains(anchor)
            };
            if !file.exists() || (!anchor.is_empty() && !has_anchor()) {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_complete_policy_of_the_documentation_is_valid() {
    let mut checked = 0;
    for page in pages() {
        // The cookbook's own test makes the baseline that a policy needs.
        let is_whole =
            |block: &String| block.starts_with("version: 1\n") && !block.contains("    baseline: ");
        for policy in blocks(&read(&page), "yaml").filter(is_whole) {
            let folder = Folder::new();
            folder.write("compliance-gate.yaml", &policy);
            let ended = folder.run(&["policy", "check"]);
            assert_eq!(ended.code, Some(0), "{page}:\n{policy}\n{}", ended.stderr);
            checked += 1;
        }
    }
    assert!(checked > 1, "no policy was found in the documentation");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// All pages for users, from the root of the repository.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ci-templates/README.md"]
            .map(str::to_owned)
            .to_vec();
    for folder in ["docs", "docs/platforms"] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages.sort();
    pages
}

/// The code blocks of a language.
fn blocks(text: &str, language: &str) -> impl Iterator<Item = String> {
    let fence = format!("```{language}\n");
    let parts: Vec<_> = text.split(&fence).skip(1).map(str::to_owned).collect();
    parts.into_iter().filter_map(|part| part.split("```").next().map(str::to_owned))
}

fn links(text: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let events = Parser::new_ext(text, Options::ENABLE_TABLES);
    events
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.to_string())
            }
            _ => None,
        })
        .collect()
}

/// The anchors of a page's headings, as GitHub and GitLab make them.
fn headings(text: &str) -> BTreeSet<String> {
    let is_kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(is_kept).collect::<String>().replace(' ', "-")
        })
        .collect()
}

/// A page made of the schema: a table for each map of keys.
struct Reference<'a> {
    schema: &'a Value,
    text: String,
    /// Maps that still need a section: the path of keys, and the map.
    waiting: Vec<(String, &'a Value)>,
}

impl<'a> Reference<'a> {
    fn of(schema: &'a Value) -> String {
        let text = "# Every key of a policy\n\nThis page is made from \
                    [the schema](../schemas/policy.schema.json). [The policy](policy.md) explains \
                    what the keys mean together.\n"
            .to_owned();
        let mut reference = Self { schema, text, waiting: Vec::new() };
        reference.waiting.push(("The file".to_owned(), schema));
        while !reference.waiting.is_empty() {
            let (title, map) = reference.waiting.remove(0);
            reference.section(&title, map);
        }
        reference.text
    }

    fn section(&mut self, title: &str, map: &'a Value) {
        let _ = writeln!(self.text, "\n## {title}\n\n| key | value | meaning |\n|---|---|---|");
        let required: Vec<_> = map["required"].as_array().into_iter().flatten().collect();
        let properties = map["properties"].as_object().into_iter().flatten();
        let patterns = map["patternProperties"].as_object().into_iter().flatten();
        for (key, value) in properties.chain(patterns) {
            let key = key.trim_start_matches('^').split('(').next().unwrap();
            if key == "x-" {
                let _ =
                    writeln!(self.text, "| `x-…` | anything | is ignored; `<<` can refer to it |");
                continue;
            }
            let path = if title == "The file" { key.to_owned() } else { format!("{title}.{key}") };
            let is_needed = required.iter().any(|name| *name == key);
            let needed = if is_needed { " Required." } else { "" };
            // An environment has the keys of the file: one section is enough.
            let kind = match path.as_str() {
                "environments" => "by name: `mode`, `sources`, `gates`, `evidence`".to_owned(),
                _ => self.kind(&path, value),
            };
            let meaning = self.meaning(value).replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(self.text, "| `{key}` | {kind} | {meaning}{needed} |");
        }
    }

    /// What may be written, in a few words. A map of keys gets a section.
    fn kind(&mut self, path: &str, value: &'a Value) -> String {
        let value = self.resolved(value);
        if value.get("properties").is_some() || value.get("patternProperties").is_some() {
            if !self.waiting.iter().any(|(title, _)| title == path) {
                self.waiting.push((path.to_owned(), value));
            }
            let anchor = path.to_lowercase().replace('.', "");
            return format!("[map](#{anchor})");
        }
        let choices = ["anyOf", "oneOf"].iter().find_map(|key| value[*key].as_array());
        if let Some(choices) = choices {
            let mut kinds: Vec<_> = choices.iter().map(|choice| self.kind(path, choice)).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
        if let Some(only) = value.get("const") {
            return code(only);
        }
        if let Some(words) = value["enum"].as_array() {
            return words.iter().map(code).collect::<Vec<_>>().join(", ");
        }
        if let Some(items) = value.get("items") {
            return format!("list of {}", self.kind(path, items));
        }
        if let Some(each) = value.get("additionalProperties").filter(|each| each.is_object()) {
            return format!("map of {}", self.kind(path, each));
        }
        let is = |name: &str| {
            value["type"] == name || value["type"].as_array().is_some_and(|all| all[0] == name)
        };
        match (value["minimum"].as_u64(), value["maximum"].as_u64()) {
            _ if is("boolean") => "`true` or `false`".to_owned(),
            (Some(least), Some(most)) if is("integer") => format!("{least} to {most}"),
            _ if is("integer") => "number".to_owned(),
            _ if value["format"] == "uri" => "address".to_owned(),
            _ if value["format"] == "date" => "day, such as `2027-01-31`".to_owned(),
            _ if value["pattern"].as_str().is_some_and(|p| p.starts_with("^>=")) => {
                "`\">= …\"`".to_owned()
            }
            _ if value["pattern"].as_str().is_some_and(|p| p.contains('%')) => {
                "share, such as `72.5%`".to_owned()
            }
            _ if value["pattern"].as_str().is_some_and(|p| p.contains("[a-zA-Z]+")) => {
                "time, such as `45m`".to_owned()
            }
            _ if is("string") => "text".to_owned(),
            _ if is("object") => "map".to_owned(),
            _ => "any value".to_owned(),
        }
    }

    fn meaning(&self, value: &'a Value) -> String {
        let own = value["description"].as_str();
        let meaning = own.or_else(|| self.resolved(value)["description"].as_str()).unwrap_or("");
        let default = &self.resolved(value)["default"];
        let states_it = meaning.to_lowercase().contains("default");
        match default {
            Value::Null => meaning.to_owned(),
            _ if states_it => meaning.to_owned(),
            default => format!("{meaning} Default: {}.", code(default)),
        }
    }

    /// What a value refers to, and the only choice where there is one.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let mut value = value;
        loop {
            let only = value["anyOf"].as_array().filter(|choices| choices.len() == 1);
            value = match (value["$ref"].as_str(), only) {
                (Some(name), _) => self.schema.pointer(&name[1..]).unwrap(),
                (None, Some(choices)) => &choices[0],
                (None, None) => return value,
            };
        }
    }
}

fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
