//! What is installed: integrations, and a plan of controls and results for every framework.

use std::collections::{BTreeMap, BTreeSet};

use crate::data;
use crate::ids::{hash, mix, uuid};

use super::controls::{TEMPLATES, Template};
use super::jobs::Job;
use super::settings::{Alarms, Framework, Integration, Settings};

/// Integrations in the order of the database, and frameworks by id.
pub(crate) struct Estate {
    pub(crate) integrations: Vec<Connected>,
    pub(crate) plans: BTreeMap<String, Plan>,
}

/// An integration with the id that the platform gave it.
pub(crate) struct Connected {
    pub(crate) id: String,
    pub(crate) of: Integration,
}

/// A framework, and what is found when it runs over everything.
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) framework: Framework,
    pub(crate) controls: Vec<Control>,
}

/// A control of a framework, with its results over everything. The first `alarms` resources fail.
pub(crate) struct Control {
    pub(crate) id: String,
    pub(crate) template: &'static Template,
    /// None if the platform did not recognise the severity of the control.
    pub(crate) severity: Option<&'static str>,
    pub(crate) alarms: usize,
    pub(crate) oks: usize,
    /// The id of its policy.
    pub(crate) policy: String,
    /// Whether a run with incidents evaluates another control of the same policy instead.
    pub(crate) shadowed: bool,
    /// When it left the framework, in milliseconds since the start.
    removed: Option<i64>,
    /// The integrations of its type that have resources, by index. There is at least one.
    pool: Vec<usize>,
    type_salt: u64,
}

impl Estate {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut integrations: Vec<Connected> =
            settings.integrations.iter().cloned().map(connect).collect();
        integrations.extend((1..=settings.extra_integrations).map(extra));
        let mut frameworks = settings.frameworks.clone();
        if settings.builtin_frameworks {
            for (id, framework) in builtin() {
                frameworks.entry(id).or_insert(framework);
            }
        }
        let plans = frameworks
            .into_iter()
            .map(|(id, framework)| (id.clone(), Plan::new(id, framework, &integrations)))
            .collect();
        Self { integrations, plans }
    }

    pub(crate) fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.get(id)
    }

    /// The indices of integrations that are named literally, in the order of the names.
    pub(crate) fn find_all(&self, names: &[String]) -> Result<Vec<usize>, String> {
        names
            .iter()
            .map(|name| {
                self.integrations
                    .iter()
                    .position(|of| [&of.id, &of.of.provider_id, &of.of.name].contains(&name))
                    .ok_or_else(|| format!("there is no integration {name:?}"))
            })
            .collect()
    }

    /// The integrations that are named, or all that the framework can run on.
    pub(crate) fn select(&self, plan: &Plan, names: &[String]) -> Result<Vec<usize>, String> {
        if !names.is_empty() {
            return self.find_all(names);
        }
        Ok((0..self.integrations.len()).filter(|at| plan.allows(&self.integrations[*at])).collect())
    }

    /// Whether the figures of the scenario's own frameworks can be reached with their controls.
    pub(crate) fn validate(&self, settings: &Settings) -> Result<(), String> {
        for plan in settings.frameworks.keys().filter_map(|id| self.plan(id)) {
            let alarms: usize = plan.controls.iter().map(|control| control.alarms).sum();
            let oks: usize = plan.controls.iter().map(|control| control.oks).sum();
            if (oks, alarms) != (plan.framework.ok, plan.framework.alarms.total()) {
                return Err(format!(
                    "framework {:?}: its {} controls cannot show {} ok and {} alarms; each severity with alarms needs a control, and an integration of its type with resources (types known: aws_cloud_account, azure_subscription, github_account)",
                    plan.id,
                    plan.controls.len(),
                    plan.framework.ok,
                    plan.framework.alarms.total(),
                ));
            }
        }
        Ok(())
    }
}

impl Plan {
    fn new(id: String, framework: Framework, integrations: &[Connected]) -> Self {
        let mut controls = choose(&framework, integrations);
        for (severity, alarms) in framework.alarms.by_severity() {
            let every: Vec<&mut Control> =
                controls.iter_mut().filter(|control| control.severity == severity).collect();
            // Every second control has alarms, the others have none.
            let failing = every.into_iter().step_by(2);
            spread(alarms, failing.map(|control| &mut control.alarms).collect());
        }
        let oks = controls.iter_mut().map(|control| &mut control.oks);
        spread(framework.ok, oks.collect());
        for control in &mut controls {
            let group = framework.shared_policies.iter().find(|group| group.contains(&control.id));
            let first = group.and_then(BTreeSet::first).unwrap_or(&control.id);
            control.policy = format!("{first}_policy");
            control.shadowed = *first != control.id;
            let removed = framework.removed_controls.contains(&control.id);
            control.removed = removed.then(|| framework.removed_after.unwrap_or(i64::MIN));
        }
        Self { id, framework, controls }
    }

    /// Whether the framework can run on the integration.
    pub(crate) fn allows(&self, integration: &Connected) -> bool {
        let types = &self.framework.integration_types;
        !self.framework.allows_no_type && types.contains(&integration.of.integration_type)
    }
}

impl Control {
    /// The integration, by index, that has resource `number` of the control's type. It is the same
    /// for every control of the type.
    pub(crate) fn owner(&self, number: usize) -> usize {
        let salt = mix(self.type_salt ^ number as u64);
        self.pool[usize::try_from(salt % self.pool.len() as u64).unwrap_or_default()]
    }

    /// Whether it belongs to the framework at this time.
    pub(crate) fn is_part(&self, now: i64) -> bool {
        self.removed.is_none_or(|at| now < at)
    }

