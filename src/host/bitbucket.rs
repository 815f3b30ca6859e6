//! Bitbucket Pipelines: plain text; it shows `--junit` from a folder named `test-results`.

use super::{Host, RunVariables, value};

pub(super) const HOST: Host = Host {
    name: "bitbucket",
    detect: |variables| value(variables, "BITBUCKET_BUILD_NUMBER").is_some(),
    run: |variables| {
        let repository = value(variables, "BITBUCKET_REPO_FULL_NAME")?;
        let number = value(variables, "BITBUCKET_BUILD_NUMBER")?;
        Some(format!("https://bitbucket.org/{repository}/pipelines/results/{number}"))
    },
    commit: |variables| value(variables, "BITBUCKET_COMMIT"),
    names: RunVariables {
        id: "BITBUCKET_BUILD_NUMBER",
        repository: |variables| value(variables, "BITBUCKET_REPO_FULL_NAME"),
        actor: "BITBUCKET_STEP_TRIGGERER_UUID",
    },
    ..Host::NONE
};
