//! Patterns, against a plain and slow definition of what they mean.

use compliance_gate::selection::Pattern;
use proptest::prelude::*;

fn same(wanted: &char, given: &char) -> bool {
    wanted.to_lowercase().eq(given.to_lowercase())
}

/// `*` anything, `?` one character, all else itself in any case.
fn means(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            means(rest, text) || text.split_first().is_some_and(|(_, less)| means(pattern, less))
        }
        (Some(('?', rest)), Some((_, less))) => means(rest, less),
        (Some((wanted, rest)), Some((given, less))) => same(wanted, given) && means(rest, less),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_means_what_it_says(pattern in "[abB/*?éÉ]{0,8}", text in "[aAb/é]{0,8}") {
        let (wanted, given): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(Pattern::new(pattern).matches(&text), means(&wanted, &given));
    }

    #[test]
    fn a_text_without_wildcards_matches_itself_alone(text in "[^*?]{1,20}", other in "[^*?]{1,20}") {
        let pattern = Pattern::new(text.clone());
        prop_assert!(pattern.matches(&text));
        let is_same = text.chars().count() == other.chars().count()
            && text.chars().zip(other.chars()).all(|(one, two)| same(&one, &two));
        prop_assert_eq!(pattern.matches(&other), is_same);
        prop_assert_eq!(pattern.matches_exactly(&other), text == other);
    }
}

/// Patterns come from a policy, texts from a platform: neither may stop the gate.
#[test]
fn many_stars_stay_fast() {
    let pattern = Pattern::new("*a".repeat(200) + "b");
    assert!(!pattern.matches(&"a".repeat(20_000)));
}
