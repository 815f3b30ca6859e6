//! The parameters of OpenComply. Every default is that of a healthy platform.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::data;

use super::course::Course;

/// Jobs are purged after thirty days, here in seconds (docs/platforms/opencomply.md, errors of the
/// status).
const PURGED_AFTER: u32 = 30 * 24 * 3600;

/// What the simulated OpenComply has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Whether compliance is switched on in this installation.
    pub compliance: Compliance,
    /// The role of the user behind a token. Replaces the default: `viewer`, `editor` and `revoked`
    /// are tokens with the role of their name.
    pub tokens: BTreeMap<String, Role>,
    /// The role behind any other token.
    pub default_role: Role,
    /// The id of the first job that a client starts; history has the ids before it.
    pub first_job_id: u64,
    /// Whether the frameworks that come with the simulator are installed.
    pub builtin_frameworks: bool,
    /// Frameworks by id, beside the built-in ones or in place of one of them.
    pub frameworks: BTreeMap<String, Framework>,
    /// The integrations that are connected. Replaces the default: the documented AWS account and
    /// Azure subscription, and a GitHub account.
    pub integrations: Vec<Integration>,
    /// How many more AWS accounts there are, with invented ids: a run is split at ten integrations
    /// (docs/platforms/opencomply.md, starting a run).
    pub extra_integrations: u64,
    /// Whether the answer to a start leaves out the integrations of its jobs.
    pub silent_start: bool,
    /// The course of every job that a client starts.
    pub job: Course,
    /// Jobs from before the simulator started, oldest first.
    pub history: Vec<PastJob>,
    /// Services that are down for a while.
    pub outages: Vec<Outage>,
    /// Whether cancelling a job whose runners are queued hangs a worker, so that no later job ends.
    pub hanging_worker: bool,
    /// Another user, who starts a run of the same framework while a client's run is not finished
    /// (docs/platforms/opencomply.md, runs that interfere).
    pub rival: Option<Rival>,
}

/// Whether compliance is switched on (docs/platforms/opencomply.md, routing and errors).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compliance {
    /// Switched on.
    #[default]
    Enabled,
    /// The scheduler answers 400 `compliance service is not enabled`.
    Disabled,
    /// nginx has no route to it either: its paths give the web UI.
    NotRouted,
}

/// What a user may do, the least first (docs/platforms/opencomply.md, tokens and roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Unknown, or disabled.
    Revoked,
    /// Reads.
    Viewer,
    /// The same as a viewer in this simulator.
    Editor,
    /// Starts and cancels runs.
    Admin,
}

/// A time in which a service of the platform is down (docs/platforms/opencomply.md, errors).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outage {
    pub service: Service,
    /// Milliseconds from the start of the simulator to the outage.
    #[serde(default)]
    pub after: i64,
    /// Milliseconds that it lasts.
    pub lasts: i64,
}

/// A service, by how requests are answered while it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Service {
    /// nginx answers 502 for the scheduler.
    Scheduler,
    /// nginx answers 500 for everything.
    Auth,
    /// Job status and reports answer 500.
    Search,
    /// Job status and history answer 400 with the error of the connection, and nginx 502 for the
    /// list of integrations.
    Integration,
}

/// A framework, and the results of a run over every integration that has resources.
///
/// The defaults are those of `baseline_security`, which are the documented figures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Framework {
    /// The name that people see.
    pub title: String,
    /// The types of integration that it can run on.
    pub integration_types: Vec<String>,
    /// Whether the list of frameworks leaves those types out. A run still refuses other types.
    pub hides_types: bool,
    /// Whether it is a root framework; for others a job's `frameworks` is null
    /// (docs/platforms/opencomply.md, job status).
    pub root: bool,
    /// How many controls produce results. At least one for every severity that has alarms.
    pub controls: usize,
    /// How many more controls are manual and never produce a result (docs/platforms/opencomply.md,
    /// report summary).
    pub manual_controls: usize,
    /// How many results are ok.
    pub ok: usize,
    /// How many results are alarms, by severity.
    pub alarms: Alarms,
    /// Whether no integration type is allowed, so that every run is refused. The controls still
    /// belong to `integration_types`.
    pub allows_no_type: bool,
    /// Groups of controls that share a policy, by id. A run with incidents evaluates only the
    /// first control of a group in alphabetical order.
    pub shared_policies: Vec<BTreeSet<String>>,
    /// Controls that left the framework. They have no runners, and their old results still count.
    pub removed_controls: BTreeSet<String>,
    /// Milliseconds after the start at which they left; without it they left before.
    pub removed_after: Option<i64>,
    /// The severity of the controls behind `alarms.unrecognised`. Without it the platform's rule
    /// holds: `none` with incidents, an empty word in a quick run (docs/platforms/opencomply.md,
    /// job status).
    pub unrecognised_severity: Option<String>,
}

/// How many alarms there are of each severity.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Alarms {
    pub critical: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
    pub none: usize,
    /// Of a control whose severity the platform did not understand.
    pub unrecognised: usize,
}

