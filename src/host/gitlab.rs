//! GitLab: a collapsed section in the job's log. Later jobs decide by the report `--dotenv`, merge
//! requests show `--junit` and `--code-quality`.

use super::{Host, RunVariables, is_true, value};

pub(super) const HOST: Host = Host {
    name: "gitlab",
    detect: |variables| is_true(variables, "GITLAB_CI"),
    run: |variables| value(variables, "CI_PIPELINE_URL").or_else(|| value(variables, "CI_JOB_URL")),
    commit: |variables| value(variables, "CI_COMMIT_SHA"),
    names: RunVariables {
        id: "CI_PIPELINE_ID",
        repository: |variables| value(variables, "CI_PROJECT_PATH"),
        actor: "GITLAB_USER_LOGIN",
    },
    fold: Some(fold),
    ..Host::NONE
};

/// The time is part of the name, since a job may run several gates, and a name is unique in its log.
fn fold(title: &str, time: i64) -> (String, String) {
    let name = format!("compliance_gate_{}_{time}", title.to_lowercase());
    (
        format!("section_start:{time}:{name}[collapsed=true]\r\u{1b}[0K{title}\n"),
        format!("section_end:{time}:{name}\r\u{1b}[0K\n"),
    )
}
