//! The policy file as a URI that a CI host finds in the repository.

use std::path::{Component, Path};

/// Relative, with forward slashes and everything else escaped; an absolute path, which hosts do
/// not find, becomes a `file:` URI.
pub(super) fn of(path: &str) -> String {
    let mut out = String::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => continue,
            Component::Prefix(prefix) => {
                out =
                    format!("file:///{}", prefix.as_os_str().to_string_lossy().replace('\\', "/"));
                continue;
            }
            Component::RootDir if out.is_empty() => out = "file://".to_owned(),
            Component::RootDir => {}
            Component::ParentDir | Component::Normal(_) if out.is_empty() => {}
            Component::ParentDir | Component::Normal(_) => out.push('/'),
        }
        if let Component::ParentDir | Component::Normal(_) = component {
            escape(&component.as_os_str().to_string_lossy(), &mut out);
        }
    }
    // A location without a file is refused, and the whole report with it.
    if out.is_empty() { "compliance-gate.yaml".to_owned() } else { out }
}

/// Text as one part of a path.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape(text, &mut out);
    out
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_find_the_policy_in_the_repository() {
        for (path, uri) in [
            ("compliance-gate.yaml", "compliance-gate.yaml"),
            ("./.github/compliance-gate.yaml", ".github/compliance-gate.yaml"),
            ("ops//gates.yaml", "ops/gates.yaml"),
            ("../gates.yaml", "../gates.yaml"),
            ("a b/ü:#?%.yaml", "a%20b/%C3%BC%3A%23%3F%25.yaml"),
            ("/srv/gates.yaml", "file:///srv/gates.yaml"),
            ("", "compliance-gate.yaml"),
        ] {
            assert_eq!(of(path), uri, "{path}");
        }
    }
}