/// An account, subscription or organisation that is connected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Integration {
    /// Such as `aws_cloud_account`.
    pub integration_type: String,
    /// The id that the provider gave it.
    pub provider_id: String,
    /// The name that people see.
    pub name: String,
    /// A UUID; without one it is derived from the other three.
    #[serde(default)]
    pub integration_id: Option<String>,
    /// `ACTIVE`, `INACTIVE`, `ARCHIVED` or `SAMPLE_INTEGRATION`.
    #[serde(default = "active")]
    pub state: String,
    /// Whether anything was discovered in it. If not, no framework has results for it.
    #[serde(default = "yes")]
    pub discovered: bool,
    /// Milliseconds after the start at which it is deleted; its jobs then answer 400
    /// (docs/platforms/opencomply.md, errors of the status).
    #[serde(default)]
    pub deleted_after: Option<i64>,
}

/// A job from before the simulator started.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PastJob {
    /// The id of its framework.
    pub framework: String,
    /// Names, provider ids or integration ids, literally; empty is every one the framework can run
    /// on.
    pub integrations: Vec<String>,
    /// Seconds from its creation to the start of the simulator.
    pub age: u32,
    /// False for a quick run.
    pub with_incidents: bool,
    /// The external id of the user who started it.
    pub created_by: String,
    /// `manual` or `scheduled`.
    pub trigger_type: String,
    /// Its course. With a pace longer than its age it is still running.
    pub job: Course,
}

/// Another user with the same framework (docs/platforms/opencomply.md, runs that interfere).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rival {
    /// Milliseconds between the client's start and the other user's.
    pub after: u32,
    /// How many of the client's starts are followed by one of the other user.
    pub times: u32,
    /// As in the history; empty is the client's own integrations.
    pub integrations: Vec<String>,
    /// The external id of the other user.
    pub created_by: String,
    /// The course of the other user's job.
    pub job: Course,
}

fn active() -> String {
    "ACTIVE".to_owned()
}

fn yes() -> bool {
    true
}

impl Default for Settings {
    fn default() -> Self {
        let roles =
            [("viewer", Role::Viewer), ("editor", Role::Editor), ("revoked", Role::Revoked)];
        Self {
            compliance: Compliance::Enabled,
            tokens: roles.map(|(token, role)| (token.to_owned(), role)).into(),
            default_role: Role::Admin,
            first_job_id: 136,
            builtin_frameworks: true,
            frameworks: BTreeMap::new(),
            integrations: data::table(include_str!("../../data/opencomply/integrations.json")),
            extra_integrations: 0,
            silent_start: false,
            job: Course::default(),
            history: Vec::new(),
            outages: Vec::new(),
            hanging_worker: false,
            rival: None,
        }
    }
}

impl Default for Framework {
    fn default() -> Self {
        Self {
            title: "Security".to_owned(),
            integration_types: ["aws_cloud_account", "azure_subscription"]
                .map(str::to_owned)
                .into(),
            hides_types: false,
            allows_no_type: false,
            shared_policies: Vec::new(),
            removed_controls: BTreeSet::new(),
            removed_after: None,
            root: true,
            controls: 41,
            manual_controls: 19,
            ok: 409,
            alarms: Alarms { high: 119, medium: 27, low: 6, ..Alarms::default() },
            unrecognised_severity: None,
        }
    }
}

impl Default for PastJob {
    fn default() -> Self {
        Self {
            framework: "baseline_security".to_owned(),
            integrations: Vec::new(),
            age: 3600,
            with_incidents: true,
            created_by: "local|release-train@example.com".to_owned(),
            trigger_type: "manual".to_owned(),
            job: Course::default(),
        }
    }
}

impl Default for Rival {
    fn default() -> Self {
        Self {
            after: 1000,
            times: 1,
            integrations: Vec::new(),
            created_by: "local|release-train@example.com".to_owned(),
            job: Course::default(),
        }
    }
}

impl Settings {
    /// Whether the parameters make sense together; the error is a sentence for the scenario's
    /// author.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let estate = super::estate::Estate::new(self);
        estate.validate(self)?;
        if let Some(old) = self.history.iter().find(|past| past.age >= PURGED_AFTER) {
            return Err(format!("history: a job of age {} was purged already", old.age));
        }
        for (id, framework) in &self.frameworks {
            let mut named =
                framework.shared_policies.iter().flatten().chain(&framework.removed_controls);
            let has = |name: &&String| {
                let plan = estate.plan(id);
                plan.is_some_and(|plan| plan.controls.iter().any(|control| control.id == **name))
            };
            if let Some(unknown) = named.find(|name| !has(name)) {
                return Err(format!("framework {id:?}: there is no control {unknown:?}"));
            }
        }
        let places = self.history.iter().map(|past| (&past.framework, &past.integrations));
        for (framework, integrations) in places {
            let plan = estate
                .plan(framework)
                .ok_or_else(|| format!("history: there is no framework {framework:?}"))?;
            if estate.select(plan, integrations)?.is_empty() {
                return Err(format!("history: no integration fits {framework:?}"));
            }
        }
        if let Some(rival) = &self.rival {
            estate.find_all(&rival.integrations)?;
        }
        let needed = u64::try_from(self.history.len()).unwrap_or(u64::MAX);
        if self.first_job_id <= needed {
            return Err(format!(
                "first_job_id: {} leaves no ids for {needed} jobs of history",
                self.first_job_id
            ));
        }
        Ok(())
    }
}
