//! What is read: the requirements within the filters, and the controls under them.
//!
//! One control appears under many requirements, policies and zones. It is planned once, with every
//! list of its resources (docs/platforms/sysdig.md#requirements).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::filter::Filter;
use super::super::pages::List;
use super::super::settings::{Posture, values};
use super::super::units::{Grade, given};
use super::endpoint::Endpoint;
use super::wire::{self, Requirement};
use crate::finding::{Cause, Control, Problem, Rule, Severity};
use crate::http::Call;
use crate::json::Whole;
use crate::sources::Session;
use crate::text::{self, Undocumented};

/// Characters of a control's description that are kept.
const MOST_HELP: usize = 1000;

/// What is read.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) requirements: u64,
    /// By id.
    pub(super) controls: BTreeMap<String, Planned>,
    /// Names of controls that a person has to check. The platform never evaluates them.
    pub(super) manual: BTreeSet<String>,
    /// Zones and policies by name; a name is empty where the platform states none.
    pub(super) scope: BTreeSet<(String, String)>,
    /// What is missing or contradictory.
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<String>,
    /// Severities of controls that are not documented.
    pub(super) severities: Undocumented,
}

/// A control.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) help: Option<Arc<str>>,
    /// The worst of all requirements that have it.
    pub(super) severity: Severity,
    pub(super) targets: BTreeMap<String, Target>,
    shared: OnceCell<Option<Arc<Rule>>>,
}

/// A list of resources of a control: those of one policy in one zone.
#[derive(Debug)]
pub(super) struct Target {
    /// `None` where the platform states none.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) controls: BTreeSet<Control>,
    /// Whether the platform states that all resources pass.
    pass: Option<bool>,
    /// Resources that pass, fail, and whose risk was accepted, by the platform's counts.
    pub(super) passing: Option<u64>,
    objects: Option<u64>,
    pub(super) accepted: Option<u64>,
    /// Whether all figures show that no resource failed or was accepted.
    quiet: bool,
}

/// Reads all requirements within the filters.
///
/// # Errors
/// If they do not arrive, or a filter matches nothing.
pub(super) async fn plan(settings: &Posture, session: &Session) -> Result<Plan, Vec<Problem>> {
    let numbers = settings.severity_numbers().unwrap_or_default();
    let filter = scope(settings).numbers("severity", numbers.iter().copied());
    let rows: Vec<Requirement> = list(session, &filter).rows(key).await.map_err(|one| vec![one])?;
    let unmatched = unmatched(settings, session, &rows).await.map_err(|one| vec![one])?;
    if !unmatched.is_empty() {
        return Err(unmatched);
    }
    let mut plan = Plan::default();
    for row in &rows {
        plan.requirement(&session.name, row).map_err(|one| vec![one])?;
    }
    if !numbers.is_empty() {
        let hidden = hidden(settings, session, rows.len() as u64).await;
        plan.problems.extend(hidden.map_err(|one| vec![one])?);
    }
    Ok(plan)
}

/// The filters for requirements, without that for severities.
fn scope(settings: &Posture) -> Filter {
    Filter::default()
        .texts("policy.name", values(settings.policies.as_ref()))
        .texts("zone.name", values(settings.zones.as_ref()))
        .texts("platform", values(settings.platforms.as_ref()))
}

fn list<'a>(session: &'a Session, filter: &Filter) -> List<impl Fn() -> Call<'a>> {
    let filter = filter.to_string();
    let call = move || {
        let call = session.http.get("api/cspm/v1/compliance/requirements", &[]);
        if filter.is_empty() { call } else { call.parameter("filter", &filter) }
    };
    List { what: format!("{}: compliance/requirements", session.name), call }
}

fn key(row: &Requirement) -> Option<String> {
    let zone = row.zone.as_ref();
    let zone = zone.and_then(|zone| zone.id.as_ref().or(zone.name.as_ref()));
    let policy = row.policy_id.as_ref().or(row.policy_name.as_ref());
    let id = row.requirement_id.as_ref().or(row.name.as_ref())?;
    let text = |part: Option<&String>| part.cloned().unwrap_or_default();
    Some(format!("{}\0{}\0{id}", text(zone), text(policy)))
}

