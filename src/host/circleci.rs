//! CircleCI: plain text; it shows `--junit` through `store_test_results`.

use super::{Host, is_true, value};

pub(super) const HOST: Host = Host {
    name: "circleci",
    detect: |variables| is_true(variables, "CIRCLECI"),
    run: |variables| value(variables, "CIRCLE_BUILD_URL"),
    commit: |variables| value(variables, "CIRCLE_SHA1"),
    ..Host::NONE
};
