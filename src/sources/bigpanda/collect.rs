//! The order of questions: the audit log of the window, then the plans in force now.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::event::{self, Event};
use super::kind::{self, Action, Kind};
use super::plans;
use super::settings::Settings;
use super::walk::{Broken, List, PER_PAGE, Pace};
use super::weigh::{self, Weighed};
use crate::evidence::{Findings, Outcome, Part, Unit, Window};
use crate::finding::Problem;
use crate::http::Call;
use crate::selection::Field;
use crate::sources::Session;
use crate::text;

/// The window of this run. Its end is frozen: what is written while we read belongs to the next.
pub fn window(settings: &Settings, now: DateTime<Utc>) -> Window {
    let to = now.trunc_subsecs(0);
    let span = TimeDelta::from_std(settings.window).unwrap_or(TimeDelta::MAX);
    Window { from: to.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH), to }
}

/// One page of the audit log. It is asked for by time alone: how types are spelled is not certain,
/// and a filter that matches nothing would look like a quiet window (fact sheet §B2).
pub fn request<'a>(session: &'a Session, window: Window, page: u64, per_page: u64) -> Call<'a> {
    session
        .http
        .get("resources/v2.0/audit/logs", &[])
        .parameter("start", &window.from.timestamp().to_string())
        .parameter("end", &window.to.timestamp().to_string())
        .parameter("page", &page.to_string())
        .parameter("per_page", &per_page.to_string())
}

/// The audit log as a list.
pub fn log<'a>(session: &'a Session, pace: &'a Pace) -> List<'a> {
    let title = "GET /resources/v2.0/audit/logs";
    List { session, pace, title, is_row: event::is_entry, aside: false }
}

/// Asks, and hands over what was found, whole or not.
pub async fn outcome(settings: &Settings, session: &Session, pace: &Pace) -> Outcome {
    let window = window(settings, Utc::now());
    let mut part = Part::of_window(Unit::Change, window);
    // What is in doubt does not make less of what is certain.
    let mut doubts = Vec::new();
    match read(settings, session, pace, window).await {
        Ok(mut weighed) => {
            plans_in_force(settings, session, pace, window, &mut weighed).await;
            part.notes = weighed.notes.sentences(window, weighed.entries);
            part.set_looked_at(weighed.entries);
            part.findings = Findings::Listed(weighed.findings);
            doubts = weighed.problems;
        }
        Err(problem) => {
            part.findings = Findings::counted(problem.clone());
            part.problems = vec![problem];
        }
    }
    session.outcome(vec![part], doubts, Vec::new())
}

async fn read(
    settings: &Settings,
    session: &Session,
    pace: &Pace,
    window: Window,
) -> Result<Weighed, Problem> {
    let events = log(session, pace)
        .rows(
            |page| request(session, window, page, PER_PAGE),
            |entry| Event::read(entry, window.to),
        )
        .await
        .map_err(Broken::problem)?;
    Ok(weigh::weigh(&session.name, settings, &session.wanted.demands, window, events))
}

/// Adds the plans in force. A token that may only read the audit log is enough, unless the policy
/// asks for just this.
async fn plans_in_force(
    settings: &Settings,
    session: &Session,
    pace: &Pace,
    window: Window,
    weighed: &mut Weighed,
) {
    if !settings.wants_active_plans() {
        return;
    }
    let plans = match plans::in_force(session, pace, window.to).await {
        Ok(plans) => plans,
        Err(Broken::Refused(problem))
            if !settings.requires_active_plans() && !asked_for(session) =>
        {
            let why =
                format!("the maintenance plans in force now were not read: {}", problem.message);
            return weighed.notes.plans.push(why);
        }
        Err(broken) => return weighed.problems.push(broken.problem()),
    };
    let found: Vec<_> =
        plans.iter().filter_map(|plan| plan.finding(settings, window, &weighed.plans)).collect();
    weighed.notes.plans.push(format!(
        "{} in force now, {} of them by expected actors alone",
        text::count(plans.len() as u64, "maintenance plan"),
        plans.len() - found.len()
    ));
    weighed.findings.extend(found);
}

/// Whether a gate names the plans in force, rather than everything about plans.
fn asked_for(session: &Session) -> bool {
    let [active, created] =
        [Action::Active, Action::Create].map(|action| kind::rule(Kind::MaintenancePlan, action));
    let patterns =
        session.wanted.demands.iter().filter_map(|demand| demand.selection.words.get(&Field::Rule));
    patterns.flatten().any(|pattern| pattern.matches(&active) && !pattern.matches(&created))
}
