//! What can be checked before anything is started: the token and its role, the frameworks, and which
//! integrations each of them is evaluated over.

use super::api;
use super::inventory::{self, Framework, Integration};
use super::scope::{self, Scope};
use super::settings::{RunMode, Settings};
use super::wire::Me;
use crate::finding::{Cause, Problem};
use crate::http::Http;
use crate::sources::Session;
use crate::text;

/// What the preflight established.
#[derive(Debug)]
pub(super) struct Plan {
    pub me: Me,
    pub scopes: Vec<Scope>,
    /// For `doctor`, a line each.
    pub lines: Vec<String>,
    /// What a reader of the reports should know.
    pub notes: Vec<String>,
}

/// Checks all that can be checked with requests that only read.
///
/// # Errors
/// Everything that is wrong, not just the first.
pub(super) async fn plan(settings: &Settings, session: &Session) -> Result<Plan, Vec<Problem>> {
    let http = &session.http;
    // Alone and first: a token that is refused would be refused three times.
    let me = api::me(http).await.map_err(|error| vec![api::problem(&error)])?;
    let (role, frameworks, integrations) = futures_util::future::join3(
        async { check_role(&session.name, &me, settings.run) },
        known_frameworks(http, &session.name, &settings.frameworks),
        inventory::all_integrations(http),
    )
    .await;
    let mut problems: Vec<_> = role.err().into_iter().collect();
    let frameworks = frameworks.unwrap_or_else(|all| {
        problems.extend(all);
        Vec::new()
    });
    let mut plan = Plan { lines: vec![user_line(&me)], me, scopes: Vec::new(), notes: Vec::new() };
    match integrations {
        Ok(all) => {
            let place = &session.name;
            match scope::select(place, &settings.integrations, &all, &mut plan.notes) {
                Ok(chosen) => {
                    let scoped = scope::scopes(place, &frameworks, &chosen, &settings.integrations);
                    plan.scopes = scoped.unwrap_or_else(|all| {
                        problems.extend(all);
                        Vec::new()
                    });
                }
                Err(all) => problems.extend(all),
            }
        }
        Err(problem) => problems.push(problem),
    }
    problems.dedup();
    if !problems.is_empty() {
        return Err(problems);
    }
    plan.lines.extend(plan.scopes.iter().map(|scope| scope_line(scope, &frameworks)));
    plan.lines.extend(plan.notes.iter().cloned());
    Ok(plan)
}

fn user_line(me: &Me) -> String {
    let user = me.email.as_deref().or(me.username.as_deref()).unwrap_or("(user not named)");
    let role = me.role.as_deref().unwrap_or("not stated");
    let may = match role.eq_ignore_ascii_case("admin") {
        true => "",
        false => {
            "; it can read frameworks, accounts, history, jobs and reports, and cannot start or \
                  cancel runs, nor read many controls in one request"
        }
    };
    format!("token accepted: user {user}, role {role}{may}")
}

fn scope_line(scope: &Scope, frameworks: &[Framework]) -> String {
    let framework = frameworks.iter().find(|framework| framework.id == scope.framework);
    let title = framework.and_then(|framework| framework.title.as_deref());
    let controls = framework
        .and_then(|framework| framework.controls)
        .map_or_else(String::new, |controls| format!(", {}", text::count(controls, "control")));
    let integrations: Vec<_> = scope.integrations.values().map(Integration::to_string).collect();
    format!(
        "framework `{}` ({}{controls}) over {}",
        scope.framework,
        title.unwrap_or("no title"),
        integrations.join(", ")
    )
}

fn check_role(source: &str, me: &Me, mode: RunMode) -> Result<(), Problem> {
    let Some(role) = me.role.as_deref().filter(|role| !role.is_empty()) else {
        // Not stated: the platform will refuse what the role does not allow.
        return Ok(());
    };
    if matches!(mode, RunMode::Never { .. }) || role.eq_ignore_ascii_case("admin") {
        return Ok(());
    }
    Err(Problem::new(
        Cause::Denied,
        format!("{source}: the token has the role `{role}`; starting a run needs `admin`"),
    )
    .help(
        "a key has the role of the user who created it, whatever role was chosen for the key \
         itself; create one as an admin, or rely on runs that others start with \
         `run: {when: never}`, for which `viewer` is enough",
    ))
}

/// The frameworks that are asked for, each of which must exist.
async fn known_frameworks(
    http: &Http,
    source: &str,
    wanted: &[String],
) -> Result<Vec<Framework>, Vec<Problem>> {
    let named = inventory::frameworks_named(http, wanted).await;
    let named = named.map_err(|error| vec![api::problem(&error)])?;
    let is_known = |id: &&String| named.iter().any(|framework| framework.id == **id);
    let unknown: Vec<_> = wanted.iter().filter(|id| !is_known(id)).collect();
    if unknown.is_empty() {
        let find = |id: &String| named.iter().find(|framework| framework.id == *id).cloned();
        return Ok(wanted.iter().filter_map(find).collect());
    }
    // Only now is the whole list worth its price: it knows what was meant.
    let all = inventory::frameworks(http).await.map_err(|error| vec![api::problem(&error)])?;
    let place = format!("{source}: ");
    let missing = |id: &String| {
        Problem::new(
            Cause::Invalid,
            format!(
                "{place}framework `{id}` does not exist on {}{}",
                http.origin(),
                suggestion(id, &all)
            ),
        )
        .help("`compliance-gate list frameworks` shows those that exist")
    };
    Err(unknown.into_iter().map(missing).collect())
}

/// The framework that was meant, also where its title was written.
fn suggestion(given: &str, all: &[Framework]) -> String {
    let by_id = text::nearest(given, all.iter().map(|framework| &*framework.id));
    let by_title = || {
        let title = text::nearest(given, all.iter().filter_map(|f| f.title.as_deref()))?;
        all.iter().find(|framework| framework.title.as_deref() == Some(title))
    };
    let meant = by_id.or_else(|| by_title().map(|framework| &*framework.id));
    meant.map_or_else(String::new, |id| format!("; did you mean `{id}`?"))
}

#[cfg(test)]
mod tests {

    use super::*;

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
    fn a_framework_is_suggested_by_its_id_or_its_title() {
        let all = [framework("baseline_security", None), framework("cis_aws_v3", None)];
        assert!(suggestion("baseline_securty", &all).contains("`baseline_security`"));
        assert!(suggestion("Title of cis_aws_v3", &all).contains("`cis_aws_v3`"));
        assert_eq!(suggestion("zzz", &all), "");
    }

    #[test]
    fn doctor_says_what_a_key_cannot_do() {
        let line = |role: &str| user_line(&Me { role: Some(role.to_owned()), ..Me::default() });
        assert!(line("viewer").contains("cannot start or cancel runs"));
        assert!(!line("Admin").contains("cannot"));
    }

    #[test]
    fn only_starting_needs_an_admin() {
        let me = |role: &str| Me { role: Some(role.to_owned()), ..Me::default() };
        let never = RunMode::Never { max_age: None };
        assert!(check_role("opencomply", &me("admin"), RunMode::Always).is_ok());
        assert!(check_role("opencomply", &me("viewer"), never).is_ok());
        assert!(check_role("opencomply", &Me::default(), RunMode::Always).is_ok());
        let problem = check_role("opencomply", &me("editor"), RunMode::Always).unwrap_err();
        assert_eq!(problem.cause, Cause::Denied);
        assert!(problem.message.contains("`editor`") && problem.message.contains("`admin`"));
    }
}
