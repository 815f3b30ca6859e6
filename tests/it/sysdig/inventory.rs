//! Which resources posture is read of, by the filters of the platform's inventory.

use super::{estate, run};
use serde_json::json;

#[test]
fn an_inventory_filter_narrows_what_counts() {
    let settings = "posture: {inventory: {account: \"400000000037\"}}";
    let ran = run(&estate(json!({})), settings, &["max: 100", "min_pass_rate: \"1%\""]).exits(0);
    // Every fourth resource of the six controls of clouds.
    assert_eq!(ran.part()["evaluated"], json!(6 * 6));
    let settings = "posture: {inventory: {subscription: none}}";
    run(&estate(json!({})), settings, &["max: 100"]).exits(2).says("`subscription in (\"none\")`");
    let settings = "posture: {inventory: {account: nobody}}";
    run(&estate(json!({})), settings, &["max: 100"]).exits(2).says("matches no resource");
    let settings = "posture: {inventory: {account: [\"400000000037\", nobody]}}";
    run(&estate(json!({})), settings, &["max: 100"]).exits(2).says("`account in (\"nobody\")`");
}

/// Each filter is sent as the platform's operator, and leaves some of the resources.
#[test]
fn each_filter_and_operator_is_one_of_the_platform() {
    for (filter, query) in [
        ("labels: \"team:shop\"", "labels in (\"team:shop\")"),
        ("labels: \"team:sh*\"", "labels startsWith \"team:sh\""),
        ("labels: \"*shop*\"", "labels contains \"shop\""),
        ("labels: \"*\"", "labels exists"),
        ("project: \"(none)\"", "not project exists"),
        ("project: shop-production", "project in (\"shop-production\")"),
        ("zone: Production", "zone in (\"Production\")"),
        ("organization: o-example", "organization in (\"o-example\")"),
        ("distribution: Vanilla", "distribution in (\"Vanilla\")"),
        ("version: \"1.3*\"", "version startsWith \"1.3\""),
        ("external_dns: \"*.example.com*\"", "externalDNS contains \".example.com\""),
        ("node_type: Worker", "nodeType in (\"Worker\")"),
        ("os_name: linux", "osName in (\"linux\")"),
        ("policy: \"CIS *\"", "policy startsWith \"CIS \""),
    ] {
        let settings = format!("posture: {{inventory: {{{filter}}}}}");
        let ran = run(&estate(json!({})), &settings, &["max: 100"]);
        let sent = url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
        assert!(ran.count(&sent) > 0, "{query}: {:#?}", ran.requests);
        let evaluated = ran.exits(0).part()["evaluated"].as_u64();
        assert!(evaluated.is_some_and(|count| count > 0 && count < 216), "{filter}: {evaluated:?}");
    }
}

/// Patterns of one filter are several lists, since brackets around `or` are not documented.
#[test]
fn several_patterns_are_read_one_after_the_other() {
    let evaluated = |labels: &str| {
        let settings = format!("posture: {{inventory: {{labels: {labels}, platform: AWS}}}}");
        let ran = run(&estate(json!({})), &settings, &["max: 100"]).exits(0);
        ran.part()["evaluated"].as_u64().unwrap()
    };
    let all = evaluated("\"team:*\"");
    assert_eq!(evaluated("[\"team:sh*\", \"*platform*\"]"), all);
    assert_eq!(evaluated("[\"team:shop\", \"*platform*\"]"), all);
    assert!(evaluated("[\"team:shop\", \"team:sh*\"]") < all);
    let nothing = "posture: {inventory: {labels: [\"team:*\", \"group:*\"]}}";
    run(&estate(json!({})), nothing, &["max: 100"])
        .exits(2)
        .says("`labels startsWith \"group:\"` matches no resource");
}

#[test]
fn what_the_platform_cannot_be_asked_is_refused() {
    let many = (0..21).map(|at| format!("\"a{at}*\"")).collect::<Vec<_>>().join(", ");
    for (filter, says) in [
        ("name: \"*.example.com\"".to_owned(), "did you mean `*.example.com*`?"),
        ("name: \"web-?\"".to_owned(), "has a `?`"),
        ("control_failed: x".to_owned(), "unknown key `control_failed`"),
        (format!("name: [{many}]"), "read as 21 lists"),
    ] {
        let settings = format!("posture: {{inventory: {{{filter}}}}}");
        run(&estate(json!({})), &settings, &["max: 100"]).exits(2).says(says);
    }
}

/// Otherwise a gate would count, and a pass rate be that of, what the policy leaves out.
#[test]
fn a_filter_that_the_platform_ignores_is_noticed() {
    let unfiltered = estate(json!({"inventory_unfiltered": true, "fails": {"high": 0}}));
    for filter in ["labels: \"team:shop\"", "name: \"s3*\"", "name: \"*s3*\"", "labels: \"*\""] {
        let settings = format!("posture: {{inventory: {{{filter}}}}}");
        run(&unfiltered, &settings, &["max: 100"])
            .exits(3)
            .says("the platform ignores a part of `");
    }
}
