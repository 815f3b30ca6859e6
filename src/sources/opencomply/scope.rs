//! Which integrations each framework is evaluated over. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::{Framework, Integration};
use super::settings::{Entry, Integrations};
use crate::finding::{Cause, Problem};
use crate::text;

/// One framework over its integrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub framework: String,
    /// By the platform's id.
    pub integrations: BTreeMap<String, Integration>,
    /// Why a run could not be relied on, known without starting one.
    pub doubts: Vec<Problem>,
}

impl Scope {
    /// The platform's ids of the integrations.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        self.integrations.keys().cloned().collect()
    }

    /// The integration for people, by the platform's id.
    pub(super) fn label(&self, id: &str) -> String {
        self.integrations.get(id).map_or_else(|| id.to_owned(), Integration::to_string)
    }
}

/// The integrations that the settings mean.
///
/// # Errors
/// Every entry that does not mean exactly one integration.
pub(super) fn select(
    place: &str,
    wanted: &Integrations,
    all: &[Integration],
    notes: &mut Vec<String>,
) -> Result<Vec<Integration>, Vec<Problem>> {
    match wanted {
        Integrations::All => {
            // Put away on purpose, or not anybody's cloud: leaving them out loses no evidence.
            let left_out = |i: &&Integration| i.is("ARCHIVED") || i.is("SAMPLE_INTEGRATION");
            notes.extend(all.iter().filter(left_out).map(|integration| {
                format!("integration {integration} is {} and left out", integration.state)
            }));
            Ok(all.iter().filter(|integration| !left_out(integration)).cloned().collect())
        }
        Integrations::Listed(entries) => {
            let mut chosen: Vec<Integration> = Vec::new();
            let mut problems = Vec::new();
            for entry in entries {
                match resolve(place, entry, all) {
                    Ok(one) if chosen.iter().any(|other| other.id == one.id) => {}
                    Ok(one) => chosen.push(one.clone()),
                    Err(problem) => problems.push(problem),
                }
            }
            if problems.is_empty() { Ok(chosen) } else { Err(problems) }
        }
    }
}

/// The one integration that an entry means.
fn resolve<'a>(
    place: &str,
    entry: &Entry,
    all: &'a [Integration],
) -> Result<&'a Integration, Problem> {
    let is = |wanted: &Option<String>, given: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted == given)
    };
    let matching: Vec<_> = all
        .iter()
        .filter(|integration| {
            is(&entry.integration_id, &integration.id)
                && is(&entry.integration_type, &integration.kind)
                && is(&entry.provider_id, &integration.provider_id)
                && is(&entry.name, &integration.name)
        })
        .collect();
    // An account that was put away and connected again is there twice; the old one is not meant.
    let in_use: Vec<_> = matching.iter().filter(|one| !one.is("ARCHIVED")).copied().collect();
    match (&*in_use, &*matching) {
        ([one], _) | ([], [one]) => Ok(one),
        ([], []) => Err(Problem::new(
            Cause::Invalid,
            format!("{place}: no integration has {entry}{}", nearest_integration(entry, all)),
        )
        .help("`compliance-gate list integrations` shows those that exist")),
        (several, matching) => {
            let several = if several.is_empty() { matching } else { several };
            let shown: Vec<_> = several.iter().map(|one| format!("{one} = {}", one.id)).collect();
            Err(Problem::new(
                Cause::Invalid,
                format!(
                    "{place}: {} integrations have {entry}: {}",
                    several.len(),
                    text::one_line(&shown.join(", "), 600)
                ),
            )
            .help("name the one that is meant by its `integration_id`"))
        }
    }
}

fn nearest_integration(entry: &Entry, all: &[Integration]) -> String {
    type Value = fn(&Integration) -> &str;
    let fields: [(&Option<String>, Value); 4] = [
        (&entry.integration_id, |integration| &integration.id),
        (&entry.provider_id, |integration| &integration.provider_id),
        (&entry.name, |integration| &integration.name),
        (&entry.integration_type, |integration| &integration.kind),
    ];
    // The first field that nothing has is the one with the slip.
    let slip = fields.iter().find_map(|(wanted, field)| {
        let wanted = wanted.as_deref()?;
        let known = || all.iter().map(field).filter(|value| !value.is_empty());
        (!known().any(|value| value == wanted)).then(|| text::did_you_mean(wanted, known()))
    });
    slip.unwrap_or_else(|| ": each of these belongs to another one".to_owned())
}

