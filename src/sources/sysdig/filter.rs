//! The platform's query language (docs/platforms/sysdig.md#filters), built from values: each is
//! quoted, so no value can change the condition.

use std::fmt;

/// Conditions that all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<String>);

impl Filter {
    /// One of several texts; no condition if there are none.
    #[must_use]
    pub(super) fn texts<'v>(self, field: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        self.list(field, values.into_iter().map(quoted))
    }

    /// One of several numbers, without quotes; no condition if there are none.
    #[must_use]
    pub(super) fn numbers(self, field: &str, values: impl IntoIterator<Item = u8>) -> Self {
        self.list(field, values.into_iter().map(|number| number.to_string()))
    }

    /// Whatever begins with a text.
    pub(super) fn starting(field: &str, text: &str) -> Self {
        Self(vec![format!("{field} startsWith {}", quoted(text))])
    }

    /// Whatever contains a text.
    pub(super) fn containing(field: &str, text: &str) -> Self {
        Self(vec![format!("{field} contains {}", quoted(text))])
    }

    /// Whatever has the field.
    pub(super) fn existing(field: &str) -> Self {
        Self(vec![format!("{field} exists")])
    }

    /// Whatever lacks the field.
    pub(super) fn lacking(field: &str) -> Self {
        Self(vec![format!("not {field} exists")])
    }

    /// Both.
    #[must_use]
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    fn list(mut self, field: &str, values: impl Iterator<Item = String>) -> Self {
        let values: Vec<_> = values.collect();
        if !values.is_empty() {
            self.0.push(format!("{field} in ({})", values.join(", ")));
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" and "))
    }
}

/// `"` and `\` are escaped by a backslash. The URL encodes the rest.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_cannot_break_out() {
        let filter = Filter::default()
            .texts("policy.name", ["CIS \"Docker\"", "a\\"])
            .texts("zone.name", [])
            .numbers("severity", [3, 2]);
        assert_eq!(
            filter.to_string(),
            r#"policy.name in ("CIS \"Docker\"", "a\\") and severity in (3, 2)"#
        );
        assert!(Filter::default().texts("zone.name", []).is_empty());
        let filter = Filter::starting("name", "a\"").and(&Filter::containing("zone", "b"));
        let filter = filter.and(&Filter::existing("labels")).and(&Filter::lacking("project"));
        assert_eq!(
            filter.to_string(),
            r#"name startsWith "a\"" and zone contains "b" and labels exists and not project exists"#
        );
    }
}
