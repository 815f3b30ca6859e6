//! Words of a platform that its documentation does not list.

use std::collections::BTreeMap;

/// Words that are named in a note; the others are only counted.
const NAMED: usize = 5;

/// The undocumented words of one field, and how often each was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undocumented(BTreeMap<String, u64>);

impl Undocumented {
    /// Counts a word, or its absence.
    pub fn add(&mut self, word: Option<&str>) {
        let word = word
            .map_or_else(|| "none".to_owned(), |word| format!("`{}`", super::one_line(word, 40)));
        *self.0.entry(word).or_default() += 1;
    }

    /// A note for the report, or nothing where every word was documented: ``3 cases with an
    /// undocumented status, counted as open: `new` (2), none (1)``.
    pub fn note(&self, noun: &str, field: &str, meaning: &str) -> Option<String> {
        let words =
            self.0.iter().map(|(word, times)| format!("{word} ({})", super::thousands(*times)));
        (!self.0.is_empty()).then(|| {
            format!(
                "{} with an undocumented {field}, {meaning}: {}",
                super::count(self.0.values().sum(), noun),
                super::listed(words, ", ", NAMED)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_at_most_five_are_named() {
        let mut statuses = Undocumented::default();
        assert_eq!(statuses.note("case", "status", "counted as open"), None);
        for word in ["b", "a", "b", "c", "d", "e", "f"] {
            statuses.add(Some(word));
        }
        statuses.add(None);
        assert_eq!(
            statuses.note("case", "status", "counted as open").as_deref(),
            Some(
                "8 cases with an undocumented status, counted as open: `a` (1), `b` (2), `c` (1), \
                 `d` (1), `e` (1) and 2 more"
            )
        );
    }
}