    /// Whether a job evaluates it.
    pub(crate) fn is_evaluated(&self, job: &Job) -> bool {
        self.is_part(job.created) && !(job.with_incidents && self.shadowed)
    }

    /// The severity as a job of this mode states it (docs/platforms/opencomply.md, job status).
    pub(crate) fn severity_word<'a>(
        &self,
        framework: &'a Framework,
        with_incidents: bool,
    ) -> &'a str {
        match (self.severity, &framework.unrecognised_severity) {
            (Some(severity), _) => severity,
            (None, Some(word)) => word,
            (None, None) if with_incidents => "none",
            (None, None) => "",
        }
    }
}

impl Alarms {
    fn by_severity(&self) -> [(Option<&'static str>, usize); 6] {
        [
            (Some("critical"), self.critical),
            (Some("high"), self.high),
            (Some("medium"), self.medium),
            (Some("low"), self.low),
            (Some("none"), self.none),
            (None, self.unrecognised),
        ]
    }

    pub(crate) fn total(&self) -> usize {
        self.by_severity().iter().map(|(_, count)| count).sum()
    }
}

/// The first controls that fit the framework and have resources. If there are too few, they repeat
/// under new ids.
fn choose(framework: &Framework, integrations: &[Connected]) -> Vec<Control> {
    let pool = |integration_type: &str| -> Vec<usize> {
        let fits = |at: &usize| {
            let of = &integrations[*at].of;
            of.discovered && of.integration_type == integration_type
        };
        (0..integrations.len()).filter(fits).collect()
    };
    let fitting: Vec<(&'static Template, Vec<usize>)> = TEMPLATES
        .iter()
        .filter(|template| {
            framework.integration_types.contains(&template.resource_type.integration_type)
        })
        .map(|template| (template, pool(&template.resource_type.integration_type)))
        .filter(|(_, pool)| !pool.is_empty())
        .collect();
    let Some(first) = fitting.first() else {
        return Vec::new();
    };
    let control = |(template, pool): &(&'static Template, Vec<usize>), suffix: &str| Control {
        id: format!("{}{suffix}", template.id),
        template,
        severity: Some(template.severity),
        alarms: 0,
        oks: 0,
        policy: String::new(),
        shadowed: false,
        removed: None,
        pool: pool.clone(),
        type_salt: hash(&template.resource_type.name),
    };
    let mut controls: Vec<Control> = (0..framework.controls)
        .map(|at| match at / fitting.len() {
            0 => control(&fitting[at], ""),
            round => control(&fitting[at % fitting.len()], &format!("_{}", round + 1)),
        })
        .collect();
    if framework.alarms.unrecognised > 0 {
        controls.push(Control { severity: None, ..control(first, "_house_rule") });
    }
    controls
}

/// Divides a total unevenly, without a remainder.
fn spread(total: usize, mut shares: Vec<&mut usize>) {
    let weight = |at: usize| 1 + at * 7 % 5;
    let whole: usize = (0..shares.len()).map(weight).sum();
    let mut left = total;
    for (at, share) in shares.iter_mut().enumerate() {
        **share = total * weight(at) / whole;
        left -= **share;
    }
    let count = shares.len().max(1);
    for (at, share) in shares.into_iter().enumerate() {
        *share += left / count + usize::from(at < left % count);
    }
}

fn connect(of: Integration) -> Connected {
    let id = of.integration_id.clone().unwrap_or_else(|| {
        uuid(&format!("{}/{}/{}", of.integration_type, of.provider_id, of.name))
    });
    Connected { id, of }
}

fn extra(number: u64) -> Connected {
    connect(Integration {
        integration_type: "aws_cloud_account".to_owned(),
        provider_id: format!("{}", 400_000_000_000 + number * 37),
        name: format!("team-{number:03}"),
        integration_id: None,
        state: "ACTIVE".to_owned(),
        discovered: true,
        deleted_after: None,
    })
}

/// The frameworks that come with the simulator. `CIS_Azure` is stored with capitals, so that a run
/// by path never finds it (docs/platforms/opencomply.md, starting a run); the ids `cis_aws` and
/// `cis_aws_l2` are easily confused.
fn builtin() -> BTreeMap<String, Framework> {
    data::table(include_str!("../../data/opencomply/frameworks.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_figures_are_spread_over_controls_of_their_severity() {
        let estate = Estate::new(&Settings::default());
        estate.validate(&Settings::default()).unwrap();
        let plan = estate.plan("baseline_security").unwrap();
        assert_eq!(plan.controls.len(), 41);
        let of = |severity| -> usize {
            let of = |control: &&Control| control.severity == Some(severity);
            plan.controls.iter().filter(of).map(|control| control.alarms).sum()
        };
        assert_eq!(["critical", "high", "medium", "low", "none"].map(of), [0, 119, 27, 6, 0]);
    }

    #[test]
    fn figures_that_the_controls_cannot_show_are_refused() {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "frameworks": {"tiny": {"controls": 1, "alarms": {"critical": 1}}}
        }))
        .unwrap();
        let error = Estate::new(&settings).validate(&settings).unwrap_err();
        assert!(error.contains("\"tiny\""), "{error}");
    }

    #[test]
    fn controls_repeat_under_new_ids() {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "frameworks": {"large": {"controls": 100}}
        }))
        .unwrap();
        let estate = Estate::new(&settings);
        let mut ids: Vec<&str> = Vec::new();
        ids.extend(
            estate.plan("large").unwrap().controls.iter().map(|control| control.id.as_str()),
        );
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 100);
    }
}
