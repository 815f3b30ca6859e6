//! The query language of filters (GZ §4): `and or not`, `= !=`, `in (…)`, `contains`, `startsWith`.

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
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

impl Filter {
    /// Reads a filter; only these fields are known.
    pub(crate) fn new(text: Option<&str>, fields: &[&str]) -> Result<Self, Refusal> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self(None));
        };
        let wrong = || Refusal::invalid(format!("invalid filter: {text}"));
        let tokens = tokens(text).ok_or_else(wrong)?;
        let mut rest = tokens.as_slice();
        let expression = either(&mut rest, fields).filter(|_| rest.is_empty()).ok_or_else(wrong)?;
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
                }
            }
        }
    }
}

fn either(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    let mut left = both(rest, fields)?;
    while skip(rest, "or") {
        left = Expression::Or(Box::new(left), Box::new(both(rest, fields)?));
    }
    Some(left)
}

fn both(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    let mut left = test(rest, fields)?;
    while skip(rest, "and") {
        left = Expression::And(Box::new(left), Box::new(test(rest, fields)?));
    }
    Some(left)
}

/// One condition. Brackets around conditions are nowhere documented, so they are refused.
fn test(rest: &mut &[Token], fields: &[&str]) -> Option<Expression> {
    if skip(rest, "not") {
        return Some(Expression::Not(Box::new(test(rest, fields)?)));
    }
    let Token::Word(field) = next(rest)? else { return None };
    if !fields.contains(&field.as_str()) {
        return None;
    }
    let (operator, values) = match next(rest)? {
        Token::Sign(sign) if sign == "=" => (Operator::Is, vec![value(rest)?]),
        Token::Sign(sign) if sign == "!=" => (Operator::IsNot, vec![value(rest)?]),
        Token::Word(word) if word == "contains" => (Operator::Contains, vec![value(rest)?]),
        Token::Word(word) if word == "startsWith" => (Operator::StartsWith, vec![value(rest)?]),
        Token::Word(word) if word == "in" => (Operator::Is, list(rest)?),
        _ => return None,
    };
    Some(Expression::Test { field: field.clone(), operator, values })
}

fn list(rest: &mut &[Token]) -> Option<Vec<String>> {
    let sign = |token: Option<&Token>, sign: &str| token == Some(&Token::Sign(sign.to_owned()));
    if !sign(next(rest), "(") {
        return None;
    }
    let mut values = vec![value(rest)?];
    loop {
        match next(rest) {
            token if sign(token, ",") => values.push(value(rest)?),
            token if sign(token, ")") => return Some(values),
            _ => return None,
        }
    }
}

fn value(rest: &mut &[Token]) -> Option<String> {
    match next(rest)? {
        Token::Word(text) | Token::Text(text) => Some(text.clone()),
        Token::Sign(_) => None,
    }
}

fn next<'t>(rest: &mut &'t [Token]) -> Option<&'t Token> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(first)
}

fn skip(rest: &mut &[Token], word: &str) -> bool {
    let here = rest.first() == Some(&Token::Word(word.to_owned()));
    if here {
        next(rest);
    }
    here
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            _ if character.is_whitespace() => {}
            '(' | ')' | ',' | '=' => tokens.push(Token::Sign(character.to_string())),
            '!' if rest.next_if_eq(&'=').is_some() => tokens.push(Token::Sign("!=".to_owned())),
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
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
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
            ("(pass=false)", None),
            ("colour=1", None),
            ("name in (", None),
            ("name = \"open", None),
            ("pass=false and", None),
        ] {
            assert_eq!(takes(filter), expected, "{filter}");
        }
    }
}
