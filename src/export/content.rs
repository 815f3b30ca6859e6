//! The texts of a ticket, before a target formats them.

use crate::finding::Severity;
use crate::sources::bigid::Case;
use crate::text;

/// Characters of a policy's description. Even if JSON escapes all of it, the whole ticket stays
/// below Jira's limit (docs/platforms/jira.md#create).
const MOST_DESCRIPTION: usize = 6000;
const MOST_FACT: usize = 500;

/// The ticket's summary, in one line.
pub(super) fn title(case: &Case, most: usize) -> String {
    let candidates = [&case.label, &case.policy, &case.id];
    let mut lines = candidates.into_iter().map(|text| text::one_line(text, most));
    lines.find(|line| !line.is_empty()).unwrap_or_else(|| "BigID case".to_owned())
}

/// The properties of the case: names, and values of one line.
pub(super) fn facts(case: &Case) -> Vec<(&'static str, String)> {
    let source = match (&case.data_source, &case.data_source_display) {
        (Some(name), Some(display)) if name != display => Some(format!("{display} ({name})")),
        (name, display) => name.clone().or_else(|| display.clone()),
    };
    let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M UTC").to_string();
    [
        ("Policy", Some(case.policy.clone())),
        ("Severity", Some(severity(case).to_owned())),
        ("Data source", source),
        ("Type", case.data_source_type.clone()),
        ("Affected objects", case.affected_objects.map(text::thousands)),
        ("First seen", case.created_at.map(day)),
        ("Assigned in BigID to", case.assignee.clone()),
        ("Case", Some(case.alias.clone().unwrap_or_else(|| case.id.clone()))),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        let value = text::one_line(&value?, MOST_FACT);
        (!value.is_empty()).then_some((name, value))
    })
    .collect()
}

fn severity(case: &Case) -> &'static str {
    match case.severity {
        Severity::Unknown => "unknown (BigID sent an undocumented word)",
        known => known.word(),
    }
}

/// The policy's description, one entry per paragraph.
pub(super) fn description(case: &Case) -> Vec<String> {
    let whole = case.policy_description.as_deref().unwrap_or_default();
    let whole = text::shorten(whole, MOST_DESCRIPTION);
    let paragraphs = text::safe(&whole);
    let lines = paragraphs.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Why the mark must stay.
pub(super) fn footer(mark: &str) -> String {
    format!(
        "Created by compliance-gate, which recognises this ticket by {mark}. Do not remove it: \
         the case could get a second ticket."
    )
}

/// A policy's name as a label: lower case, with `-` for everything but letters and digits.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().flat_map(char::to_lowercase).take(100) {
        match character {
            c if c.is_alphanumeric() => slug.push(c),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_word() {
        for (name, word) in [
            ("Passwords", "passwords"),
            ("PCI: card data (EU)", "pci-card-data-eu"),
            ("  --  ", ""),
            ("Größe \"^OR 1=1", "größe-or-1-1"),
        ] {
            assert_eq!(slug(name), word);
        }
    }
}