/// The filter values that no requirement has. Else a misspelt zone next to a right one would be
/// missing from the evidence without notice.
async fn unmatched(
    settings: &Posture,
    session: &Session,
    rows: &[Requirement],
) -> Result<Vec<Problem>, Problem> {
    let policy = |row: &Requirement| row.policy_name.clone();
    let zone = |row: &Requirement| row.zone.as_ref().and_then(|zone| zone.name.clone());
    let seen = |name: fn(&Requirement) -> Option<String>| -> BTreeSet<String> {
        rows.iter().filter_map(name).collect()
    };
    let filters = [
        ("policies", "policy.name", &settings.policies, seen(policy)),
        ("zones", "zone.name", &settings.zones, seen(zone)),
        // A row does not state its platform.
        ("platforms", "platform", &settings.platforms, BTreeSet::new()),
    ];
    let mut unmatched = Vec::new();
    for (key, field, list_of, seen) in &filters {
        let asked: Vec<&str> = values(list_of.as_ref()).collect();
        // Any row proves the only value of a filter whose values rows do not state.
        let proven = |value: &str| {
            seen.contains(value)
                || seen.iter().any(|name| name.eq_ignore_ascii_case(value))
                || (*key == "platforms" && asked.len() == 1 && !rows.is_empty())
        };
        for value in asked.iter().filter(|value| !proven(value)) {
            let alone = Filter::default().texts(field, [*value]);
            let total = list(session, &alone).total().await?;
            if *key == "platforms" && total > 0 && !rows.is_empty() {
                continue;
            }
            unmatched.push(nothing(session, key, value, total));
        }
        if let Some(name) = seen.iter().find(|name| !asked.is_empty() && !has(&asked, name)) {
            let message = format!(
                "{}: compliance/requirements sends `{}`, which `posture.{key}` excludes; the \
                 platform ignored the filter",
                session.name,
                text::one_line(name, 80)
            );
            return Err(Problem::new(Cause::Contradictory, message));
        }
    }
    Ok(unmatched)
}

fn has(asked: &[&str], name: &str) -> bool {
    asked.iter().any(|value| value.eq_ignore_ascii_case(name))
}

fn nothing(session: &Session, key: &str, value: &str, alone: u64) -> Problem {
    let together = if alone == 0 { "" } else { " together with the other filters" };
    Problem::new(
        Cause::Invalid,
        format!("{}: posture.{key}: `{value}` matches no requirement{together}", session.name),
    )
    .help(
        "compare the name with `compliance-gate list frameworks`, and check that the token's team \
         can see it",
    )
}

/// Requirements with an undocumented severity, which the severity filter leaves out. They could be
/// the worst.
async fn hidden(
    settings: &Posture,
    session: &Session,
    found: u64,
) -> Result<Option<Problem>, Problem> {
    let any = list(session, &scope(settings)).total().await?;
    if any == found {
        return Ok(None);
    }
    let graded = list(session, &scope(settings).numbers("severity", [3, 2, 1])).total().await?;
    Ok((graded < any).then(|| {
        let hidden = text::count(any - graded, "requirement");
        let message = format!(
            "{}: {hidden} with an undocumented severity; posture.severities leaves them out, and \
             they could be the worst",
            session.name
        );
        Problem::new(Cause::Incomplete, message)
            .help("remove posture.severities, and use `severity` in the gates")
    }))
}

impl Plan {
    fn requirement(&mut self, source: &str, row: &Requirement) -> Result<(), Problem> {
        self.requirements += 1;
        let policy = given(&row.policy_name).unwrap_or_default();
        let zone = row.zone.as_ref().and_then(|zone| given(&zone.name)).unwrap_or_default();
        self.scope.insert((zone.to_owned(), policy.to_owned()));
        let controls = row.controls.as_deref().unwrap_or_default();
        let failing = controls.iter().filter(|control| control.pass != Some(true)).count() as u64;
        let stated = row.failed_controls.map_or(0, |count| count.0);
        if failing < stated || (row.pass == Some(false) && failing == 0) {
            self.problems.push(Problem::new(
                Cause::Incomplete,
                format!(
                    "{source}: {} failed with {}, but lists {failing} of them",
                    row.label(),
                    text::count(stated.max(1), "control")
                ),
            ));
        }
        for control in controls {
            self.control(source, row, control)?;
        }
        Ok(())
    }

