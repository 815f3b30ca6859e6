//! The resources that the platform's inventory finds: what is meant, where not all are (fact sheet
//! §4.7).

use std::collections::HashSet;

use super::super::filter::Filter;
use super::super::pages::List;
use super::super::settings::{Inventory, Value, values};
use super::wire::{InventoryItem, given};
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::sources::{OneOrMore, Session};
use crate::text;

/// The hashes of the resources, and what is wrong with the list if something is.
///
/// # Errors
/// If the inventory does not arrive, or a filter matches nothing.
pub async fn hashes(
    session: &Session,
    inventory: &Inventory,
) -> Result<(HashSet<String>, Option<Problem>), Problem> {
    let filters = filters(inventory);
    let filter = filters
        .into_iter()
        .fold(Filter::default(), |filter, (field, asked)| filter.texts(field, values(asked)));
    let key = |item: &InventoryItem| {
        let id = item.id.as_ref().map(|id| id.0.as_str());
        given(&item.hash).or(id).map(str::to_owned)
    };
    let items: Vec<InventoryItem> = list(session, &filter).rows(key).await?;
    if items.is_empty() {
        return Err(nothing(session, &filter));
    }
    probe(session, &filters).await?;
    let found: HashSet<_> =
        items.iter().filter_map(|item| given(&item.hash)).map(str::to_owned).collect();
    let nameless = (items.len() - found.len()) as u64;
    let doubt = (nameless > 0).then(|| {
        let count = text::count(nameless, "resource");
        let message = format!(
            "{}: inventory/resources: {count} without a `hash`, so that nobody can tell what came \
             out of them",
            session.name
        );
        Problem::new(Cause::Incomplete, message)
    });
    Ok((found, doubt))
}

/// Every value of a list must match something: a misspelt account beside a right one would
/// silently be missing from the evidence.
async fn probe(
    session: &Session,
    filters: &[(&str, Option<&OneOrMore<Value>>)],
) -> Result<(), Problem> {
    for (field, asked) in filters {
        let asked: Vec<_> = values(*asked).collect();
        // A single one has been seen to match.
        for value in asked.iter().filter(|_| asked.len() > 1) {
            let alone = Filter::default().texts(field, [*value]);
            if list(session, &alone).total().await? == 0 {
                return Err(nothing(session, &alone));
            }
        }
    }
    Ok(())
}

fn filters(inventory: &Inventory) -> [(&'static str, Option<&OneOrMore<Value>>); 8] {
    [
        ("account", inventory.account.as_ref()),
        ("cluster", inventory.cluster.as_ref()),
        ("namespace", inventory.namespace.as_ref()),
        ("organization", inventory.organization.as_ref()),
        ("platform", inventory.platform.as_ref()),
        ("region", inventory.region.as_ref()),
        ("type", inventory.kind.as_ref()),
        ("name", inventory.name.as_ref()),
    ]
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
