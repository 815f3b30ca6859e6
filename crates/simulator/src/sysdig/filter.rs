//! The query languages of filters.
//!
//! Compliance and inventory know `and or not`, `= !=`, `in (…)`, `contains`, `startsWith`, `exists`
//! (docs/platforms/sysdig.md, compliance). Events also know `< <= > >=`, and what a public
//! client has them take: brackets around conditions, and `and` and `or` without a space before or
//! after (docs/platforms/sysdig.md, public clients).

use super::Refusal;

/// A parsed filter. Without one everything passes.
pub(crate) struct Filter(Option<Expression>);

enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Test { field: String, operator: Operator, values: Vec<String> },
}

#[derive(Clone, Copy)]
enum Operator {
    Is,
    IsNot,
    Contains,
    StartsWith,
    Exists,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Which of the two languages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Compliance,
    Events,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

impl Filter {
    /// Reads a filter of compliance; only these fields are known.
    pub(crate) fn new(text: Option<&str>, fields: &[&str]) -> Result<Self, Refusal> {
        Self::of(Language::Compliance, text, fields)
    }

    /// Reads a filter; only these fields are known.
    pub(crate) fn of(
        language: Language,
        text: Option<&str>,
        fields: &[&str],
    ) -> Result<Self, Refusal> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self(None));
        };
        let wrong = || Refusal::invalid(format!("invalid filter: {text}"));
        let tokens = tokens(text, language).ok_or_else(wrong)?;
        let mut reader = Reader { rest: &tokens, fields, language };
        let expression = reader.either().filter(|_| reader.rest.is_empty()).ok_or_else(wrong)?;
        Ok(Self(Some(expression)))
    }

    /// Whether something with these values passes; a field can have several.
    pub(crate) fn takes<'v>(&self, values: impl Fn(&str) -> Vec<&'v str>) -> bool {
        self.0.as_ref().is_none_or(|expression| expression.takes(&values))
    }
}

impl Expression {
    fn takes<'v>(&self, given: &impl Fn(&str) -> Vec<&'v str>) -> bool {
        match self {
            Self::And(a, b) => a.takes(given) && b.takes(given),
            Self::Or(a, b) => a.takes(given) || b.takes(given),
            Self::Not(inner) => !inner.takes(given),
            Self::Test { field, operator, values } => {
                let own = given(field);
                let any = |test: fn(&str, &str) -> bool| {
                    own.iter().any(|own| values.iter().any(|value| test(own, value)))
                };
                match operator {
                    Operator::Is => any(|own, value| own == value),
                    Operator::IsNot => !any(|own, value| own == value),
                    Operator::Contains => any(|own, value| own.contains(value)),
                    Operator::StartsWith => any(|own, value| own.starts_with(value)),
                    Operator::Exists => own.iter().any(|own| !own.is_empty()),
                    Operator::Less => any(|own, value| number(own) < number(value)),
                    Operator::AtMost => any(|own, value| number(own) <= number(value)),
                    Operator::More => any(|own, value| number(own) > number(value)),
                    Operator::AtLeast => any(|own, value| number(own) >= number(value)),
                }
            }
        }
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// What is left to read.
struct Reader<'t> {
    rest: &'t [Token],
    fields: &'t [&'t str],
    language: Language,
}

impl<'t> Reader<'t> {
    fn either(&mut self) -> Option<Expression> {
        let mut left = self.both()?;
        while self.skip("or") {
            left = Expression::Or(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Expression> {
        let mut left = self.condition()?;
        while self.skip("and") {
            left = Expression::And(Box::new(left), Box::new(self.condition()?));
        }
        Some(left)
    }

    /// One condition. Compliance documents no brackets around conditions, and refuses them.
    fn condition(&mut self) -> Option<Expression> {
        if self.skip("not") {
            return Some(Expression::Not(Box::new(self.condition()?)));
        }
        if self.language == Language::Events && self.is_sign("(") {
            self.next();
            let inner = self.either()?;
            return self.next_is(")").then_some(inner);
        }
        let Token::Word(field) = self.next()? else { return None };
        if !self.fields.contains(&field.as_str()) {
            return None;
        }
        let operator = match self.next()? {
            Token::Sign(sign) => match sign.as_str() {
                "=" => Operator::Is,
                "!=" => Operator::IsNot,
                "<" => Operator::Less,
                "<=" => Operator::AtMost,
                ">" => Operator::More,
                ">=" => Operator::AtLeast,
                _ => return None,
            },
            Token::Word(word) => match word.as_str() {
                "contains" => Operator::Contains,
                "startsWith" => Operator::StartsWith,
                "exists" => {
                    let (operator, values) = (Operator::Exists, Vec::new());
                    return Some(Expression::Test { field: field.clone(), operator, values });
                }
                "in" => {
                    let values = self.list()?;
                    let operator = Operator::Is;
                    return Some(Expression::Test { field: field.clone(), operator, values });
                }
                _ => return None,
            },
            Token::Text(_) => return None,
        };
        let values = vec![self.value()?];
        Some(Expression::Test { field: field.clone(), operator, values })
    }

    fn list(&mut self) -> Option<Vec<String>> {
        if !self.next_is("(") {
            return None;
        }
        let mut values = vec![self.value()?];
        while self.is_sign(",") {
            self.next();
            values.push(self.value()?);
        }
        self.next_is(")").then_some(values)
    }

    fn value(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(text) | Token::Text(text) => Some(text.clone()),
            Token::Sign(_) => None,
        }
    }

    fn next(&mut self) -> Option<&'t Token> {
        let (first, others) = self.rest.split_first()?;
        self.rest = others;
        Some(first)
    }

    fn next_is(&mut self, sign: &str) -> bool {
        let here = self.is_sign(sign);
        self.next();
        here
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.rest.first(), Some(Token::Sign(own)) if own == sign)
    }

