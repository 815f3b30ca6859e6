//! The real binary against the embedded platform, a row for each way it can answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Ended, Folder, Platform};

/// One way the platform can answer.
struct Row {
    name: &'static str,
    /// The parameters of BigID.
    bigid: &'static str,
    /// The scenario's faults.
    faults: &'static str,
    /// Keys of the source.
    settings: &'static str,
    /// Keys of the gate.
    gate: &'static str,
    variables: &'static [(&'static str, &'static str)],
    code: i32,
    says: &'static [&'static str],
}

const ROW: Row = Row {
    name: "",
    bigid: "{}",
    faults: "[]",
    settings: "",
    gate: "severity: [critical, high], status: open, max: 0",
    variables: &[],
    code: 0,
    says: &[],
};

/// A token that states that it must be exchanged, with an invalid signature.
const REFRESH: &str = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaC10b2tlbiJ9.c2lnbmVk";

const ROWS: &[Row] = &[
    // What a gate counts.
    Row { name: "healthy", ..ROW },
    Row {
        name: "every case is resolved",
        gate: "max: 0",
        bigid: r#"{"open": {}, "acknowledged": {}, "silenced": {}}"#,
        ..ROW
    },
    Row {
        name: "there is no case at all",
        gate: "max: 0",
        bigid: r#"{"open": {}, "acknowledged": {}, "silenced": {}, "resolved": 0}"#,
        ..ROW
    },
    Row {
        name: "no case, and a policy that no case has",
        gate: r#"rule: "Nobody*", max: 0"#,
        ..ROW
    },
    Row {
        name: "open and critical",
        bigid: r#"{"open": {"critical": 2}}"#,
        code: 1,
        says: &["2 open cases where max is 0"],
        ..ROW
    },
    Row {
        name: "acknowledged and silenced ones fail too",
        gate: "max: 0",
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row {
        name: "by status",
        gate: "status: [acknowledged, silenced], max: 0",
        code: 1,
        says: &["2 open cases"],
        ..ROW
    },
    Row {
        name: "by resource type",
        gate: r#"resource_type: "*", max: 0"#,
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row { name: "by age", gate: "older_than: 365d, max: 0", ..ROW },
    Row {
        name: "by policy",
        gate: r#"rule: "*", max: 6"#,
        code: 1,
        says: &["7 open cases where max is 6"],
        ..ROW
    },
    Row {
        name: "an unknown status is open",
        gate: "severity: high, status: open, max: 0",
        bigid: r#"{"undocumented": [{"status": "inReview", "severity": "high"}]}"#,
        code: 1,
        says: &["`inReview` (1)", "counted as open"],
        ..ROW
    },
    Row {
        name: "no status is open",
        gate: "severity: high, status: open, max: 0",
        bigid: r#"{"undocumented": [{"severity": "high"}]}"#,
        code: 1,
        says: &["none (1)", "counted as open"],
        ..ROW
    },
    Row {
        name: "an unknown severity could be the worst",
        gate: "severity: critical, max: 0",
        bigid: r#"{"undocumented": [{"status": "open", "severity": "severe"}]}"#,
        code: 1,
        says: &["`severe` (1)", "counted as unknown"],
        ..ROW
    },
    Row {
        name: "a resolved case without a severity is no finding",
        gate: "severity: critical, max: 0",
        bigid: r#"{"undocumented": [{"status": "Remediated"}]}"#,
        ..ROW
    },
    // Whether all cases arrived.
    Row { name: "many pages", bigid: r#"{"resolved": 500}"#, ..ROW },
    Row {
        name: "pages shorter than asked for",
        bigid: r#"{"largest_page": 3}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row {
        name: "`skip` is ignored",
        bigid: r#"{"paging": "offset", "resolved": 200}"#,
        code: 3,
        says: &["ignores `skip`", "set `paging: offset`"],
        ..ROW
    },
    Row {
        name: "`skip` is ignored, and that is known",
        bigid: r#"{"paging": "offset", "resolved": 200}"#,
        settings: "paging: offset",
        ..ROW
    },
    Row {
        name: "`skip` is ignored, and all fit one page",
        bigid: r#"{"paging": "offset"}"#,
        ..ROW
    },
    Row {
        name: "no total",
        bigid: r#"{"omit_total": true, "resolved": 200}"#,
        says: &["the platform states no total"],
        ..ROW
    },
    Row {
        name: "no total, and `skip` is ignored",
        bigid: r#"{"omit_total": true, "paging": "offset"}"#,
        code: 3,
        says: &["ignores `skip`"],
        ..ROW
    },
    Row {
        name: "fewer cases than promised",
        bigid: r#"{"total_offset": 1}"#,
        code: 3,
        says: &["19 of 20 cases arrived"],
        ..ROW
    },
    Row {
        name: "more cases than promised",
        bigid: r#"{"total_offset": -1}"#,
        code: 3,
        says: &["19 cases arrived where 18 were announced"],
        ..ROW
    },
    Row {
        name: "nothing where something was promised",
        bigid: r#"{"open": {}, "acknowledged": {}, "silenced": {}, "resolved": 0, "total_offset": 4}"#,
        gate: "max: 0",
        code: 3,
        says: &["0 of 4 cases arrived"],
        ..ROW
    },
    Row {
        name: "a case comes in meanwhile",
        bigid: r#"{"inserts": 1, "resolved": 200}"#,
        says: &["they were read again"],
        ..ROW
    },
    Row {
        name: "cases come in all the time",
        bigid: r#"{"inserts": 100, "resolved": 200}"#,
        code: 3,
        says: &["the total changed from"],
        ..ROW
    },
    // Whether the platform's figures agree.
    Row {
        name: "a misspelt status",
        gate: "status: [opn], max: 0",
        code: 2,
        says: &["status `opn` can match nothing of bigid; did you mean `open`?"],
        ..ROW
    },
    Row {
        name: "a status that no finding has",
        gate: "status: resolved, max: 0",
        code: 2,
        says: &["status `resolved` can match nothing of bigid"],
        ..ROW
    },
    Row {
        name: "the preflight saw cases, and the walk sees none",
        bigid: r#"{"empty_after": 1, "without_severities": true}"#,
        gate: "max: 0",
        code: 3,
        says: &["no case arrived, although an earlier request saw 19"],
        ..ROW
    },
    Row {
        name: "more open cases by severity than in the list",
        bigid: r#"{"severities_offset": 1}"#,
        code: 3,
        says: &[
            "cases-by-severity counts more open cases than all-cases has: 4 of severity medium \
                 where 3 arrived",
        ],
        ..ROW
    },
    Row {
        name: "fewer open cases by severity than in the list",
        bigid: r#"{"severities_offset": -1}"#,
        ..ROW
    },
    Row {
        name: "no numbers by severity",
        bigid: r#"{"without_severities": true}"#,
        says: &["the open cases were not compared with cases-by-severity"],
        ..ROW
    },
    // A large estate: only unresolved cases are read, if the totals prove the filter.
    Row {
        name: "a large estate by filter",
        bigid: r#"{"resolved": 2000}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases", "2,000 cases not read: the totals by status prove"],
        ..ROW
    },
    Row {
        name: "a large estate by filter, lists with commas",
        bigid: r#"{"resolved": 2000, "encoding": "csv"}"#,
        settings: "encoding: csv",
        gate: "max: 6",
        code: 1,
        says: &["2,000 cases not read: the totals by status prove"],
        ..ROW
    },
    Row {
        name: "a large estate whose filter is ignored",
        bigid: r#"{"resolved": 1000, "ignore_filter": true}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row {
        name: "a large estate with an undocumented status",
        bigid: r#"{"resolved": 1000, "undocumented": [{"status": "inReview", "severity": "high"}]}"#,
        gate: "status: open, max: 5",
        code: 1,
        says: &["6 open cases", "`inReview` (1)"],
        ..ROW
    },
    // Whether it is understood.
    Row {
        name: "only `id`",
        bigid: r#"{"ids": "id"}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row {
        name: "only `_id`",
        bigid: r#"{"ids": "mongo"}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases"],
        ..ROW
    },
    Row {
        name: "no id",
        bigid: r#"{"ids": "neither"}"#,
        code: 3,
        says: &["has no `_id` and no `id`"],
        ..ROW
    },
    Row {
        name: "fields that are null",
        bigid: r#"{"null_fields": ["assignee", "compliance", "dataSourceOwner", "caseId", "created_at"]}"#,
        ..ROW
    },
    Row {
        name: "neither status nor severity in any case",
        code: 3,
        says: &["no case has a `caseStatus`"],
        bigid: r#"{"absent_fields": ["caseStatus", "severityLevel"]}"#,
        ..ROW
    },
    Row {
        name: "a case without a severity could be the worst",
        bigid: r#"{"absent_fields": ["severityLevel"]}"#,
        gate: "severity: critical, status: open, max: 0",
        code: 1,
        says: &["none (19)", "counted as unknown"],
        ..ROW
    },
    Row {
        name: "a case without a policy may be of the one that a gate names",
        bigid: r#"{"null_fields": ["policyName"]}"#,
        gate: r#"rule: "Tokens*", max: 0"#,
        code: 1,
        says: &["7 open cases without a stated rule; they match every `rule`"],
        ..ROW
    },
    Row {
        name: "a case without a data source's type may be of the one that a gate names",
        bigid: r#"{"null_fields": ["dataSourceType"]}"#,
        gate: r#"resource_type: "s3*", max: 0"#,
        code: 1,
        says: &["7 open cases without a stated resource_type; they match every `resource_type`"],
        ..ROW
    },
    Row {
        name: "a case without a data source may be of the one that a gate names",
        bigid: r#"{"null_fields": ["dataSourceName"]}"#,
        gate: r#"resource: "sharepoint*", max: 0"#,
        code: 1,
        says: &["7 open cases without a stated resource; they match every `resource`"],
        ..ROW
    },
    Row {
        name: "a case without a status may have the one that a gate names",
        bigid: r#"{"undocumented": [{"severity": "critical"}]}"#,
        gate: "severity: critical, status: acknowledged, max: 0",
        code: 1,
        says: &["1 open case"],
        ..ROW
    },
    Row {
        name: "by assignee",
        gate: r#"assignee: "orders*", max: 0"#,
        code: 1,
        says: &["1 open case where max is 0"],
        ..ROW
    },
    Row { name: "by another assignee", gate: r#"assignee: "nobody@*", max: 0"#, ..ROW },
    Row {
        name: "a case without an assignee may be of the one that a gate names",
        bigid: r#"{"null_fields": ["assignee", "dataSourceOwner"]}"#,
        gate: r#"assignee: "orders*", max: 0"#,
        code: 1,
        says: &["7 open cases without a stated assignee; they match every `assignee`"],
        ..ROW
    },
    Row {
        name: "a policy that no case has",
        gate: r#"rule: "PCl*", max: 0"#,
        says: &["no case has the rule `PCl*`; the cases have "],
        ..ROW
    },
    Row {
        name: "one case goes and one comes",
        bigid: r#"{"swaps": 1, "resolved": 200}"#,
        says: &["they were read again"],
        ..ROW
    },
    Row {
        name: "cases go and come all the time",
        bigid: r#"{"swaps": 100, "resolved": 200}"#,
        code: 3,
        says: &["an existing case was on none of the pages"],
        ..ROW
    },
    Row {
        name: "no policy in any case",
        bigid: r#"{"absent_fields": ["policyName"]}"#,
        gate: "max: 6",
        code: 1,
        says: &["7 open cases", "19 cases without a policy"],
        ..ROW
    },
    Row { name: "`fields` is ignored", bigid: r#"{"ignore_fields": true}"#, ..ROW },
    Row {
        name: "`fields` is misread",
        bigid: r#"{"encoding": "csv"}"#,
        says: &["the platform did not understand `fields`"],
        ..ROW
    },
    Row {
        name: "lists with commas",
        bigid: r#"{"encoding": "csv"}"#,
        settings: "encoding: csv",
        ..ROW
    },
    Row { name: "`filter` is ignored", bigid: r#"{"ignore_filter": true}"#, ..ROW },
    Row {
        name: "`success: false`",
        bigid: r#"{"failure": "Something broke"}"#,
        code: 3,
        says: &["`success: false`: Something broke"],
        ..ROW
    },
    Row {
        name: "the web interface's page",
        faults: r#"[{"path": "/api/v1", "kind": "html-200", "times": null}]"#,
        code: 2,
        says: &["an HTML page where JSON was expected", "correct `url`"],
        ..ROW
    },
    Row {
        name: "half an answer",
        faults: r#"[{"path": "/api/v1", "kind": "truncated", "times": null}]"#,
        code: 3,
        says: &["JSON that ends too early"],
        ..ROW
    },
    Row {
        name: "no object",
        faults: r#"[{"path": "/api/v1", "kind": "wrong-type", "times": null}]"#,
        code: 3,
        says: &["not as promised"],
        ..ROW
    },
    Row {
        name: "no such endpoint",
        faults: r#"[{"path": "/api/v1", "kind": "json", "status": 404, "times": null}]"#,
        code: 2,
        says: &["answered 404", "correct `url`"],
        ..ROW
    },
    // Whether it answers at all.
    Row {
        name: "a gateway's page with status 200, then cases",
        bigid: r#"{"gateway_pages": 2}"#,
        ..ROW
    },
    Row {
        name: "a gateway's page with status 200, for ever",
        bigid: r#"{"gateway_pages": 1000}"#,
        code: 5,
        says: &["a gateway's error page"],
        ..ROW
    },
    Row { name: "429 without a time, then cases", bigid: r#"{"throttled": 2}"#, ..ROW },
    Row {
        name: "429 for ever",
        bigid: r#"{"throttled": 1000}"#,
        code: 5,
        says: &["answered 429"],
        ..ROW
    },
    Row {
        name: "503, then cases",
        faults: r#"[{"path": "/api/v1", "status": 503, "times": 2}]"#,
        ..ROW
    },
    // Whether the token is taken.
    Row {
        name: "a revoked token",
        variables: &[("BIGID_TOKEN", "revoked")],
        code: 4,
        says: &["401: Unauthorized", "BIGID_TOKEN_KIND"],
        ..ROW
    },
    Row {
        name: "a revoked token, refused with 200",
        variables: &[("BIGID_TOKEN", "revoked")],
        bigid: r#"{"denies_with_200": true}"#,
        code: 4,
        says: &["Authentication failed"],
        ..ROW
    },
    Row { name: "a bearer token is wanted", bigid: r#"{"scheme": "bearer"}"#, code: 4, ..ROW },
    Row {
        name: "a bearer token is wanted and sent",
        bigid: r#"{"scheme": "bearer"}"#,
        settings: "auth_scheme: bearer",
        ..ROW
    },
    Row {
        name: "a raw token is wanted, a bearer token sent",
        settings: "auth_scheme: bearer",
        code: 4,
        ..ROW
    },
    Row {
        name: "a user token sent as it is",
        variables: &[("BIGID_TOKEN", "user-token")],
        code: 4,
        says: &["BIGID_TOKEN_KIND"],
        ..ROW
    },
    Row {
        name: "a user token",
        variables: &[("BIGID_TOKEN", "user-token"), ("BIGID_TOKEN_KIND", "user")],
        ..ROW
    },
    Row {
        name: "a user token, by the settings",
        variables: &[("BIGID_TOKEN", "user-token")],
        settings: "token_kind: user",
        ..ROW
    },
    Row { name: "a user token, by itself", variables: &[("BIGID_TOKEN", REFRESH)], ..ROW },
    Row {
        name: "a user token for a bearer token",
        variables: &[("BIGID_TOKEN", REFRESH)],
        bigid: r#"{"scheme": "bearer"}"#,
        settings: "auth_scheme: bearer",
        ..ROW
    },
    Row {
        name: "a revoked user token",
        variables: &[("BIGID_TOKEN", "user-revoked"), ("BIGID_TOKEN_KIND", "user")],
        code: 4,
        says: &["refresh-access-token answered 401"],
        ..ROW
    },
    Row { name: "a session token", variables: &[("BIGID_TOKEN_KIND", "session")], ..ROW },
    Row {
        name: "a lease that ends",
        variables: &[("BIGID_TOKEN", REFRESH)],
        bigid: r#"{"lease_requests": 2, "resolved": 500}"#,
        ..ROW
    },
    Row {
        name: "a lease that ends with 200",
        variables: &[("BIGID_TOKEN", REFRESH)],
        bigid: r#"{"lease_requests": 2, "resolved": 500, "denies_with_200": true}"#,
        ..ROW
    },
    Row {
        name: "a refusal that repeats what the token was exchanged for",
        variables: &[("BIGID_TOKEN", REFRESH)],
        bigid: r#"{"failure": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaC10b2tlbiJ9.c2lnbmVk ended"}"#,
        code: 3,
        says: &["`success: false`: *** ended"],
        ..ROW
    },
    Row {
        name: "an exchange that gives nothing",
        variables: &[("BIGID_TOKEN", REFRESH)],
        faults: r#"[{"path": "/api/v1/refresh", "kind": "wrong-type", "times": null}]"#,
        code: 3,
        says: &["refresh-access-token"],
        ..ROW
    },
    // What the configuration gets wrong.
    Row {
        name: "no such kind of token",
        variables: &[("BIGID_TOKEN_KIND", "api")],
        code: 2,
        says: &["BIGID_TOKEN_KIND is `api`"],
        ..ROW
    },
    Row {
        name: "no token",
        variables: &[("BIGID_TOKEN", "")],
        code: 2,
        says: &["BIGID_TOKEN is not set"],
        ..ROW
    },
    Row {
        name: "a selector it does not know",
        gate: "framework: x, max: 0",
        code: 2,
        says: &["does not know; possible are rule"],
        ..ROW
    },
    Row {
        name: "a pass rate",
        gate: r#"min_pass_rate: "90%""#,
        code: 2,
        says: &["nothing about checks that passed"],
        ..ROW
    },
];

#[test]
fn every_answer_ends_in_its_exit_code() {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    // Most of the time is waiting.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = check(row) {
                        wrong.lock().unwrap().push(format!("{}: {what}", row.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

fn check(row: &Row) -> Result<(), String> {
    let platform =
        Platform::of(&format!(r#"{{"bigid": {}, "faults": {}}}"#, row.bigid, row.faults));
    let ended = run(&platform.origin, row);
    let whole = format!("\n--- stdout\n{}\n--- stderr\n{}", ended.stdout, ended.stderr);
    if ended.code != Some(row.code) {
        return Err(format!("exit {:?}, not {}{whole}", ended.code, row.code));
    }
    // Lines are broken for people.
    let text = format!("{} {}", ended.stdout, ended.stderr);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in row.says {
        if !text.contains(words) {
            return Err(format!("the output lacks `{words}`{whole}"));
        }
    }
    for secret in ["token-of-bigid", "user-token", REFRESH, "leased."] {
        if text.contains(secret) {
            return Err(format!("the output has `{secret}`{whole}"));
        }
    }
    // Deciding changes nothing.
    match platform.count("PATCH") + platform.count("POST") {
        0 => Ok(()),
        writes => Err(format!("{writes} writes: {:#?}", platform.requests())),
    }
}

fn run(origin: &str, row: &Row) -> Ended {
    let folder = Folder::new();
    let settings = match row.settings {
        "" => String::new(),
        key => format!("    {key}\n"),
    };
    let policy = format!(
        "version: 1\nsources:\n  bigid:\n    url: {origin}\n    page_limit: 100\n{settings}gates:\n  - {{id: cases, source: bigid, {}}}\n",
        row.gate
    );
    folder.write("compliance-gate.yaml", &policy);
    let mut command = folder.command(&["run", "-v"]);
    command.env("BIGID_TOKEN", "token-of-bigid").envs(row.variables.iter().copied());
    Ended::wait(command)
}

#[test]
fn doctor_says_how_many_cases_the_token_can_see() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write(
        "compliance-gate.yaml",
        &format!(
            "version: 1\nsources:\n  bigid/eu:\n    url: {}/api/v1\ngates:\n  - {{id: a, source: bigid/eu, max: 0}}\n",
            platform.origin
        ),
    );
    let mut command = folder.command(&["doctor"]);
    command.env("BIGID_TOKEN", "token-of-bigid");
    Ended::wait(command).exits(0).says("19 cases visible to this token");
}

#[test]
fn a_large_estate_is_read_by_filter_and_a_small_one_as_a_whole() {
    let platform = Platform::of(r#"{"bigid": {"resolved": 993}}"#);
    run(&platform.origin, &ROW).exits(0);
    // The preflight, the totals by status, then seven cases of 1,000.
    assert_eq!(platform.count("all-cases"), 1 + 2 + 1, "{:#?}", platform.requests());
    let platform = Platform::of(r#"{"bigid": {"resolved": 892}}"#);
    run(&platform.origin, &ROW).exits(0);
    // The preflight, then 899 cases, and their ids once more.
    assert_eq!(platform.count("all-cases"), 1 + 9 + 9, "{:#?}", platform.requests());
}

#[test]
fn pages_are_as_large_as_the_platform_accepts() {
    let accepts = |most: u64| {
        format!(
            r#"{{"bigid": {{"resolved": 243, "largest_page": {most}, "refuses_larger_pages": true}}}}"#
        )
    };
    // 250 cases in one page; a page that is refused, three pages of 100, and their ids once more.
    for (most, requests) in [(1000, 1), (100, 1 + 3 + 3)] {
        let platform = Platform::of(&accepts(most));
        let folder = Folder::new();
        let policy = format!(
            "version: 1\nsources:\n  bigid:\n    url: {}\ngates:\n  - {{id: a, source: bigid, {}}}\n",
            format_args!("{}/api/v1", platform.origin),
            ROW.gate
        );
        folder.write("compliance-gate.yaml", &policy);
        let mut command = folder.command(&["run"]);
        command.env("BIGID_TOKEN", "token-of-bigid");
        Ended::wait(command).exits(0);
        assert_eq!(platform.count("all-cases") - 1, requests, "{:#?}", platform.requests());
    }
}
