//! The results of a job: generated, never stored, and counted the same way everywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::estate::{Connected, Control, Estate, Plan};
use super::jobs::Job;

/// One result: a control looked at a resource.
#[derive(Clone, Copy)]
pub(crate) struct Finding<'a> {
    pub(crate) control: &'a Control,
    pub(crate) integration: &'a Connected,
    pub(crate) failed: bool,
    number: usize,
}

impl Finding<'_> {
    pub(crate) fn resource_name(&self) -> String {
        self.control.template.resource_type.resource_name(self.number)
    }

    pub(crate) fn resource_id(&self) -> String {
        let account = &self.integration.of.provider_id;
        self.control.template.resource_type.resource_id(account, self.number)
    }

    pub(crate) fn reason(&self) -> String {
        let verdict = if self.failed { "is not" } else { "is" };
        format!(
            "{} {verdict} in line with \"{}\".",
            self.resource_name(),
            self.control.template.title
        )
    }
}

/// How often a control was ok and how often not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) alarms: usize,
    pub(crate) oks: usize,
}

impl Count {
    pub(crate) fn add(&mut self, failed: bool) {
        if failed {
            self.alarms += 1;
        } else {
            self.oks += 1;
        }
    }
}

/// The results of a job.
pub(crate) struct Results<'a> {
    estate: &'a Estate,
    pub(crate) plan: &'a Plan,
    /// How often each counts: one that was matched twice does so twice in a quick run
    /// (docs/platforms/opencomply.md, starting a run).
    integrations: BTreeMap<usize, usize>,
    /// The pairs of control and integration whose runners finished; None is all of them.
    finished: Option<BTreeSet<(usize, usize)>>,
    late: usize,
    lost: usize,
    created: i64,
    with_incidents: bool,
}

impl<'a> Results<'a> {
    /// The results of a job whose runners got as far as `progress`.
    pub(crate) fn of(estate: &'a Estate, plan: &'a Plan, job: &Job, progress: f64) -> Self {
        let finished = (progress < 1.0).then(|| {
            let units = job.units(plan, estate);
            let done = (units.len() as f64 * progress) as usize;
            units.into_iter().take(done).collect()
        });
        let mut integrations = BTreeMap::new();
        for at in &job.integrations {
            let times = integrations.entry(*at).or_default();
            *times = if job.with_incidents { 1 } else { *times + 1 };
        }
        Self {
            estate,
            plan,
            integrations,
            finished,
            late: job.course.late_alarms,
            lost: job.course.lost_alarms,
            created: job.created,
            with_incidents: job.with_incidents,
        }
    }

    /// Every result that is stored by now, alarms of a control before its oks.
    pub(crate) fn stored(&self) -> impl Iterator<Item = Finding<'a>> + '_ {
        self.from(self.lost).filter(|finding| finding.control.is_part(self.created))
    }

    /// Every result that the report is made of.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Finding<'a>> + '_ {
        self.from(self.late + self.lost)
    }

    /// The results without the first `missing` alarms.
    fn from(&self, mut missing: usize) -> impl Iterator<Item = Finding<'a>> + '_ {
        let controls = self.plan.controls.iter().enumerate();
        // Results of a control that left the framework still count, from an earlier job.
        let evaluated = |control: &Control| !(self.with_incidents && control.shadowed);
        controls
            .filter(move |(_, control)| evaluated(control))
            .flat_map(move |(at, control)| {
                (0..control.alarms + control.oks).flat_map(move |number| {
                    let owner = control.owner(number);
                    let finished = |all: &BTreeSet<_>| all.contains(&(at, owner));
                    let covered = self.finished.as_ref().is_none_or(finished);
                    let times = self.integrations.get(&owner).copied().filter(|_| covered);
                    let finding = Finding {
                        control,
                        integration: &self.estate.integrations[owner],
                        failed: number < control.alarms,
                        number,
                    };
                    std::iter::repeat_n(finding, times.unwrap_or_default())
                })
            })
            .filter(move |finding| {
                let is_missing = finding.failed && missing > 0;
                missing -= usize::from(is_missing);
                !is_missing
            })
    }

    /// The counts of every control that produced a result.
    pub(crate) fn by_control(&self) -> BTreeMap<&'a str, (&'a Control, Count)> {
        let mut counts: Vec<(&Control, Count)> = Vec::new();
        // The results of a control come one after the other.
        for finding in self.iter() {
            match counts.last_mut() {
                Some((control, count)) if control.id == finding.control.id => {
                    count.add(finding.failed);
                }
                _ => {
                    let mut count = Count::default();
                    count.add(finding.failed);
                    counts.push((finding.control, count));
                }
            }
        }
        counts.into_iter().map(|(control, count)| (control.id.as_str(), (control, count))).collect()
    }
}
