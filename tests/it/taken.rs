//! What an organisation's policy takes from the repository: settings, acceptances, files of its own.

use crate::common::{Ended, Folder, Platform, gravityzone, opencomply};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const LARGE: &str = "  - {id: failures, source: gravityzone, max: 1000000}\n";
const NONE: &str = "  - {id: none, source: gravityzone, severity: high, max: 0}\n";

/// A folder with the policies of a repository and of its organisation.
fn folder(own: &str, organisation: &str) -> Folder {
    let folder = Folder::new();
    folder.write(".git/config", "").write("compliance-gate.yaml", own);
    folder.write("org.yaml", organisation);
    folder
}

fn run(folder: &Folder) -> (Ended, Value) {
    let ended = folder.run(&["run", "--org-policy", "org.yaml", "--json", "out.json"]);
    let report = std::fs::read_to_string(folder.path().join("out.json"));
    (ended, report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()))
}

/// The errors of the organisation's policy, from their line on.
#[track_caller]
fn says(own: &str, organisation: &str, expected: &[&str]) {
    let ended = run(&folder(own, organisation)).0.exits(2);
    let lines = ended.stderr.lines().map(|line| line.trim_start_matches("error: "));
    let lines: Vec<_> = lines.filter_map(|line| line.strip_prefix("org.yaml:")).collect();
    assert_eq!(lines, expected, "{}", ended.stderr);
}

fn gate<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["gates"].as_array().unwrap().iter().find(|gate| gate["id"] == id).unwrap()
}

/// The lines of a policy that choose the integrations.
fn integrations(policy: &str) -> String {
    let from = policy.find("    integrations:").unwrap();
    let is_own =
        |line: &&str| line.starts_with("    integrations:") || line.starts_with("      - ");
    policy[from..].split_inclusive('\n').take_while(is_own).collect()
}

#[test]
fn settings_that_choose_a_part_of_the_estate_are_taken_from_the_repository() {
    let platform = Platform::start("healthy");
    let gates = "  - {id: all, source: opencomply, max: 1000000}\n";
    let own = opencomply(&platform.origin, gates);
    let written = integrations(&own);
    let taking = own.replace(&written, "    from_repository: [integrations]\n");
    let folder = folder(&own, &taking);
    let (ended, report) = run(&folder);
    ended.exits(0);
    assert_eq!(report["sources"].as_array().unwrap().len(), 1);
    assert_eq!(report["policies"][1]["from_repository"]["opencomply"][0], "integrations");
    assert!(report["policies"][0].get("from_repository").is_none());
    folder.run(&["run", "--org-policy", "org.yaml", "--record", "r.jsonl"]).exits(0);
    let record: Value = serde_json::from_str(folder.read("r.jsonl").trim()).unwrap();
    assert_eq!(record["evidence"]["sources"][0]["fromRepository"][0], "integrations");
    // Saved evidence has what was taken, so the organisation decides it without the repository.
    folder.run(&["run", "--org-policy", "org.yaml", "--save-evidence", "e.jsonl"]).exits(0);
    let elsewhere = Folder::new();
    elsewhere.write("org.yaml", &taking).write("e.jsonl", &folder.read("e.jsonl"));
    elsewhere
        .run(&["evaluate", "e.jsonl", "--org-policy", "org.yaml"])
        .exits(0)
        .says("Passed: the gate holds");
    // Other settings of the organisation are its own, so the source is another one.
    let other = taking.replace("[baseline_security]", "[soc2]");
    let (_, report) = run(&self::folder(&own, &other));
    assert_eq!(report["policies"][1]["from_repository"]["org/opencomply"][0], "integrations");
    // Alone, what it takes is not known and is no error.
    folder.run(&["policy", "check", "--org-policy", "org.yaml"]).exits(0).says("org.yaml: valid");
    let arguments =
        ["policy", "check", "--org-policy", "org.yaml", "--config", "compliance-gate.yaml"];
    folder
        .run(&arguments)
        .exits(0)
        .says("gate `org/all`: taken from the repository: `integrations` of opencomply");
}

