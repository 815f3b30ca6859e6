//! The resources that the platform's inventory finds, where a policy limits the evidence to some
//! (docs/platforms/sysdig.md#inventory).

use std::collections::HashSet;

use super::super::filter::Filter;
use super::super::pages::List;
use super::super::settings::{Filtered, Inventory, Match};
use super::super::units::given;
use super::wire::InventoryItem;
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::sources::Session;
use crate::text;

/// A value that no resource has.
const NOWHERE: &str = "compliance-gate: no resource has this value";

/// Asks whether the filters match something, and what is doubtful about them.
///
/// # Errors
/// If the inventory does not answer, or a filter matches nothing.
pub(super) async fn check(
    session: &Session,
    inventory: &Inventory,
) -> Result<Option<Problem>, Problem> {
    let lists = lists(inventory);
    let mut found = 0;
    for filter in &lists {
        found += list(session, filter).total().await?;
    }
    if let (0, Some(filter)) = (found, lists.first()) {
        return Err(nothing(session, filter));
    }
    check_each_value(session, inventory).await?;
    ignored(session, inventory).await
}

/// The hashes of the resources, and what is missing of them.
///
/// # Errors
/// If the inventory does not arrive, or nothing is in it any more.
pub(super) async fn hashes(
    session: &Session,
    inventory: &Inventory,
) -> Result<(HashSet<String>, Option<Problem>), Problem> {
    let key = |item: &InventoryItem| given(&item.hash).or(item.id.as_deref()).map(str::to_owned);
    let lists = lists(inventory);
    let (mut found, mut nameless) = (HashSet::new(), 0);
    for filter in &lists {
        let items: Vec<InventoryItem> = list(session, filter).rows(key).await?;
        let hashes = items.iter().filter_map(|item| given(&item.hash)).map(str::to_owned);
        let hashes: HashSet<_> = hashes.collect();
        nameless += (items.len() - hashes.len()) as u64;
        found.extend(hashes);
    }
    if let (true, 0, Some(filter)) = (found.is_empty(), nameless, lists.first()) {
        return Err(nothing(session, filter));
    }
    let doubt = (nameless > 0).then(|| {
        let count = text::count(nameless, "resource");
        let message = format!(
            "{}: inventory/resources: {count} without a `hash`, so their results cannot be found",
            session.name
        );
        Problem::new(Cause::Incomplete, message)
            .help("leave out `posture.inventory`, and use the selectors of the gates")
    });
    Ok((found, doubt))
}

/// Every value of a list must match something. Else a misspelt account next to a right one would be
/// missing from the evidence without notice.
async fn check_each_value(session: &Session, inventory: &Inventory) -> Result<(), Problem> {
    // A single value is checked with the others.
    for filter in inventory.filters().filter(|filter| filter.words.len() > 1) {
        for word in filter.words {
            let alone = condition(filter.field, word);
            if list(session, &alone).total().await? == 0 {
                return Err(nothing(session, &alone));
            }
        }
    }
    Ok(())
}

/// The filter that the platform ignores, or of which it reads a part, if there is one. The resources
/// are then others than was asked for, and a pass rate says nothing of those.
async fn ignored(session: &Session, inventory: &Inventory) -> Result<Option<Problem>, Problem> {
    let wrong = |what: String| {
        let message = format!("{}: posture.inventory: the platform ignores {what}", session.name);
        Problem::new(Cause::Contradictory, message)
            .help("choose the resources by another filter, or by the selectors of the gates")
    };
    // A value that is refused was read.
    for probe in finding_nothing(inventory) {
        if let Some(found @ 1..) = list(session, &probe).total_unless_refused().await? {
            let found = text::count(found, "resource");
            return Ok(Some(wrong(format!(
                "a part of `{probe}`: it finds {found} where there is none"
            ))));
        }
    }
    for probe in inventory.filters().flat_map(finding_something) {
        if list(session, &probe).total_unless_refused().await? == Some(0) {
            return Ok(Some(wrong(format!(
                "a value of `{probe}`: it finds nothing, where one of the values alone finds something"
            ))));
        }
    }
    Ok(None)
}

