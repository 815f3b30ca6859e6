//! The resources that the platform's inventory finds, where a policy limits the evidence to some
//! (docs/platforms/sysdig.md#inventory).

use std::collections::HashSet;

use super::super::filter::Filter;
use super::super::pages::List;
use super::super::settings::{Inventory, Value, values};
use super::super::units::given;
use super::wire::InventoryItem;
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::sources::{OneOrMore, Session};
use crate::text;

/// Asks whether the filters match something.
///
/// # Errors
/// If the inventory does not answer, or a filter matches nothing.
pub(super) async fn check(session: &Session, inventory: &Inventory) -> Result<(), Problem> {
    let filter = all(inventory);
    if list(session, &filter).total().await? == 0 {
        return Err(nothing(session, &filter));
    }
    check_each_value(session, inventory).await
}

/// The hashes of the resources, and what is missing of them.
///
/// # Errors
/// If the inventory does not arrive, or nothing is in it any more.
pub(super) async fn hashes(
    session: &Session,
    inventory: &Inventory,
) -> Result<(HashSet<String>, Option<Problem>), Problem> {
    let filter = all(inventory);
    let key = |item: &InventoryItem| given(&item.hash).or(item.id.as_deref()).map(str::to_owned);
    let items: Vec<InventoryItem> = list(session, &filter).rows(key).await?;
    if items.is_empty() {
        return Err(nothing(session, &filter));
    }
    let found: HashSet<_> =
        items.iter().filter_map(|item| given(&item.hash)).map(str::to_owned).collect();
    let nameless = (items.len() - found.len()) as u64;
    let doubt = (nameless > 0).then(|| {
        let count = text::count(nameless, "resource");
        let message = format!(
            "{}: inventory/resources: {count} without a `hash`, so their results cannot be found",
            session.name
        );
        Problem::new(Cause::Incomplete, message)
    });
    Ok((found, doubt))
}

/// Every value of a list must match something. Else a misspelt account next to a right one would be
/// missing from the evidence without notice.
async fn check_each_value(session: &Session, inventory: &Inventory) -> Result<(), Problem> {
    for (field, asked) in filters(inventory) {
        let asked: Vec<_> = values(asked).collect();
        // A single value is checked with the others.
        for value in asked.iter().filter(|_| asked.len() > 1) {
            let alone = Filter::default().texts(field, [*value]);
            if list(session, &alone).total().await? == 0 {
                return Err(nothing(session, &alone));
            }
        }
    }
    Ok(())
}

/// All filters together.
fn all(inventory: &Inventory) -> Filter {
    let filters = filters(inventory).into_iter();
    filters.fold(Filter::default(), |filter, (field, asked)| filter.texts(field, values(asked)))
}

fn filters(inventory: &Inventory) -> [(&'static str, Option<&OneOrMore<Value>>); 12] {
    [
        ("account", inventory.account.as_ref()),
        ("cluster", inventory.cluster.as_ref()),
        ("namespace", inventory.namespace.as_ref()),
        ("organization", inventory.organization.as_ref()),
        ("platform", inventory.platform.as_ref()),
        ("region", inventory.region.as_ref()),
        ("type", inventory.kind.as_ref()),
        ("name", inventory.name.as_ref()),
        ("labels", inventory.labels.as_ref()),
        ("project", inventory.project.as_ref()),
        ("subscription", inventory.subscription.as_ref()),
        ("zone", inventory.zone.as_ref()),
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