    fn control(
        &mut self,
        source: &str,
        row: &Requirement,
        control: &wire::Control,
    ) -> Result<(), Problem> {
        let Some(id) = &control.id else {
            let message = format!("{source}: {} has a control without an id", row.label());
            return Err(Problem::new(Cause::Protocol, message));
        };
        if control.is_manual == Some(true) {
            self.manual.insert(given(&control.name).unwrap_or(id).to_owned());
            return Ok(());
        }
        let mut target = Target::of(row, control, id).map_err(|what| {
            let message = format!("{source}: the resource endpoint of control {id} {what}");
            Problem::new(Cause::Protocol, message)
        })?;
        target.quiet &= !row.counts_more_than_its_controls();
        let planned = self.controls.entry(id.clone()).or_insert_with(|| Planned {
            id: id.clone(),
            name: given(&control.name).map(str::to_owned),
            help: given(&control.description).map(|help| text::shorten(help, MOST_HELP).into()),
            severity: Severity::None,
            targets: BTreeMap::new(),
            shared: OnceCell::new(),
        });
        let severity = control.severity.as_ref().or(row.severity.as_ref());
        let named = severity.map_or(Severity::Unknown, Grade::severity);
        if named == Severity::Unknown {
            self.severities.add(severity.map(Grade::text));
        }
        planned.severity = planned.severity.max(named);
        let place = control.resource_api_endpoint.clone().unwrap_or_else(|| {
            // Without it, lists differ at least by policy and zone.
            key(row).unwrap_or_default()
        });
        match planned.targets.get_mut(&place) {
            Some(known) => known.merge(target),
            None => {
                planned.targets.insert(place, target);
            }
        }
        Ok(())
    }
}

impl Target {
    fn of(row: &Requirement, control: &wire::Control, id: &str) -> Result<Self, String> {
        // What the platform does not name is left empty, which every selector matches.
        let policy = given(&row.policy_name).unwrap_or_default();
        let named = |id: &str| Control { framework: policy.into(), id: id.into() };
        let requirement = given(&row.name).unwrap_or_default();
        let by_id = row.requirement_id.as_deref().filter(|_| requirement.is_empty());
        let zero = |count: Option<Whole>| count.is_some_and(|count| count.0 == 0);
        let endpoint = given(&control.resource_api_endpoint).map(Endpoint::parse).transpose()?;
        // The counts do not include a host that was not evaluated.
        let may_hide = endpoint.as_ref().is_some_and(Endpoint::states_errors);
        Ok(Self {
            controls: [Some(id), Some(requirement), by_id]
                .into_iter()
                .flatten()
                .map(named)
                .collect(),
            pass: control.pass,
            passing: control.passing_count.map(|count| count.0),
            objects: control.objects_count.map(|count| count.0),
            accepted: control.accepted_count.map(|count| count.0),
            endpoint,
            quiet: !may_hide
                && control.pass == Some(true)
                && zero(control.objects_count)
                && zero(control.accepted_count),
        })
    }

    /// How many resources passed, if no other result is possible.
    pub(super) fn quiet_passing(&self) -> Option<u64> {
        self.passing.filter(|_| self.quiet)
    }

    /// How many resources fail at least, by the platform's figures.
    pub(super) fn failing(&self) -> u64 {
        self.objects.unwrap_or(0).max(u64::from(self.pass == Some(false)))
    }

    /// The same list under another requirement.
    fn merge(&mut self, other: Self) {
        self.controls.extend(other.controls);
        self.quiet &= other.quiet;
        self.accepted = match (self.accepted, other.accepted) {
            (Some(one), Some(other)) => Some(one.max(other)),
            _ => None,
        };
        self.pass = match (self.pass, other.pass) {
            (Some(true), Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        };
        self.passing = self.passing.min(other.passing);
        self.objects = self.objects.max(other.objects);
    }
}

impl Requirement {
    /// How messages name it.
    fn label(&self) -> String {
        let name = given(&self.name).or(self.requirement_id.as_deref()).unwrap_or_default();
        let policy = given(&self.policy_name).or(self.policy_id.as_deref()).unwrap_or_default();
        format!("requirement `{}` of `{}`", text::one_line(name, 80), text::one_line(policy, 80))
    }
}

impl Planned {
    /// How messages name it.
    pub(super) fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("control {} (`{}`)", self.id, text::one_line(name, 80)),
            None => format!("control {}", self.id),
        }
    }

    /// The rule that its findings share; `None` where the platform does not name it.
    pub(super) fn shared_rule(&self) -> Option<Arc<Rule>> {
        let rule = |name: &String| Rule {
            id: name.as_str().into(),
            title: Some(name.as_str().into()),
            help: self.help.clone(),
        };
        self.shared.get_or_init(|| Some(Arc::new(rule(self.name.as_ref()?)))).clone()
    }

    /// Every policy, requirement and id of it.
    pub(super) fn all_controls(&self) -> Arc<[Control]> {
        let all: BTreeSet<_> = self.targets.values().flat_map(|target| &target.controls).collect();
        all.into_iter().cloned().collect()
    }
}
