//! What CI hosts show beside the policy and on a job's page: each gate that does not hold, once.

use std::cmp::Reverse;

use crate::evaluate::State;
use crate::finding::Problem;
use crate::report::digest;
use crate::report::view::{View, Weight};
use crate::text;

/// GitHub keeps ten of a kind in a step.
const MOST: usize = 10;
/// GitHub cuts a message at 4,096 characters.
const MOST_CHARACTERS: usize = 4_000;
/// Rules and problems named in one.
const RULES: usize = 5;
const PROBLEMS: usize = 3;

/// Text on several lines, each of which is safe to show.
pub struct Issue {
    /// Whether it stops the pipeline.
    pub blocks: bool,
    pub title: String,
    pub message: String,
    /// Nothing if the policy could not be read.
    pub place: Option<IssuePlace>,
}

/// A line of the policy file.
pub struct IssuePlace {
    pub file: String,
    pub line: u64,
}

/// The worst first. At most ten of each kind; the last of ten then says how many are left out.
pub fn of(view: &View<'_>) -> Vec<Issue> {
    let place = |file: &str, line: u64| Some(IssuePlace { file: text::one_line(file, 1000), line });
    let gates = view.gates.iter().filter(|gate| gate.ruling.state != State::Held);
    let mut issues: Vec<_> = gates
        .map(|gate| {
            let ruling = gate.ruling;
            let mut lines = vec![gate.limits.clone(), gate.scope.clone()];
            lines.extend(gate.notes.iter().cloned());
            if ruling.state == State::Breached {
                lines.extend(digest::worst_rules(ruling, RULES));
            }
            lines.extend(ruling.problems.iter().take(PROBLEMS).map(in_words));
            let id = text::one_line(&ruling.gate.id, 80);
            let own = view.place(ruling.gate);
            Issue {
                blocks: gate.weight == Weight::Blocks,
                title: format!("{id}: {}", gate.standing),
                message: joined(lines),
                place: place(&own.file, own.line.max(1)),
            }
        })
        .collect();
    issues.sort_by_key(|issue| Reverse(issue.blocks));
    let warnings = view.decision.warnings.iter();
    issues.extend(warnings.map(|warning| Issue {
        blocks: false,
        title: "warning".to_owned(),
        message: text::one_line(warning, MOST_CHARACTERS),
        place: place(view.policy, 1),
    }));
    let (mut blocking, mut warning): (Vec<_>, Vec<_>) =
        issues.into_iter().partition(|issue| issue.blocks);
    cut(&mut blocking);
    cut(&mut warning);
    blocking.append(&mut warning);
    blocking
}

/// A run that could not start.
pub fn refused(error: &str) -> Issue {
    let error = text::clean(error, "\n");
    Issue {
        blocks: true,
        title: "nothing was started".to_owned(),
        message: text::shorten(&error, MOST_CHARACTERS).into_owned(),
        place: None,
    }
}

/// A line that begins with fixed text, so a message cannot become a command.
fn in_words(problem: &Problem) -> String {
    let message = text::one_line(&problem.message, 600);
    format!("{}: {message}; next: {}", problem.cause.word(), digest::next(problem))
}

fn joined(lines: Vec<String>) -> String {
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let text = text::disarmed(&lines.join("\n")).into_owned();
    text::shorten(&text, MOST_CHARACTERS).into_owned()
}

fn cut(issues: &mut Vec<Issue>) {
    let left_out = issues.len().saturating_sub(MOST - 1);
    if left_out <= 1 {
        return;
    }
    let place = issues.drain(MOST - 1..).next().and_then(|issue| issue.place);
    let blocks = issues.first().is_some_and(|issue| issue.blocks);
    let number = text::count(left_out as u64, "more gate");
    let words = if blocks { "that stop the pipeline" } else { "that need attention" };
    issues.push(Issue {
        blocks,
        title: format!("and {number}"),
        message: format!("{number} {words} are not shown here; the log and the reports have all."),
        place,
    });
}