/// Each framework over the integrations that it covers.
///
/// # Errors
/// Every framework that covers none, and every listed integration that none covers.
pub(super) fn scopes(
    place: &str,
    frameworks: &[Framework],
    chosen: &[Integration],
    wanted: &Integrations,
) -> Result<Vec<Scope>, Vec<Problem>> {
    let covers = |framework: &Framework, integration: &Integration| {
        framework.plugins.as_ref().is_none_or(|types| types.contains(&integration.kind))
    };
    let mut problems = Vec::new();
    let mut scopes = Vec::new();
    for framework in frameworks {
        let covered: Vec<_> = chosen.iter().filter(|one| covers(framework, one)).collect();
        if covered.is_empty() {
            problems.push(covers_none(place, framework, wanted));
        }
        scopes.push(scope(place, framework, &covered));
    }
    if matches!(wanted, Integrations::Listed(_)) && !frameworks.is_empty() {
        let uncovered =
            chosen.iter().filter(|one| !frameworks.iter().any(|framework| covers(framework, one)));
        problems.extend(uncovered.map(|one| {
            Problem::new(
                Cause::Invalid,
                format!("{place}: integration {one} is covered by none of the frameworks"),
            )
            .help("add a framework for its type, or take it out of `integrations`")
        }));
    }
    if problems.is_empty() { Ok(scopes) } else { Err(problems) }
}

fn covers_none(place: &str, framework: &Framework, wanted: &Integrations) -> Problem {
    let id = &framework.id;
    let types = match framework.plugins.as_deref() {
        // Every run of it is refused (docs/platforms/opencomply.md#lists).
        Some([]) => {
            let what = format!("{place}: framework `{id}` allows no integration type at all");
            return Problem::new(Cause::Invalid, what)
                .help("correct the framework on the platform, or take it out of `frameworks`");
        }
        Some(types) => types.join(", "),
        None => "types that the platform does not name".to_owned(),
    };
    let what = match wanted {
        Integrations::All => "there is no such integration in use",
        Integrations::Listed(_) => "`integrations` lists none of them",
    };
    Problem::new(Cause::Invalid, format!("{place}: framework `{id}` covers {types}, and {what}"))
        .help("list an integration of that type, or take the framework out of `frameworks`")
}

