//! Whether the platform applied the filters of the settings. Its documentation does not say whether
//! they take ids or names, so the rows and the totals have to show it
//! (docs/platforms/gravityzone.md#filters).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collect::{Collection, contradictory};
use super::query::{Filter, Query, RecordFault};
use super::wire::CheckRow;
use crate::finding::Problem;
use crate::text;

/// What rows show of the filters of a query.
#[derive(Default)]
pub(super) struct Heeded {
    filters: Vec<OfFilter>,
    /// By rule: the latest list of controls as it was sent, and whether it is of a framework that was
    /// asked for. Checks of one rule mostly have the same list.
    frameworks: HashMap<Box<str>, (Box<str>, Is)>,
}

/// What rows show of one filter.
struct OfFilter {
    filter: Filter,
    asked: Vec<String>,
    /// Whether a row has one of the values.
    matched: bool,
    /// What a row has instead.
    other: Option<String>,
    /// Whether a row does not state all that could be one of the values.
    unclear: bool,
}

/// How a row compares with the values of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Is {
    Asked,
    Other(String),
    /// None of its texts is asked for, and it lacks one.
    Unclear,
}

/// What all rows together show of a filter.
pub(super) enum Shown {
    /// Every row has one of the values.
    Applied,
    /// Some rows have one of the values, and one has this.
    Mixed(String),
    /// The rows do not decide it. What one of them has.
    Unclear(Option<String>),
}

impl Heeded {
    pub(super) fn of(query: &Query) -> Self {
        let new = |(filter, values): (Filter, &BTreeSet<String>)| OfFilter {
            filter,
            asked: values.iter().cloned().collect(),
            matched: false,
            other: None,
            unclear: false,
        };
        Self { filters: query.filters().map(new).collect(), frameworks: HashMap::new() }
    }

    /// Looks at a row.
    ///
    /// # Errors
    /// If its controls are needed and cannot be read.
    pub(super) fn look(&mut self, row: &CheckRow<'_>) -> Result<(), RecordFault> {
        for seen in &mut self.filters {
            let is = match texts(seen.filter, row) {
                Some(texts) => seen.compare(texts),
                None => {
                    let text = row.controls_text();
                    match self.frameworks.get(row.rule) {
                        Some((known, is)) if **known == *text => is.clone(),
                        _ => {
                            let is = seen.compare_frameworks(row)?;
                            self.frameworks.insert(row.rule.into(), (text.into(), is.clone()));
                            is
                        }
                    }
                }
            };
            match is {
                Is::Asked => seen.matched = true,
                Is::Other(has) => _ = seen.other.get_or_insert(has),
                Is::Unclear => seen.unclear = true,
            }
        }
        Ok(())
    }

    /// Adds what another reading of the same query showed.
    pub(super) fn and(&mut self, other: Self) {
        for (ours, theirs) in self.filters.iter_mut().zip(other.filters) {
            ours.matched |= theirs.matched;
            ours.unclear |= theirs.unclear;
            ours.other = ours.other.take().or(theirs.other);
        }
    }

    fn shown(&self) -> impl Iterator<Item = (Filter, Shown)> {
        self.filters.iter().map(|seen| {
            let OfFilter { filter, matched, other, unclear, .. } = seen;
            let shown = match (matched, other, unclear) {
                (true, None, false) => Shown::Applied,
                (true, Some(has), _) => Shown::Mixed(has.clone()),
                (_, has, _) => Shown::Unclear(has.clone()),
            };
            (*filter, shown)
        })
    }
}

/// What a row states that a filter may compare; `None` for its frameworks.
fn texts<'r>(filter: Filter, row: &CheckRow<'r>) -> Option<[Option<&'r str>; 2]> {
    Some(match filter {
        Filter::Scans => [Some(row.scan_id), row.scan_name],
        Filter::ScanGroups => [row.scan_group_id, row.scan_group_name],
        Filter::Rules => [row.rule_id, Some(row.rule)],
        Filter::Resources => [row.resource_id, row.resource_name],
        Filter::ResourceTypes => [row.resource_type; 2],
        Filter::SystemCompliance => return None,
    })
}

