//! What there is to read: the requirements within the filters, and the controls under them.
//!
//! One control appears under many requirements, policies and zones. It is planned once, with every
//! place where its resources are listed.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::filter::Filter;
use super::super::pages::List;
use super::super::settings::{Posture, values};
use super::endpoint::Endpoint;
use super::wire::{self, Requirement, given};
use crate::finding::{Cause, Control, Problem, Rule, Severity};
use crate::http::Call;
use crate::sources::Session;
use crate::text;

/// Characters of a control's description that are kept.
const MOST_HELP: usize = 1000;

/// All that is meant.
#[derive(Debug, Default)]
pub struct Plan {
    pub requirements: u64,
    /// By id.
    pub controls: BTreeMap<String, Planned>,
    /// Names of controls that a person has to check; nothing ever evaluates them.
    pub manual: BTreeSet<String>,
    /// Zones and policies by name.
    pub scope: BTreeSet<(String, String)>,
    /// What makes the results unreliable.
    pub problems: Vec<Problem>,
}

/// A control.
#[derive(Debug)]
pub struct Planned {
    pub id: String,
    pub name: Option<String>,
    pub help: Option<Arc<str>>,
    /// The worst that any requirement's copy says.
    pub severity: Option<Severity>,
    pub kind: Option<Arc<str>>,
    pub targets: BTreeMap<String, Target>,
    shared: OnceCell<Arc<Rule>>,
}

/// A place where the resources of a control are listed: of one policy in one zone.
#[derive(Debug)]
pub struct Target {
    /// `None`: the platform gave none.
    pub endpoint: Option<Endpoint>,
    pub controls: BTreeSet<Control>,
    /// Whether the platform says that all resources pass.
    pub pass: Option<bool>,
    pub passing: Option<u64>,
    /// Resources that fail, by the platform's count.
    objects: Option<u64>,
    /// Whether no resource of it can have failed or been accepted.
    quiet: bool,
    /// Whether none of it can have been accepted.
    pub unaccepted: bool,
}

/// Asks for all requirements within the filters.
///
/// # Errors
/// If they do not arrive, or a filter matches nothing.
pub async fn plan(settings: &Posture, session: &Session) -> Result<Plan, Vec<Problem>> {
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

/// The filters that say which requirements are meant, however severe.
fn scope(settings: &Posture) -> Filter {
    Filter::default()
        .texts("policy.name", values(settings.policies.as_ref()))
        .texts("zone.name", values(settings.zones.as_ref()))
        .texts("platform", values(settings.platforms.as_ref()))
}

pub fn list<'a>(session: &'a Session, filter: &Filter) -> List<impl Fn() -> Call<'a>> {
    let filter = filter.to_string();
    let call = move || {
        let call = session.http.get("api/cspm/v1/compliance/requirements", &[]);
        if filter.is_empty() { call } else { call.parameter("filter", &filter) }
    };
    List { what: format!("{}: compliance/requirements", session.name), call }
}

fn key(row: &Requirement) -> Option<String> {
    let zone = row.zone.as_ref();
    let zone = zone.and_then(|zone| zone.id.as_ref().map(|id| &id.0).or(zone.name.as_ref()));
    let policy = row.policy_id.as_ref().map(|id| &id.0).or(row.policy_name.as_ref());
    let id = row.requirement_id.as_ref().map(|id| &id.0).or(row.name.as_ref())?;
    let text = |part: Option<&String>| part.cloned().unwrap_or_default();
    Some(format!("{}\0{}\0{id}", text(zone), text(policy)))
}

/// The filter values that no requirement has: a misspelt zone beside a right one would silently be
/// missing from the evidence.
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
        // A row does not say for which platform it was found.
        ("platforms", "platform", &settings.platforms, BTreeSet::new()),
    ];
    let mut unmatched = Vec::new();
    for (key, field, list_of, seen) in &filters {
        let asked: Vec<&str> = values(list_of.as_ref()).collect();
        // The only value of a filter that has no name in the rows is proven by any row.
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
                "{}: compliance/requirements answers with `{}`, which `posture.{key}` does not ask \
                 for",
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

/// Requirements that the severity filter leaves out although their severity is none that the
/// platform documents: they could be the worst.
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
            "{}: {hidden} with a severity that the platform does not document; \
             posture.severities leaves them out, and they could be the worst",
            session.name
        );
        Problem::new(Cause::Incomplete, message)
            .help("remove posture.severities, and use `severity` in the gates")
    }))
}