    fn skip(&mut self, word: &str) -> bool {
        let here = matches!(self.rest.first(), Some(Token::Word(own)) if own == word);
        if here {
            self.next();
        }
        here
    }
}

fn tokens(text: &str, language: Language) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            _ if character.is_whitespace() => {}
            '(' | ')' | ',' | '=' => tokens.push(Token::Sign(character.to_string())),
            '!' if rest.next_if_eq(&'=').is_some() => tokens.push(Token::Sign("!=".to_owned())),
            '<' | '>' if language == Language::Events => {
                let or_is = if rest.next_if_eq(&'=').is_some() { "=" } else { "" };
                tokens.push(Token::Sign(format!("{character}{or_is}")));
            }
            '"' => {
                let mut value = String::new();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => value.push(rest.next()?),
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            _ => {
                let mut word = character.to_string();
                let inside = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
                if !inside(&character) {
                    return None;
                }
                while let Some(more) = rest.next_if(inside) {
                    word.push(more);
                }
                if language == Language::Events && ends_condition(tokens.last()) {
                    word = unglued(word, &mut tokens);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn ends_condition(last: Option<&Token>) -> bool {
    match last {
        Some(Token::Text(_)) => true,
        Some(Token::Sign(sign)) => sign == ")",
        Some(Token::Word(_)) | None => false,
    }
}

/// Splits `andsource` in two.
fn unglued(word: String, tokens: &mut Vec<Token>) -> String {
    for keyword in ["and", "or"] {
        if let Some(rest) = word.strip_prefix(keyword).filter(|rest| !rest.is_empty()) {
            tokens.push(Token::Word(keyword.to_owned()));
            return rest.to_owned();
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(filter: &str) -> Option<bool> {
        let filter = Filter::new(Some(filter), &["name", "severity", "pass"]).ok()?;
        Some(filter.takes(|field| match field {
            "name" => vec!["CIS \"Docker\" \\ v1"],
            "severity" => vec!["3"],
            _ => vec!["false"],
        }))
    }

    #[test]
    fn the_documented_operators_work() {
        for (filter, expected) in [
            ("pass=false and severity in (3, 2)", Some(true)),
            ("pass=false and severity in (\"1\",\"2\")", Some(false)),
            ("pass = true or severity != 2", Some(true)),
            ("not pass=false", Some(false)),
            (r#"name in ("CIS \"Docker\" \\ v1")"#, Some(true)),
            (r#"name startsWith "CIS" and name contains "v1""#, Some(true)),
            ("name exists and not name exists", Some(false)),
            ("not pass exists", Some(false)),
            ("name exists \"CIS\"", None),
            ("(pass=false)", None),
            ("colour=1", None),
            ("name in (", None),
            ("name = \"open", None),
            ("pass=false and", None),
            ("severity > 2", None),
        ] {
            assert_eq!(takes(filter), expected, "{filter}");
        }
    }

    #[test]
    fn events_are_asked_the_way_a_public_client_does() {
        for (filter, expected) in [
            ("(severity=4)andsource!=\"auditTrail\"", Some(true)),
            ("(source=\"k8s\"orname=\"shell\")andsource!=\"auditTrail\"", Some(true)),
            ("(severity>7)andsource!=\"auditTrail\"", Some(false)),
            ("severity >= 4 and severity < 5", Some(true)),
            ("severity in (\"4\",\"5\")", Some(true)),
            ("(severity=4", None),
        ] {
            let fields = ["severity", "source", "name"];
            let filter_of = Filter::of(Language::Events, Some(filter), &fields).ok();
            let takes = filter_of.map(|own| {
                own.takes(|field| match field {
                    "severity" => vec!["4"],
                    "source" => vec!["syscall"],
                    _ => vec!["shell"],
                })
            });
            assert_eq!(takes, expected, "{filter}");
        }
    }
}
