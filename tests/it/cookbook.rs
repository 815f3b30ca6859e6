//! Every policy of the cookbook runs against the simulated platforms.

use crate::common::{Ended, Folder, Platform, at_once};

const PAGE: &str = include_str!("../../docs/cookbook.md");

/// A recipe: its title, its policy, and the exit code on an estate with critical failures.
fn recipes() -> Vec<(&'static str, String)> {
    let sections = PAGE.split("\n## ").skip(1);
    let recipe = |section: &'static str| {
        let (title, text) = section.split_once('\n').unwrap();
        let policy = text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        (title, policy.to_owned())
    };
    sections.map(recipe).collect()
}

/// What each recipe comes to on the simulated estate, in the order of the page.
const CODES: [(&str, i32); 22] = [
    ("No new critical finding since the last release", 0),
    ("Accept one risk until a day, with a ticket", 0),
    ("Production stricter than staging", 1),
    ("Only what is older than thirty days", 0),
    ("Only my team's account", 1),
    ("A pass rate for each framework", 0),
    ("Ignore sandbox accounts", 0),
    ("Zero critical, some high, a warning before that", 0),
    ("Leave a rule out", 0),
    ("Different limits for accounts, and one for the rest", 0),
    ("Several frameworks, each by itself", 0),
    ("Public buckets on any platform", 0),
    ("What the platform's owner accepted there", 0),
    ("Share words between gates and files", 0),
    ("Announce a gate before it blocks", 0),
    ("A gate off for a time", 0),
    ("Nobody silenced alerts before the deploy", 1),
    ("The cloud posture of one team, by its label", 1),
    ("The images of a release: nothing critical that has a fix", 1),
    ("What happened at run time in one namespace", 1),
    ("Open data cases of one owner", 1),
    ("A change freeze", 1),
];

#[test]
fn every_recipe_runs() {
    let recipes = recipes();
    let titles: Vec<_> = recipes.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, CODES.map(|(title, _)| title), "the page and the test differ");
    at_once(recipes.into_iter().zip(CODES), |((title, policy), (_, code))| {
        let platform = Platform::start("blocked");
        let origin = &platform.origin;
        let policy = policy
            .replace("https://compliance.example.com", origin)
            .replace("https://api.example.com", origin)
            .replace("https://api.bigpanda.io", origin)
            .replace("https://sysdig.example.com", origin)
            .replace("https://bigid.example.com", origin)
            // The account with critical findings, since no simulated account is a sandbox.
            .replace("\"sandbox*\"", "production")
            .replace("integrations: all}", "integrations: all, poll: {interval: 50ms}}");
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &policy);
        let mut arguments = vec!["run", "--json", "gate.json"];
        if policy.contains("environments:") {
            arguments.extend(["--environment", "production"]);
        }
        if policy.contains("baseline:") {
            make_baseline(&folder, &policy);
        }
        let mut command = folder.command(&arguments);
        command.env("BIGID_TOKEN", "test-token-of-bigid").env("BIGID_TOKEN_KIND", "system");
        let ended = Ended::wait(command);
        assert_eq!(ended.code, Some(code), "{title}\n{}\n{}", ended.stdout, ended.stderr);
    });
}

/// Makes the baseline as the page says, by a policy that has none yet.
fn make_baseline(folder: &Folder, policy: &str) {
    let before = policy.split("accept:").next().unwrap();
    folder.write("compliance-gate.yaml", before);
    folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(1);
    let file = [".compliance-gate/release.jsonl"];
    folder.run(&[&["baseline", "write", "evidence.jsonl", "--file"], &file[..]].concat()).exits(0);
    folder.write("compliance-gate.yaml", policy);
}