/// A pull request can change the list only where the organisation takes it from there.
#[test]
fn a_list_of_images_in_the_repository_counts_only_where_it_is_taken() {
    let scanned = json!([
        {"tag": "r.example/api:1", "vulnerabilities": {"critical": 1}}, {"tag": "r.example/web:2"}]);
    let scenario = json!({"sysdig": {"images": {"scanned": scanned}}}).to_string();
    let platform = Platform::of(&scenario);
    let policy = |images: &str| {
        let gate = "gates:\n  - {id: critical, source: sysdig, severity: critical, max: 0}\n";
        let asked = format!("vulnerabilities: findings, {images}");
        format!("version: 1\nsources:\n  sysdig: {{url: \"{}\", {asked}}}\n{gate}", platform.origin)
    };
    let own = policy("images_file: release.txt");
    let taking = policy("from_repository: [images]");
    let folder = folder(&own, &taking);
    folder.write("release.txt", "r.example/web:2\n");
    let (ended, report) = run(&folder);
    ended.exits(0);
    assert_eq!(report["policies"][1]["from_repository"]["sysdig"][0], "images");
    folder.write("release.txt", "r.example/web:2\nr.example/api:1\n");
    run(&folder).0.exits(1);
    folder.run(&["run", "--org-policy", "org.yaml", "--save-evidence", "e.jsonl"]).exits(1);
    let elsewhere = Folder::new();
    elsewhere.write("org.yaml", &taking).write("e.jsonl", &folder.read("e.jsonl"));
    elsewhere.run(&["evaluate", "e.jsonl", "--org-policy", "org.yaml"]).exits(1);
    let its_own = policy("images_file: release.txt");
    folder.write("org.yaml", &its_own);
    folder.run(&["run", "--org-policy", "org.yaml"]).exits(2).says(
        "org.yaml:3:83: `release.txt` is inside the workspace, where the repository can change it; \
         name a file outside it, or let `from_repository: [images]` take the repository's list",
    );
    let outside = Folder::new();
    outside.write("org.yaml", &its_own).write("release.txt", "r.example/api:1\n");
    let named = outside.path().join("org.yaml");
    let named = named.to_str().unwrap();
    folder.write("release.txt", "r.example/web:2\n");
    folder.run(&["run", "--org-policy", named]).exits(1);
    // The repository could choose an image with the same vulnerabilities, so that none counts.
    let compared = "images: [{tag: \"r.example/api:1\", compare_to: \"r.example/web:2\"}]";
    says(
        &policy(compared),
        &taking,
        &["3:88: `images` of sysdig is taken from the repository, which sets `compare_to` in it; \
           that is what is asked of an image, and only this policy can set it, beside `images`"],
    );
}

#[test]
fn what_cannot_be_taken_is_an_error_at_its_place() {
    let url = "http://127.0.0.1:9";
    let own = opencomply(url, "  - {id: all, source: opencomply, max: 1}\n");
    let written = integrations(&own);
    let with = |line: &str| own.replace(&written, &format!("    from_repository: {line}\n"));
    says(
        "version: 1\n",
        &with("[integrations]"),
        &[
            "6:23: `integrations` of opencomply is taken from the repository, whose policy does not \
           set it; set it there",
        ],
    );
    let alone = Folder::new();
    alone.write("org.yaml", &with("[integrations]"));
    let taken = "`integrations` of opencomply is taken from the repository, which has no policy; set it there";
    alone.run(&["run", "--org-policy", "org.yaml"]).exits(2).says(taken);
    says(
        &own,
        &with("[frameworks]"),
        &[
            "6:23: `frameworks` cannot be taken from the repository: only settings that choose a part \
           of the estate can, which for opencomply are integrations",
        ],
    );
    says(
        &own,
        &with("[integration]"),
        &[
            "6:23: `integration` cannot be taken from the repository; did you mean `integrations`?: \
           only settings that choose a part of the estate can, which for opencomply are integrations",
        ],
    );
    says(
        &own,
        &with("integrations"),
        &["6:22: `from_repository`: a list is expected here; possible are integrations"],
    );
    says(
        &own,
        &own.replace(&written, &format!("{written}    from_repository: [integrations]\n")),
        &[
            "9:23: `integrations` of opencomply is written here and taken from the repository; keep one \
           of them",
        ],
    );
    let bigid = "version: 1\nsources:\n  bigid: {url: \"http://127.0.0.1:9\", from_repository: [x]}\n\
                 gates:\n  - {id: all, source: bigid, max: 1}\n";
    says(
        &own,
        bigid,
        &["3:55: `from_repository`: bigid has no setting that can be taken from the repository"],
    );
    let folder = folder(&with("[integrations]"), &own);
    let ended = folder.run(&["run", "--org-policy", "org.yaml"]).exits(2);
    ended.says(
        "unknown key `from_repository`; only the policy of an organisation can take settings from \
         the repository",
    );
}