impl Plan {
    fn requirement(&mut self, source: &str, row: &Requirement) -> Result<(), Problem> {
        self.requirements += 1;
        let policy = given(&row.policy_name).unwrap_or("(a policy without a name)");
        let zone = row.zone.as_ref().and_then(|zone| given(&zone.name)).unwrap_or_default();
        self.scope.insert((zone.to_owned(), policy.to_owned()));
        let name = given(&row.name).or(row.requirement_id.as_ref().map(|id| id.0.as_str()));
        let name = name.unwrap_or_default();
        let controls = row.controls.as_deref().unwrap_or_default();
        let failing = controls.iter().filter(|control| control.pass != Some(true)).count() as u64;
        let stated = row.failed_controls.map_or(0, |count| count.0);
        if failing < stated || (row.pass == Some(false) && failing == 0) {
            self.problems.push(Problem::new(
                Cause::Incomplete,
                format!(
                    "{source}: requirement `{}` of `{}` failed with {}, but lists {failing} of them",
                    text::one_line(name, 80),
                    text::one_line(policy, 80),
                    text::count(stated.max(1), "control")
                ),
            ));
        }
        for control in controls {
            self.control(source, row, control, policy, name)?;
        }
        Ok(())
    }

    fn control(
        &mut self,
        source: &str,
        row: &Requirement,
        control: &wire::Control,
        policy: &str,
        requirement: &str,
    ) -> Result<(), Problem> {
        let Some(id) = control.id.as_ref().map(|id| &id.0).filter(|id| !id.is_empty()) else {
            let message = format!(
                "{source}: requirement `{}` of `{}` has a control without an id",
                text::one_line(requirement, 80),
                text::one_line(policy, 80)
            );
            return Err(Problem::new(Cause::Protocol, message));
        };
        if control.is_manual == Some(true) {
            self.manual.insert(given(&control.name).unwrap_or(id).to_owned());
            return Ok(());
        }
        let mut target = Target::of(control, policy, requirement, id).map_err(|what| {
            let message = format!("{source}: the resource endpoint of control {id} {what}");
            Problem::new(Cause::Protocol, message)
        })?;
        target.quiet &= !row.counts_more_than_its_controls();
        let planned = self.controls.entry(id.clone()).or_insert_with(|| Planned {
            id: id.clone(),
            name: given(&control.name).map(str::to_owned),
            help: given(&control.description).map(|help| text::shorten(help, MOST_HELP).into()),
            severity: None,
            kind: given(&control.resource_kind).map(Arc::from),
            targets: BTreeMap::new(),
            shared: OnceCell::new(),
        });
        let severity = control.severity.as_ref().or(row.severity.as_ref());
        planned.severity = planned.severity.max(severity.map(|grade| grade.severity()));
        let place = control.resource_api_endpoint.clone().unwrap_or_else(|| {
            // What has no address is at least of one policy and zone.
            format!("{policy}\0{}", key(row).unwrap_or_default())
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
    fn of(
        control: &wire::Control,
        policy: &str,
        requirement: &str,
        id: &str,
    ) -> Result<Self, String> {
        let named = |id: &str| Control { framework: policy.into(), id: id.into() };
        let requirement = Some(requirement).filter(|name| !name.is_empty());
        let zero = |count: Option<super::super::units::Whole>| count.is_some_and(|n| n.0 == 0);
        let endpoint = given(&control.resource_api_endpoint).map(Endpoint::parse).transpose()?;
        // A host that was not evaluated does not show in the counts.
        let may_hide = endpoint.as_ref().is_some_and(Endpoint::tells_errors);
        Ok(Self {
            controls: [Some(id), requirement].into_iter().flatten().map(named).collect(),
            pass: control.pass,
            passing: control.passing_count.map(|count| count.0),
            objects: control.objects_count.map(|count| count.0),
            endpoint,
            unaccepted: zero(control.accepted_count),
            quiet: !may_hide
                && control.pass == Some(true)
                && zero(control.objects_count)
                && zero(control.accepted_count),
        })
    }

    /// How many resources passed, if none can have failed or been accepted.
    pub fn quiet_passing(&self) -> Option<u64> {
        self.passing.filter(|_| self.quiet)
    }

    /// How many resources fail at least, as the platform says.
    pub fn failing(&self) -> u64 {
        self.objects.unwrap_or(0).max(u64::from(self.pass == Some(false)))
    }

    /// The same list under another requirement.
    fn merge(&mut self, other: Self) {
        self.controls.extend(other.controls);
        self.quiet &= other.quiet;
        self.unaccepted &= other.unaccepted;
        self.pass = match (self.pass, other.pass) {
            (Some(true), Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        };
        self.passing = self.passing.min(other.passing);
        self.objects = self.objects.min(other.objects);
    }
}

impl Planned {
    pub fn severity(&self) -> Severity {
        self.severity.unwrap_or(Severity::Unknown)
    }

    /// The name by which a `rule` selector finds it.
    pub fn rule(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// What its findings share.
    pub fn shared_rule(&self) -> Arc<Rule> {
        let rule = || Rule {
            id: self.rule().into(),
            title: self.name.as_deref().map(Arc::from),
            help: self.help.clone(),
        };
        Arc::clone(self.shared.get_or_init(|| Arc::new(rule())))
    }

    /// Every policy, requirement and id under which it is known.
    pub fn all_controls(&self) -> Arc<[Control]> {
        let all: BTreeSet<_> = self.targets.values().flat_map(|target| &target.controls).collect();
        all.into_iter().cloned().collect()
    }
}
