//! What follows from the list of cloud accounts (docs/platforms/sysdig.md#accounts).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::super::answer;
use super::super::settings::{Inventory, Match};
use super::connected::{self, Connected};
use crate::evidence::Unevaluated;
use crate::finding::{Account, Cause, Problem};
use crate::http::Failure;
use crate::sources::{OneOrMore, Session};
use crate::text;

/// What to do about an account that is not evaluated.
const CONNECT: &str =
    "connect and enable the account on the platform, and switch its posture feature on";

/// What the platform shows of its accounts.
#[derive(Debug)]
pub(super) enum Accounts {
    /// Those that could be read, and how many could not.
    Listed(Vec<Connected>, u64),
    /// The platform, or the token, does not show them.
    Refused(String),
    /// The answer is not one that is known, or there is none.
    Unknown(Problem),
}

/// Asks for the connected accounts.
///
/// # Errors
/// If the run was stopped.
pub(super) async fn ask(session: &Session) -> Result<Accounts, Problem> {
    let sent = session.http.get("api/cloudauth/v1/accounts", &[]).send().await;
    let answer = sent.and_then(|answer| match answer.json()? {
        list @ Value::Array(_) => Ok(list),
        _ => answer::object(&answer),
    });
    match answer {
        Ok(answer) => Ok(match connected::read(answer) {
            Ok((listed, unread)) => Accounts::Listed(listed, unread),
            Err(what) => {
                let message = format!("{}: cloudauth/accounts {what}", session.name);
                Accounts::Unknown(Problem::new(Cause::Protocol, message))
            }
        }),
        Err(error) => match error.failure {
            Failure::Stopped(_) => Err(error.problem()),
            Failure::Refused { .. } | Failure::Denied(_) => {
                Ok(Accounts::Refused(error.to_string()))
            }
            _ => Ok(Accounts::Unknown(error.problem())),
        },
    }
}

impl Accounts {
    /// What a reader should know of what is not known.
    pub(super) fn note(&self, source: &str) -> Option<String> {
        let why = match self {
            Self::Refused(why) => why.clone(),
            Self::Listed(..) | Self::Unknown(_) => self.unknown(source)?.message,
        };
        Some(format!("not known which cloud accounts are evaluated: {why}"))
    }

    /// What the platform should have said, and did not.
    pub(super) fn unknown(&self, source: &str) -> Option<Problem> {
        match self {
            Self::Listed(_, 0) | Self::Refused(_) => None,
            Self::Listed(_, unread) => {
                let rows = text::count(*unread, "row");
                let message =
                    format!("{source}: cloudauth/accounts has {rows} that cannot be read");
                Some(Problem::new(Cause::Protocol, message))
            }
            Self::Unknown(problem) => Some(problem.clone()),
        }
    }

    /// The accounts that have a name, by their id.
    pub(super) fn by_id(&self) -> HashMap<Arc<str>, Arc<Account>> {
        let Self::Listed(listed, _) = self else { return HashMap::new() };
        let named = listed.iter().map(|one| &one.account).filter(|account| account.name.is_some());
        named.map(|account| (Arc::clone(&account.id), Arc::new(account.clone()))).collect()
    }

    /// The accounts of the policy that are not connected, or whose posture is not evaluated; or that
    /// the platform should have said so, and did not.
    pub(super) fn doubt(&self, source: &str, inventory: &Inventory) -> Option<Problem> {
        let asked = [&inventory.account, &inventory.project, &inventory.subscription];
        if let Some(unknown) = self.unknown(source) {
            return asked.iter().any(|list| list.is_some()).then_some(unknown);
        }
        let Self::Listed(listed, _) = self else { return None };
        // A project or a subscription may be known to the inventory by another name.
        let absent = asked_for(listed, inventory.account.as_ref())
            .filter(|(_, found)| found.is_empty())
            .map(|(word, _)| format!("{} is not connected", text::one_line(&word.to_string(), 60)));
        let off = asked.into_iter().flat_map(|list| asked_for(listed, list.as_ref()));
        let off = off.flat_map(|(_, found)| found).filter_map(|account| {
            let name = text::one_line(&account.account.to_string(), 120);
            Some(format!("{name} {}", account.why_not?))
        });
        let states: BTreeSet<_> = absent.chain(off).collect();
        (!states.is_empty()).then(|| {
            let message = format!("{source}: cloud accounts: {}", text::listed(states, "; ", 5));
            Problem::new(Cause::Incomplete, message).help(CONNECT)
        })
    }

    /// The accounts that are not evaluated, of all that an inventory leaves. `seen`: the cloud
    /// accounts that have results.
    pub(super) fn unevaluated(
        &self,
        inventory: Option<&Inventory>,
        seen: &BTreeSet<Arc<str>>,
    ) -> Vec<Unevaluated> {
        let Self::Listed(listed, unread) = self else { return Vec::new() };
        // Those of the inventory are in doubt by themselves.
        if inventory.is_some_and(|inventory| inventory.account.is_some()) {
            return Vec::new();
        }
        let off = listed.iter().filter_map(|one| {
            Some(Unevaluated { account: one.account.clone(), why: Some(one.why_not?.into()) })
        });
        // Results state the id or the name. A row that cannot be read may be of any account.
        let known: HashSet<_> = listed.iter().flat_map(Connected::names).collect();
        let gone = seen.iter().filter(|id| *unread == 0 && !known.contains(&id.to_lowercase()));
        let gone = gone.map(|id| Unevaluated {
            account: Account { id: Arc::clone(id), name: None },
            why: Some("has results, but is not connected".into()),
        });
        off.chain(gone).collect()
    }

    /// What gates that ask for an account, or for each, will miss.
    pub(super) fn named<'a>(
        &'a self,
        session: &'a Session,
        inventory: Option<&Inventory>,
    ) -> impl Iterator<Item = Problem> {
        let off = self.unevaluated(inventory, &BTreeSet::new()).into_iter().filter(|one| {
            let asked = &session.wanted.by_account;
            asked.iter().any(|selection| selection.matches_account(&one.account))
        });
        off.map(|Unevaluated { account, why }| {
            let account = text::one_line(&account.to_string(), 120);
            let why = why.unwrap_or_default();
            let message =
                format!("{}: account {account}, which a gate selects, {why}", session.name);
            Problem::new(Cause::Incomplete, message).help(CONNECT)
        })
    }

    /// Rows for people: the account, its cloud, and its state.
    ///
    /// # Errors
    /// If the platform does not list its accounts.
    pub(super) fn rows(self, source: &str) -> Result<Vec<Vec<String>>, Problem> {
        let listed = match self {
            Self::Listed(listed, _) => listed,
            Self::Unknown(problem) => return Err(problem),
            Self::Refused(why) => {
                let message = format!("{source}: the platform does not list its accounts: {why}");
                return Err(Problem::new(Cause::Incomplete, message));
            }
        };
        let row = |one: Connected| {
            let posture = if one.why_not.is_none() { "on" } else { "off" };
            let provider = one.provider.unwrap_or_default();
            vec![one.account.id.to_string(), provider, posture.to_owned()]
        };
        Ok(listed.into_iter().map(row).collect())
    }
}

/// The words of a list that mean accounts, each with those that it means.
fn asked_for<'a>(
    listed: &'a [Connected],
    words: Option<&'a OneOrMore<Match>>,
) -> impl Iterator<Item = (&'a Match, Vec<&'a Connected>)> {
    let words = words.into_iter().flat_map(|words| &words.0);
    let words = words.filter(|word| **word != Match::Nothing);
    words.map(|word| (word, listed.iter().filter(|one| one.is(word)).collect()))
}
