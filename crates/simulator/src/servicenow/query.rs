//! As much of an encoded query as finds records by their fields.

use super::records::Row;

/// Groups of alternatives; one of each group must hold.
pub(super) struct Query(Vec<Vec<Term>>);

struct Term {
    field: String,
    operator: &'static str,
    value: String,
}

/// Longer operators before those that they begin with.
const OPERATORS: [&str; 6] = ["STARTSWITH", "ISEMPTY", "LIKE", "IN", "!=", "="];

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut groups: Vec<Vec<Term>> = Vec::new();
        let terms = text.split('^').filter(|term| !term.is_empty() && !term.starts_with("ORDERBY"));
        for term in terms {
            let alternative = term.strip_prefix("OR");
            let term = Term::parse(alternative.unwrap_or(term));
            match groups.last_mut().filter(|_| alternative.is_some()) {
                Some(group) => group.push(term),
                None => groups.push(vec![term]),
            }
        }
        Self(groups)
    }

    /// The rows that it finds. A term whose field or operator is not known is ignored, so that
    /// every row meets it, or no row does (docs/platforms/servicenow.md, Table API).
    pub(super) fn run<'a>(
        &self,
        rows: &'a [Row],
        known: impl Fn(&str) -> bool,
        invalid_gives_none: bool,
    ) -> Vec<&'a Row> {
        let valid = |term: &Term| !term.operator.is_empty() && known(&term.field);
        let invalid = self.0.iter().flatten().any(|term| !valid(term));
        if invalid && invalid_gives_none {
            return Vec::new();
        }
        let meets = |row: &Row, group: &Vec<Term>| {
            let mut terms = group.iter().filter(|term| valid(term)).peekable();
            terms.peek().is_none() || terms.any(|term| term.holds(row))
        };
        rows.iter().filter(|row| self.0.iter().all(|group| meets(row, group))).collect()
    }
}

impl Term {
    fn parse(text: &str) -> Self {
        let is_name =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
        let (field, rest) = text.split_at(end);
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let operator = operator.unwrap_or_default();
        let value = rest.strip_prefix(operator).unwrap_or_default();
        Self { field: field.to_owned(), operator, value: value.to_owned() }
    }

    fn holds(&self, row: &Row) -> bool {
        let value = row.get(&self.field).map(String::as_str).unwrap_or_default();
        let same = |other: &str| value.eq_ignore_ascii_case(other);
        match self.operator {
            "=" => same(&self.value),
            "!=" => !same(&self.value),
            "IN" => self.value.split(',').any(same),
            "LIKE" => value.to_lowercase().contains(&self.value.to_lowercase()),
            "STARTSWITH" => value.to_lowercase().starts_with(&self.value.to_lowercase()),
            _ => value.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, none: bool) -> usize {
        let row = |number: &str, state: &str| {
            Row::from([
                ("number".to_owned(), number.to_owned()),
                ("state".to_owned(), state.to_owned()),
            ])
        };
        let rows = [row("INC1", "1"), row("INC2", "6"), row("INC3", "1")];
        let known = |field: &str| field == "number" || field == "state";
        Query::parse(text).run(&rows, known, none).len()
    }

    #[test]
    fn a_term_that_is_not_understood_is_met_by_every_row() {
        for (query, count, strict) in [
            ("", 3, 3),
            ("number=INC2", 1, 1),
            ("state=1^number!=INC1^ORDERBYnumber", 1, 1),
            ("number=INC1^ORnumber=INC3", 2, 2),
            ("numberININC1,INC2", 2, 2),
            ("colour=red", 3, 0),
            ("colour=red^state=6", 1, 0),
            ("number~INC1", 3, 0),
        ] {
            assert_eq!((found(query, false), found(query, true)), (count, strict), "{query}");
        }
    }
}