impl OfFilter {
    fn is_asked(&self, text: &str) -> bool {
        self.asked.iter().any(|asked| asked.eq_ignore_ascii_case(text))
    }

    fn compare(&self, texts: [Option<&str>; 2]) -> Is {
        match texts {
            texts if texts.iter().flatten().any(|text| self.is_asked(text)) => Is::Asked,
            [Some(id), Some(name)] if id == name => Is::Other(quoted(id)),
            [Some(id), Some(name)] => Is::Other(format!("{} ({})", quoted(id), quoted(name))),
            _ => Is::Unclear,
        }
    }

    fn compare_frameworks(&self, row: &CheckRow<'_>) -> Result<Is, RecordFault> {
        let controls = row.controls()?;
        let is_asked = controls.iter().any(|control| self.is_asked(&control.framework));
        let frameworks = controls.iter().map(|control| quoted(&control.framework));
        Ok(match is_asked {
            true => Is::Asked,
            false if controls.is_empty() => Is::Other("none".to_owned()),
            false => Is::Other(text::listed(frameworks, ", ", 3)),
        })
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", text::one_line(text, 80))
}

impl Collection<'_> {
    /// Whether the total shows that the platform applies a filter: there are more checks without it.
    async fn leaves_out(&mut self, filter: Filter) -> Result<bool, Problem> {
        if let Some(known) = self.leaves_out.get(&filter) {
            return Ok(*known);
        }
        let without = self.scope.clone().without(filter);
        let all = match without == Query::default() {
            true => self.visible,
            false => self.total(&without).await?,
        };
        let leaves_out = self.part.looked_at() < all;
        self.leaves_out.insert(filter, leaves_out);
        Ok(leaves_out)
    }

    /// Whether totals within the scope can be relied on. A filter that leaves out nothing could be one
    /// that is ignored, and then only rows show that they are within it.
    pub(super) async fn totals_are_of_the_scope(&mut self) -> Result<bool, Problem> {
        let filters: Vec<_> = self.scope.filters().map(|(filter, _)| filter).collect();
        for filter in filters {
            if !self.leaves_out(filter).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Judges each filter by all rows that were read: every one must have a value that was asked for.
    /// Where none has, the filter may compare something that checks do not state; then the total has
    /// to show that it leaves something out.
    pub(super) async fn judge_filters(&mut self) -> Result<(), Problem> {
        if self.part.looked_at() == 0 {
            return Ok(());
        }
        let shown: BTreeMap<_, _> = self.heeded.shown().collect();
        for (filter, shown) in shown {
            let asked = self.scope.values(filter).into_iter().flatten().map(|value| quoted(value));
            let asked =
                format!("`filters.{}` asks for {}", filter.word(), text::listed(asked, " or ", 5));
            match shown {
                Shown::Applied => {}
                Shown::Mixed(has) => {
                    let what = format!(
                        "{asked}, and a check of {has} came, too: it was ignored or applied in part"
                    );
                    self.missing.push(ignored(&self.session.name, filter, &what));
                }
                Shown::Unclear(has) => {
                    let has = has.map_or_else(
                        || "checks came that do not state what they are of".to_owned(),
                        |has| format!("no check states that; one is of {has}"),
                    );
                    if self.leaves_out(filter).await? {
                        self.part.notes.push(format!(
                            "{asked}, and {has}; the platform leaves out other checks by it, so it \
                             compares something that checks do not state"
                        ));
                    } else {
                        let what = format!(
                            "{asked}, but {has}, and there are as many checks without the filter"
                        );
                        self.missing.push(ignored(&self.session.name, filter, &what));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The problem of a filter that the platform did not apply, as far as can be told.
fn ignored(source: &str, filter: Filter, what: &str) -> Problem {
    contradictory(format!("{source}: {what}")).help(format!(
        "remove `filters.{}`, and use `{}` in the gates instead, which needs no filter of the platform",
        filter.word(),
        filter.field(),
    ))
}