/// The first high finding of the estate.
fn high(platform: &Platform) -> (String, String, u64) {
    let folder = folder(&gravityzone(&platform.origin, "", LARGE), "");
    folder.run(&["run", "--json", "out.json"]).exits(0);
    let report = folder.json("out.json");
    let findings = report["findings"].as_array().unwrap();
    let high: Vec<_> = findings.iter().filter(|one| one["severity"] == "high").collect();
    let key = |one: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some((text(&one["rule"]["id"])?, text(&one["resource"]["id"])?))
    };
    let is_alone = |one: &Value| high.iter().filter(|other| key(other) == key(one)).count() == 1;
    let first = high.iter().find(|one| key(one).is_some() && is_alone(one)).unwrap();
    let (rule, resource) = key(first).unwrap();
    (rule, resource, high.len() as u64)
}

#[test]
fn acceptances_of_the_repository_apply_where_they_satisfy_the_organisation() {
    let platform = Platform::start("healthy");
    let (rule, resource, all) = high(&platform);
    let day = |days: i64| (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%Y-%m-%d");
    let terms = "accept_from_repository:\n  match: {max_life: 30d, severity: \"<= high\", \
                 require: [ticket, approved_by]}\n";
    let limit = |max: u64| NONE.replace("max: 0", &format!("max: {max}"));
    let own = gravityzone(&platform.origin, "", LARGE);
    let entry = format!(
        "accept:\n  - id: one\n    reason: r\n    owner: o\n    ticket: SEC-1\n    approved_by: a\n    \
         from: {}\n    expires: {}\n    match: {{rule: {rule:?}, resource: {resource:?}, severity: \
         \"<= high\"}}\n",
        day(-1),
        day(20)
    );
    let wide = entry.replace(&format!("resource: {resource:?}"), "resource: \"*\"")
        + "    max_findings: 100\n";
    let most = terms.replace("high\",", "high\", max_findings: 1,");
    let refused =
        |why: &str| format!("acceptances of the repository that do not apply: `one` ({why})");
    let cases: Vec<(String, String, u64, Option<String>)> = vec![
        (entry.clone(), terms.to_owned(), all - 1, None),
        (entry.clone() + "    gates: [org/none]\n", terms.to_owned(), all - 1, None),
        (entry.clone() + "    gates: [failures]\n", terms.to_owned(), all, None),
        (entry.clone(), String::new(), all, None),
        (
            entry.clone() + "    gates: [org/none]\n",
            String::new(),
            all,
            Some(refused("the organisation takes no `match` of a repository")),
        ),
        (
            entry.replace("    ticket: SEC-1\n", ""),
            terms.to_owned(),
            all,
            Some(refused("it has no `ticket`")),
        ),
        (
            entry.replace("    approved_by: a\n", ""),
            terms.to_owned(),
            all,
            Some(refused("it has no `approved_by`")),
        ),
        (
            entry.replace(&format!("    from: {}\n", day(-1)), ""),
            terms.to_owned(),
            all,
            Some(refused("it has no `from`, and may live for at most 30 days")),
        ),
        (
            entry.replace(&format!("expires: {}", day(20)), &format!("expires: {}", day(30))),
            terms.to_owned(),
            all,
            Some(refused("it lives for 31 days, and at most 30 are allowed")),
        ),
        (
            entry.clone(),
            terms.replace("<= high", "<= medium"),
            all,
            Some(refused("it covers high, and at most medium is allowed")),
        ),
        (
            entry.replace("\"<= high\"", "[\"<= high\", unknown]"),
            terms.to_owned(),
            all,
            Some(refused("it covers an unknown severity, and at most high is allowed")),
        ),
        (
            wide.clone(),
            terms.to_owned(),
            all,
            Some(refused(
                "it is wider than a single rule and resource, and the organisation gives no \
                 `max_findings`",
            )),
        ),
        (wide.clone(), most.clone(), all - 1, None),
        // The number is for all such entries together.
        (
            format!("{wide}{}", wide.replace("accept:\n", "").replace("id: one", "id: two")),
            most,
            all - 1,
            None,
        ),
    ];
    for (entry, terms, counted, note) in cases {
        let organisation = gravityzone(&platform.origin, "", &limit(counted)) + &terms;
        let strict = gravityzone(&platform.origin, "", &limit(counted - 1)) + &terms;
        let (ended, report) = run(&folder(&format!("{own}{entry}"), &organisation));
        let said = ended.exits(0);
        assert_eq!(gate(&report, "org/none")["observed"]["failed"], counted, "{entry}{terms}");
        let folder = folder(&format!("{own}{entry}"), &strict);
        let ended = run(&folder).0.exits(1);
        if let Some(note) = note {
            let checked = ["policy", "check", "--org-policy", "org.yaml", "--config"];
            let checked = folder.run(&[&checked[..], &["compliance-gate.yaml"]].concat()).exits(0);
            checked.says(&note);
            ended.says("that do not apply");
        }
        drop(said);
    }
}

#[test]
fn names_of_gates_of_the_organisation_must_exist_beside_its_policy() {
    let own = gravityzone("http://127.0.0.1:9", "", LARGE);
    let accept = |what: &str| {
        format!("{own}accept:\n  - {{id: a, reason: r, owner: o, expires: 2027-01-31, {what}}}\n")
    };
    let matching = "match: {rule: a, resource: b, severity: \"<= medium\"}";
    let organisation = gravityzone("http://127.0.0.1:9", "", NONE);
    let one = folder(&accept(&format!("{matching}, gates: [org/nine]")), &organisation);
    one.run(&["run", "--org-policy", "org.yaml"]).exits(2).says(
        "acceptance `a` names gate `org/nine`, which does not exist; did you mean `org/none`?",
    );
    // Without that policy it is not known which gates there are.
    one.run(&["policy", "check"]).exits(0);
    let off = folder(&accept("gate_off: org/none"), &organisation);
    off.run(&["policy", "check"]).exits(2).says(
        "acceptance `a` turns off gate `org/none`, which only the policy of the organisation can",
    );
    let repositories = folder(&accept(&format!("{matching}, repositories: [a/b]")), &organisation);
    repositories
        .run(&["policy", "check"])
        .exits(2)
        .says("acceptance `a`: `repositories` belongs to the policy of an organisation");
    let terms = folder(&format!("{own}accept_from_repository: {{}}\n"), &organisation);
    terms.run(&["policy", "check"]).exits(2).says(
        "`accept_from_repository` belongs to the policy of an organisation, which the pipeline names",
    );
    let life = format!("{organisation}accept_from_repository: {{match: {{max_life: 36h}}}}\n");
    says(&own, &life, &["7:44: acceptances live for whole days; write them, such as `30d`"]);
}

#[test]
fn a_baseline_of_the_repository_covers_where_it_satisfies_the_organisation() {
    let platform = Platform::start("healthy");
    let day = |days: i64| (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%Y-%m-%d");
    let own = gravityzone(&platform.origin, "", NONE)
        + &format!(
            "accept:\n  - {{id: debt, baseline: base.jsonl, reason: r, owner: o, from: {}, expires: \
             {}}}\n",
            day(0),
            day(200)
        );
    let organisation = |terms: &str| {
        gravityzone(&platform.origin, "", NONE)
            + "accept_from_repository:\n  baseline: "
            + terms
            + "\n"
    };
    let first = folder(&gravityzone(&platform.origin, "", NONE), "");
    first.run(&["run", "--save-evidence", "e.jsonl"]).exits(1);
    first.run(&["baseline", "write", "e.jsonl", "--file", "base.jsonl"]).exits(0);
    let baseline = first.read("base.jsonl");
    for (terms, code, note) in [
        ("{max_life: 365d, severity: \"<= high\"}", 0, ""),
        ("{}", 0, ""),
        ("{max_life: 100d}", 1, "`debt` (it lives for 200 days, and at most 100 are allowed)"),
        ("{severity: \"<= medium\"}", 1, "`debt` (it covers high, and at most medium is allowed)"),
        ("{require: [ticket]}", 1, "`debt` (it has no `ticket`)"),
    ] {
        let folder = folder(&own, &organisation(terms));
        folder.write("base.jsonl", &baseline);
        let (ended, report) = run(&folder);
        ended.exits(code);
        assert_eq!(gate(&report, "none")["state"], "held");
        let acceptances = report["acceptances"].as_array().unwrap();
        assert_eq!(acceptances.len(), 1, "{acceptances:?}");
        let used = acceptances[0]["gates"].as_array().unwrap().len();
        assert_eq!(used, if code == 0 { 2 } else { 1 }, "{terms}");
        let arguments =
            ["policy", "check", "--org-policy", "org.yaml", "-c", "compliance-gate.yaml"];
        folder.run(&arguments).exits(0).says(note);
    }
}

#[test]
fn files_of_acceptances_of_the_organisation_are_outside_or_pinned() {
    let platform = Platform::start("healthy");
    let (rule, resource, all) = high(&platform);
    let own = gravityzone(&platform.origin, "", LARGE);
    let accept = |more: &str| {
        format!(
            "version: 1\naccept:\n  - {{id: one, reason: r, owner: o, expires: 2027-01-31, match: \
             {{rule: {rule:?}, resource: {resource:?}, severity: \"<= high\"}}{more}}}\n"
        )
    };
    let digest = |text: &str| {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let with = |files: &str| {
        let gate = NONE.replace("max: 0", &format!("max: {}", all - 1));
        gravityzone(&platform.origin, "", &gate) + "accept_files: [" + files + "]\n"
    };
    let text = accept("");
    let sha256 = digest(&text);
    // Outside.
    let outside = Folder::new();
    outside.write("accept.yaml", &text);
    let path = outside.path().join("accept.yaml");
    let (ended, report) = run(&folder(&own, &with(path.to_str().unwrap())));
    ended.exits(0);
    assert_eq!(report["acceptances"][0]["whose"], "organisation");
    // Inside, and pinned.
    let pinned = |promised: &str| with(&format!("{{path: accept.yaml, sha256: {promised}}}"));
    let inside = folder(&own, &pinned(&sha256));
    inside.write("accept.yaml", &text);
    run(&inside).0.exits(0);
    inside.run(&["run", "--org-policy", "org.yaml", "--record", "r.jsonl"]).exits(0);
    let record: Value = serde_json::from_str(inside.read("r.jsonl").trim()).unwrap();
    assert_eq!(record["acceptFiles"][0]["digest"]["sha256"], sha256);
    // What was recorded is decided again.
    inside.run(&["run", "--org-policy", "org.yaml", "--save-evidence", "e.jsonl"]).exits(0);
    inside.run(&["evaluate", "e.jsonl", "--as-recorded"]).exits(0);
    // Inside, and not pinned, or changed.
    inside.write("org.yaml", &with("accept.yaml"));
    run(&inside).0.exits(2).says(&format!(
        "`accept.yaml` is inside the workspace, where the repository can change it; pin it, as in \
         `{{path: accept.yaml, sha256: {sha256}}}`"
    ));
    let other = "0".repeat(64);
    inside.write("org.yaml", &pinned(&other));
    run(&inside).0.exits(2).says(&format!(
        "`accept.yaml` has SHA-256 {sha256}, and the policy promises {other}; nothing of it is taken"
    ));
    inside.write("org.yaml", &pinned("abc"));
    run(&inside).0.exits(2).says("a SHA-256 has 64 hexadecimal digits");
    // A baseline of the organisation is not the repository's to change.
    let baseline = gravityzone(&platform.origin, "", NONE)
        + "accept:\n  - {id: b, baseline: base.jsonl, reason: r, owner: o, expires: 2027-01-31}\n";
    inside.write("org.yaml", &baseline).write("base.jsonl", "");
    run(&inside).0.exits(2).says(
        "acceptance `b` has no baseline: `base.jsonl` is inside the workspace, where the repository \
         can change it; name a file outside it, or let `accept_from_repository` take the \
         repository's baseline",
    );
}

#[test]
fn an_entry_of_the_organisation_may_be_for_some_repositories() {
    let platform = Platform::start("healthy");
    let (rule, resource, all) = high(&platform);
    let own = gravityzone(&platform.origin, "", LARGE);
    let gate = NONE.replace("max: 0", &format!("max: {}", all - 1));
    let with = |repositories: &str| {
        gravityzone(&platform.origin, "", &gate)
            + &format!(
                "accept:\n  - {{id: one, reason: r, owner: o, expires: 2027-01-31, match: {{rule: \
                 {rule:?}, resource: {resource:?}, severity: \"<= high\"}}, repositories: \
                 {repositories}}}\n"
            )
    };
    let folder = folder(&own, &with("[group/shop, group/pay]"));
    for (repository, code) in
        [(Some("group/pay"), 0), (Some("group/payments"), 1), (Some("Group/pay"), 1), (None, 1)]
    {
        let mut command = folder.command(&["run", "--org-policy", "org.yaml"]);
        command.envs(repository.map(|name| ("CI_PROJECT_PATH", name)));
        command.envs(repository.map(|_| ("GITLAB_CI", "true")));
        Ended::wait(command).exits(code);
    }
    says(
        &own,
        &with("[group/*]"),
        &[
            "8:223: acceptance `one`: `group/*` is not a repository; name each as the CI host does, \
           such as `group/name`",
        ],
    );
}
