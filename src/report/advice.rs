//! Commands that a report advises, as a reader can run them.

use super::Report;
use crate::policy::DEFAULT_PATHS;
use crate::text;

/// Commands about a gate.
pub struct Advice {
    gate: String,
    /// The policy and the environment, where the commands would not find them by themselves.
    options: String,
}

impl Advice {
    pub(super) fn about(gate: &str, report: &Report<'_>) -> Self {
        let policy = (!DEFAULT_PATHS.contains(&report.policy)).then_some(("-c", report.policy));
        let environment = report.environment.map(|name| ("-e", name));
        let options = policy.into_iter().chain(environment);
        let options = options.map(|(flag, value)| format!(" {flag} {}", shell_word(value)));
        Self { gate: shell_word(gate), options: options.collect() }
    }

    /// Shows what a gate asks for.
    pub(super) fn explain(&self) -> String {
        format!("compliance-gate policy explain {}{}", self.gate, self.options)
    }

    /// Proposes an acceptance from saved evidence.
    pub(super) fn accept(&self, evidence: &str) -> String {
        let evidence = shell_word(evidence);
        format!("compliance-gate accept {evidence} --gate {}{}", self.gate, self.options)
    }
}

/// One word for a POSIX shell, on one line.
fn shell_word(word: &str) -> String {
    let word = text::one_line(word, 300);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+,=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_in_a_shell() {
        for (word, quoted) in [
            ("deploy/gate.yaml", "deploy/gate.yaml"),
            ("org/no-critical", "org/no-critical"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
