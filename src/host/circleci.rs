//! CircleCI: plain text; it shows `--junit` through `store_test_results`.

use super::{Host, RunVariables, is_true, value};

pub(super) const HOST: Host = Host {
    name: "circleci",
    detect: |variables| is_true(variables, "CIRCLECI"),
    run: |variables| value(variables, "CIRCLE_BUILD_URL"),
    commit: |variables| value(variables, "CIRCLE_SHA1"),
    names: RunVariables {
        id: "CIRCLE_BUILD_NUM",
        repository: |variables| {
            let owner = value(variables, "CIRCLE_PROJECT_USERNAME")?;
            Some(format!("{owner}/{}", value(variables, "CIRCLE_PROJECT_REPONAME")?))
        },
        actor: "CIRCLE_USERNAME",
    },
    ..Host::NONE
};
