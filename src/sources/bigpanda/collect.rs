//! The requests of one run: a first look at the audit log and the plans, the audit log of the window,
//! and the plans in force now.

use chrono::{DateTime, SubsecRound, Utc};

use super::event::{self, Event};
use super::kind::{self, Action, Kind};
use super::plans::{self, Access};
use super::settings::Settings;
use super::walk::{List, PER_PAGE};
use super::weigh::{self, Weighed};
use crate::evidence::{Findings, Outcome, Part, Unit, Window};
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::selection::Field;
use crate::sources::Session;
use crate::sources::clock::Ahead;
use crate::text;

/// What the preflight found out. The run uses the same window.
pub(super) struct FirstLook {
    pub(super) window: Window,
    /// The audit log of the window has at least this many entries.
    entries: u64,
    pub(super) ahead: Ahead,
    pub(super) plans: Access,
}

impl FirstLook {
    /// Looks at the audit log and at the plans.
    ///
    /// # Errors
    /// If the audit log cannot be read.
    pub(super) async fn take(settings: &Settings, session: &Session) -> Result<Self, Problem> {
        let log = log(session);
        let window = |now: DateTime<Utc>| {
            // Its end is frozen: later entries belong to the next run.
            settings.window.trial(session.previous, now.trunc_subsecs(0))
        };
        let mut asked = window(Utc::now());
        let mut entries = log.look(request(session, asked, 1, 1)).await?;
        let ahead = Ahead::of(&session.http);
        if ahead.matters() {
            // The platform filters by its own clock.
            asked = window(ahead.now());
            entries = log.look(request(session, asked, 1, 1)).await?;
        }
        let plans = match settings.wants_active_plans() {
            true => plans::access(session).await,
            false => Access::NotWanted,
        };
        Ok(Self { window: asked, entries, ahead, plans })
    }
}

/// One page of the audit log. Only the time is a filter: the spelling of types is uncertain, and a
/// filter that matches nothing would look like a quiet window (docs/platforms/bigpanda.md#request).
fn request<'a>(session: &'a Session, window: Window, page: u64, per_page: u64) -> Call<'a> {
    session
        .http
        .get("resources/v2.0/audit/logs", &[])
        .parameter("start", &window.from.timestamp().to_string())
        .parameter("end", &window.to.timestamp().to_string())
        .parameter("page", &page.to_string())
        .parameter("per_page", &per_page.to_string())
}

/// The audit log as a list.
fn log(session: &Session) -> List<'_> {
    let title = "GET /resources/v2.0/audit/logs";
    List { session, title, is_row: event::is_entry, supplementary: false }
}

/// Reads the audit log and the plans.
pub(super) async fn outcome(settings: &Settings, session: &Session, first: FirstLook) -> Outcome {
    let window = first.window;
    if let Err(problem) = settings.window.window(&session.name, session.previous, window.to) {
        let part = Part { unit: Unit::Change, problems: vec![problem], ..Part::default() };
        return session.outcome(vec![part], Vec::new(), Vec::new());
    }
    let mut part = Part::of_window(Unit::Change, window);
    let mut problems = Vec::new();
    match read(settings, session, &first).await {
        Ok(mut weighed) => {
            let clock = first.ahead.note();
            add_plans(settings, session, first, &mut weighed).await;
            part.notes = clock.into_iter().collect();
            part.notes.extend(weighed.notes.sentences(window, weighed.entries));
            part.set_looked_at(weighed.entries);
            part.findings = Findings::Listed(weighed.findings);
            // They do not invalidate what was found.
            problems = weighed.problems;
        }
        Err(problem) => {
            part.findings = Findings::counted(problem.clone());
            part.problems = vec![problem];
        }
    }
    session.outcome(vec![part], problems, Vec::new())
}

async fn read(
    settings: &Settings,
    session: &Session,
    first: &FirstLook,
) -> Result<Weighed, Problem> {
    let window = first.window;
    let events = log(session)
        .rows(
            |page| request(session, window, page, PER_PAGE),
            |entry| Event::read(entry, window.to),
            first.entries,
        )
        .await?;
    Ok(weigh::weigh(&session.name, settings, &session.wanted.demands, window, events))
}

/// Adds the plans in force. A token without the permission for plans is enough, unless the policy
/// asks for the plans themselves.
async fn add_plans(
    settings: &Settings,
    session: &Session,
    first: FirstLook,
    weighed: &mut Weighed,
) {
    let window = first.window;
    let denied = match first.plans {
        Access::NotWanted => return,
        Access::Denied(problem) => Some(problem),
        Access::Granted | Access::Failed(_) => None,
    };
    let plans = match denied {
        None => plans::in_force(session, window.to).await,
        Some(problem) => Err(problem),
    };
    let plans = match plans {
        Ok(plans) => plans,
        Err(problem) if problem.cause == Cause::Denied && !needs_plans(settings, session) => {
            let note = format!("the maintenance plans in force were not read: {}", problem.message);
            return weighed.notes.plans.push(note);
        }
        Err(problem) => return weighed.problems.push(problem),
    };
    let found: Vec<_> =
        plans.iter().filter_map(|plan| plan.finding(settings, window, &weighed.plans)).collect();
    weighed.notes.plans.push(match (plans.len(), plans.len() - found.len()) {
        (0, _) => "no maintenance plans in force".to_owned(),
        (all, 0) => format!("{} in force", text::count(all as u64, "maintenance plan")),
        (all, expected) => format!(
            "{} in force, {expected} of them changed only by expected actors",
            text::count(all as u64, "maintenance plan")
        ),
    });
    weighed.findings.extend(found);
}

/// Whether the evidence is incomplete without the plans in force: by the settings, or because a gate
/// selects them and not everything about plans.
pub(super) fn needs_plans(settings: &Settings, session: &Session) -> bool {
    let [active, created] =
        [Action::Active, Action::Create].map(|action| kind::rule(Kind::MaintenancePlan, action));
    let mut patterns = session
        .wanted
        .demands
        .iter()
        .filter_map(|demand| demand.selection.words.get(&Field::Rule))
        .flatten();
    settings.requires_active_plans()
        || patterns.any(|pattern| pattern.matches(&active) && !pattern.matches(&created))
}
