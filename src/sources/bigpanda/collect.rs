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
use crate::sources::look_back::Request;
use crate::text;

/// What the preflight found out. The run uses the same window.
pub(super) struct FirstLook {
    pub(super) request: Request,
    /// The audit log that is asked for has at least this many entries.
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
        let request = |now: DateTime<Utc>| {
            // Its end is frozen: later entries belong to the next run.
            settings.window.trial(session.previous.as_ref(), now.trunc_subsecs(0))
        };
        let mut asked = request(Utc::now());
        let mut entries = log.look(page(session, asked.span(), 1, 1)).await?;
        let ahead = Ahead::of(&session.http);
        if ahead.matters() {
            // The platform filters by its own clock.
            asked = request(ahead.now());
            entries = log.look(page(session, asked.span(), 1, 1)).await?;
        }
        let plans = match settings.wants_active_plans() {
            true => plans::access(session).await,
            false => Access::NotWanted,
        };
        Ok(Self { request: asked, entries, ahead, plans })
    }
}

/// One page of the audit log. Only the time is a filter: the spelling of types is uncertain, and a
/// filter that matches nothing would look like a quiet window (docs/platforms/bigpanda.md#request).
fn page<'a>(session: &'a Session, span: Window, page: u64, per_page: u64) -> Call<'a> {
    session
        .http
        .get("resources/v2.0/audit/logs", &[])
        .parameter("start", &span.from.timestamp().to_string())
        .parameter("end", &span.to.timestamp().to_string())
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
    let window = first.request.window;
    let previous = session.previous.as_ref();
    if let Err(problem) = settings.window.request(&session.name, previous, window.to) {
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
            part.before = weighed.before;
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
    let request = first.request;
    let events = log(session)
        .rows(
            |number| page(session, request.span(), number, PER_PAGE),
            |entry| Event::read(entry, request.window.to),
            first.entries,
        )
        .await?;
    let demands = &session.wanted.demands;
    let mut weighed = weigh::weigh(&session.name, settings, demands, request, events);
    let late =
        request.forget_known(&session.name, session.previous.as_ref(), &mut weighed.findings);
    weighed.entries += late.count;
    weighed.notes.late = late.count;
    weighed.before = late.known;
    Ok(weighed)
}

/// Adds the plans in force. A token without the permission for plans is enough, unless the policy
/// asks for the plans themselves.
async fn add_plans(
    settings: &Settings,
    session: &Session,
    first: FirstLook,
    weighed: &mut Weighed,
) {
    let window = first.request.window;
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
