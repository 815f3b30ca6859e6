//! As much of JQL as finds issues by project, label, key, status and words.

use super::issues::Issue;

/// Conditions that all hold.
pub(super) struct Jql(Vec<Condition>);

struct Condition {
    field: String,
    /// One of them.
    values: Vec<String>,
    negated: bool,
}

/// # Errors
/// A sentence, if it is not understood, or not bounded (docs/platforms/jira.md, API).
pub(super) fn parse(text: &str) -> Result<Jql, String> {
    let lower = text.to_lowercase();
    let conditions = lower.find("order by").map_or(text, |at| text.get(..at).unwrap_or(text));
    let mut words = words(conditions)?.into_iter().peekable();
    let mut parsed = Vec::new();
    while words.peek().is_some() {
        let field = words.next().unwrap_or_default().to_lowercase();
        let operator = words.next().unwrap_or_default().to_lowercase();
        let values = match operator.as_str() {
            "=" | "!=" | "~" => vec![words.next().ok_or("a value is missing")?],
            "in" => {
                let opened = words.next();
                let list: Vec<_> = words.by_ref().take_while(|word| word != ")").collect();
                if opened.as_deref() != Some("(") || list.is_empty() {
                    return Err("a list is missing after `in`".to_owned());
                }
                list.into_iter().filter(|word| word != ",").collect()
            }
            other => return Err(format!("`{other}` is not an operator")),
        };
        if !["project", "labels", "key", "issuekey", "id", "status", "summary"]
            .contains(&field.as_str())
        {
            return Err(format!("field '{field}' does not exist or you may not see it"));
        }
        parsed.push(Condition { field, values, negated: operator == "!=" });
        match words.next() {
            None => {}
            Some(and) if and.eq_ignore_ascii_case("and") => {}
            Some(other) => return Err(format!("`{other}` was not expected")),
        }
    }
    match parsed.is_empty() {
        true => Err("unbounded JQL queries are not allowed here; add a condition".to_owned()),
        false => Ok(Jql(parsed)),
    }
}

/// Words, quoted texts and signs.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        match first {
            c if c.is_whitespace() => {}
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match characters.next().ok_or("a quotation does not end")? {
                        '\\' => word.extend(characters.next()),
                        end if end == first => break,
                        other => word.push(other),
                    }
                }
                words.push(word);
            }
            '(' | ')' | ',' | '=' | '~' => words.push(first.to_string()),
            '!' if characters.next_if_eq(&'=').is_some() => words.push("!=".to_owned()),
            _ => {
                let mut word = first.to_string();
                let goes_on = |c: &char| !c.is_whitespace() && !"(),=~!\"'".contains(*c);
                while let Some(next) = characters.next_if(goes_on) {
                    word.push(next);
                }
                words.push(word);
            }
        }
    }
    Ok(words)
}

impl Jql {
    pub(super) fn matches(&self, issue: &Issue) -> bool {
        self.0.iter().all(|condition| condition.holds(issue) != condition.negated)
    }
}

impl Condition {
    fn holds(&self, issue: &Issue) -> bool {
        let any = |word: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(word));
        match self.field.as_str() {
            "project" => any(&issue.project),
            "key" | "issuekey" | "id" => any(&issue.key) || any(&issue.id.to_string()),
            "labels" => issue
                .fields
                .get("labels")
                .and_then(|labels| labels.as_array())
                .is_some_and(|labels| labels.iter().filter_map(|l| l.as_str()).any(any)),
            "status" => any(if issue.done { "Done" } else { "To Do" }),
            "summary" => {
                let summary = issue.fields.get("summary").and_then(|summary| summary.as_str());
                let summary = summary.unwrap_or_default().to_lowercase();
                self.values.iter().any(|value| summary.contains(&value.to_lowercase()))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_or_unbounded_is_refused() {
        for bad in [
            "",
            "ORDER BY created",
            "labels",
            "labels = ",
            "colour = red",
            "labels in x",
            "labels = \"x",
            "project = A OR project = B",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for good in [
            "project = SEC AND labels = \"gate-1\"",
            "labels in (a, \"b c\") order by key",
            "project=SEC and status != Done",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }
}