/// Questions that nothing can answer: of all conditions, each in turn is one that nothing meets.
fn finding_nothing(inventory: &Inventory) -> Vec<Filter> {
    let filters: Vec<_> = inventory.filters().collect();
    let mut probes = Vec::new();
    for (at, filter) in filters.iter().enumerate() {
        let mut impossible: Vec<_> =
            filter.words.iter().map(|word| impossible(filter.field, word)).collect();
        impossible.dedup();
        probes.extend(impossible.into_iter().map(|nothing| {
            filters.iter().enumerate().fold(
                Filter::default(),
                |all, (other, one)| match conditions(*one).first() {
                    Some(condition) if other != at => all.and(condition),
                    _ => all.and(&nothing),
                },
            )
        }));
    }
    probes
}

/// Questions about a list of values that something answers, whose other value is one that nothing
/// has: the first and the last value must both be read.
fn finding_something(filter: Filtered<'_>) -> Vec<Filter> {
    let values: Vec<_> = whole_values(filter).collect();
    let probe = |values: [&str; 2]| Filter::default().texts(filter.field, values);
    match values[..] {
        [first, .., last] => vec![probe([first, NOWHERE]), probe([NOWHERE, last])],
        _ => Vec::new(),
    }
}

/// The same question with an answer that is known: nothing.
fn impossible(field: &str, word: &Match) -> Filter {
    match word {
        Match::Is(_) => Filter::default().texts(field, [NOWHERE]),
        Match::StartsWith(_) => Filter::starting(field, NOWHERE),
        Match::Contains(_) => Filter::containing(field, NOWHERE),
        Match::Any | Match::Nothing => Filter::existing(field).and(&Filter::lacking(field)),
    }
}

/// The lists that together are the inventory: one for each combination of conditions, since brackets
/// around `or` are not documented.
fn lists(inventory: &Inventory) -> Vec<Filter> {
    inventory.filters().fold(vec![Filter::default()], |lists, filter| {
        let all = conditions(filter);
        lists.iter().flat_map(|list| all.iter().map(|one| list.and(one))).collect()
    })
}

/// The conditions of which a resource has to meet one.
fn conditions(filter: Filtered<'_>) -> Vec<Filter> {
    let whole = Filter::default().texts(filter.field, whole_values(filter));
    let patterns = filter.words.iter().filter(|word| !matches!(word, Match::Is(_)));
    let patterns = patterns.map(|word| condition(filter.field, word));
    [whole].into_iter().filter(|all| !all.is_empty()).chain(patterns).collect()
}

fn whole_values(filter: Filtered<'_>) -> impl Iterator<Item = &str> {
    filter.words.iter().filter_map(|word| match word {
        Match::Is(text) => Some(text.as_str()),
        _ => None,
    })
}

fn condition(field: &str, word: &Match) -> Filter {
    match word {
        Match::Is(text) => Filter::default().texts(field, [text.as_str()]),
        Match::StartsWith(text) => Filter::starting(field, text),
        Match::Contains(text) => Filter::containing(field, text),
        Match::Any => Filter::existing(field),
        Match::Nothing => Filter::lacking(field),
    }
}

fn list<'a>(session: &'a Session, filter: &Filter) -> List<impl Fn() -> Call<'a>> {
    let filter = filter.to_string();
    let call = move || {
        let call = session.http.get("api/cspm/v1/inventory/resources", &[]);
        let call = call.parameter("fields", "id,hash,name");
        if filter.is_empty() { call } else { call.parameter("filter", &filter) }
    };
    List { what: format!("{}: inventory/resources", session.name), call }
}

fn nothing(session: &Session, filter: &Filter) -> Problem {
    let message = format!("{}: posture.inventory: `{filter}` matches no resource", session.name);
    Problem::new(Cause::Invalid, message).help("check the filters against the platform's inventory")
}