fn scope(place: &str, framework: &Framework, covered: &[&Integration]) -> Scope {
    let doubtful = covered.iter().filter(|integration| !integration.is("ACTIVE"));
    let doubts = doubtful.map(|integration| {
        let (state, why) = match &*integration.state {
            "" => ("in a state that the platform does not name", "whether it is discovered"),
            "SAMPLE_INTEGRATION" => ("SAMPLE_INTEGRATION", "anything but sample data"),
            state => (state, "what there is in it now"),
        };
        Problem::new(
            Cause::Incomplete,
            format!(
                "{place}: framework `{}`: integration {integration} is {state}; a run would not \
                 show {why}",
                framework.id
            ),
        )
        .help("fix the integration on the platform until it is ACTIVE, or take it out of `integrations`")
    });
    Scope {
        framework: framework.id.clone(),
        doubts: doubts.collect(),
        integrations: covered.iter().map(|one| (one.id.clone(), (*one).clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integration(id: &str, kind: &str, provider_id: &str, state: &str) -> Integration {
        let [id, kind, provider_id, state] = [id, kind, provider_id, state].map(str::to_owned);
        Integration { name: format!("name of {id}"), id, kind, provider_id, state }
    }

    fn estate() -> Vec<Integration> {
        vec![
            integration("i1", "aws_cloud_account", "122814690049", "ACTIVE"),
            integration("i2", "aws_cloud_account", "210987654321", "INACTIVE"),
            integration("i3", "azure_subscription", "f8b4c7a2", "ACTIVE"),
            integration("i4", "aws_cloud_account", "555555555555", "ARCHIVED"),
            integration("i5", "aws_cloud_account", "555555555555", "ACTIVE"),
            integration("i6", "aws_cloud_account", "666666666666", "ACTIVE"),
            integration("i7", "aws_cloud_account", "666666666666", "ACTIVE"),
            integration("i8", "github_account", "acme", "SAMPLE_INTEGRATION"),
        ]
    }

    fn by_provider(id: &str) -> Entry {
        Entry { provider_id: Some(id.to_owned()), ..Entry::default() }
    }

    fn framework(id: &str, plugins: Option<&[&str]>) -> Framework {
        let plugins = plugins.map(|types| types.iter().map(|&kind| kind.to_owned()).collect());
        Framework {
            id: id.to_owned(),
            title: Some(format!("Title of {id}")),
            plugins,
            controls: None,
        }
    }

    #[test]
    fn an_entry_is_literal_and_means_one() {
        let all = estate();
        let found = |entry: &Entry| {
            resolve("here", entry, &all).map(|one| &*one.id).map_err(|problem| problem.message)
        };
        assert_eq!(found(&by_provider("122814690049")), Ok("i1"));
        // The platform's own filter would find this inside the longer id.
        let error = found(&by_provider("12281469004")).unwrap_err();
        assert!(error.contains("did you mean `122814690049`"), "{error}");
        assert!(found(&by_provider(".*")).is_err());
        // Connected again: the archived one is not meant.
        assert_eq!(found(&by_provider("555555555555")), Ok("i5"));
        let error = found(&by_provider("666666666666")).unwrap_err();
        assert!(error.contains("2 integrations") && error.contains("i7"), "{error}");
        let both =
            Entry { integration_type: Some("azure".to_owned()), ..by_provider("122814690049") };
        assert!(found(&both).is_err());
        let crossed = Entry {
            integration_type: Some("azure_subscription".to_owned()),
            ..by_provider("122814690049")
        };
        assert!(found(&crossed).unwrap_err().contains("belongs to another"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let entries = vec![by_provider("1"), by_provider("122814690049"), by_provider("2")];
        let error = select("here", &Integrations::Listed(entries), &estate(), &mut Vec::new());
        assert_eq!(error.unwrap_err().len(), 2);
    }

    #[test]
    fn all_leaves_out_what_is_archived_or_a_sample_and_says_so() {
        let mut notes = Vec::new();
        let chosen = select("here", &Integrations::All, &estate(), &mut notes).unwrap();
        assert!(chosen.iter().all(|one| one.id != "i4" && one.id != "i8"));
        assert!(chosen.iter().any(|one| one.id == "i2"));
        assert_eq!(notes.len(), 2, "{notes:?}");
    }

    #[test]
    fn a_framework_runs_over_the_types_it_covers() {
        let aws = framework("aws", Some(&["aws_cloud_account"]));
        let any = framework("any", None);
        let none = framework("none", Some(&["github_account"]));
        let all = estate();
        let chosen = [all[0].clone(), all[1].clone(), all[2].clone()];
        let listed = Integrations::Listed(Vec::new());
        let made = scopes("here", &[aws.clone(), any], &chosen, &listed).unwrap();
        assert_eq!(made[0].ids().into_iter().collect::<Vec<_>>(), ["i1", "i2"]);
        assert_eq!(made[1].integrations.len(), 3);
        // The inactive one makes both inconclusive, and is named.
        for scope in &made {
            assert_eq!(scope.doubts.len(), 1);
            assert_eq!(scope.doubts[0].cause, Cause::Incomplete);
            assert!(scope.doubts[0].message.contains("210987654321"), "{:?}", scope.doubts);
        }
        let problems = scopes("here", &[aws, none], &chosen, &listed).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|problem| &*problem.message).collect();
        assert!(messages[0].contains("`none` covers github_account"), "{messages:?}");
        assert!(messages[1].contains("f8b4c7a2"), "{messages:?}");
        assert!(problems.iter().all(|problem| problem.cause == Cause::Invalid));
    }
}
