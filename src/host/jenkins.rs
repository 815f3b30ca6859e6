//! Jenkins: plain text; its plugins read `--junit` and `--sarif`.

use super::{Host, RunVariables, value};

pub(super) const HOST: Host = Host {
    name: "jenkins",
    detect: |variables| value(variables, "JENKINS_URL").is_some(),
    run: |variables| value(variables, "BUILD_URL"),
    commit: |variables| value(variables, "GIT_COMMIT"),
    names: RunVariables { id: "BUILD_NUMBER", repository: |_| None, actor: "BUILD_USER_ID" },
    ..Host::NONE
};
