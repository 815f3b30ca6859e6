//! The walk-through of the documentation, command by command.

use std::process::Command;

use chrono::{NaiveDate, Utc};

use crate::common::{BINARY, Folder, Platform};

const PAGE: &str = include_str!("../../docs/walkthrough.md");

/// The day that is today on the page.
const TODAY: &str = "2026-11-28";

/// The page, with its days as far from today as they are from its own.
fn page() -> String {
    let theirs: NaiveDate = TODAY.parse().unwrap();
    let shift = Utc::now().date_naive() - theirs;
    let days = ["2026-12-15", "2026-12-16", "2027-01-31", "2027-06-30", "2027-07-01"];
    let mark = |at: usize| format!("\u{1}{at}\u{1}");
    let marked = days.iter().enumerate();
    let marked = marked.fold(PAGE.to_owned(), |page, (at, day)| page.replace(day, &mark(at)));
    let moved = days.iter().map(|day| day.parse::<NaiveDate>().unwrap() + shift).enumerate();
    moved.fold(marked, |page, (at, day)| page.replace(&mark(at), &day.to_string()))
}

/// The text of a file that the page shows below its name.
fn file(page: &str, name: &str) -> String {
    let below = page.split(&format!("`{name}`:\n\n```yaml\n")).nth(1).unwrap();
    below.split("```").next().unwrap().to_owned()
}

/// Whether output is as expected: `…` at the beginning of a line is any beginning, and alone any
/// lines.
fn is_as(output: &str, expected: &str) -> bool {
    let mut lines = output.lines();
    let mut skips = false;
    for line in expected.lines() {
        if line == "…" {
            skips = true;
            continue;
        }
        let meets = |given: &&str| match line.strip_prefix('…') {
            Some(end) => given.ends_with(end),
            None => *given == line,
        };
        let found = if skips { lines.find(meets) } else { lines.next().filter(meets) };
        if found.is_none() {
            return false;
        }
        skips = false;
    }
    skips || lines.next().is_none()
}

#[test]
fn every_command_of_the_walk_through_has_its_output() {
    let page = page();
    let folder = Folder::new();
    let mut platform = Platform::start("blocked");
    folder.write("accepted.yaml", &file(&page, "accepted.yaml"));
    let observe = file(&page, "observe.yaml");
    let observe = observe.replace("https://compliance.example.com", &platform.origin);
    folder.write("observe.yaml", &observe);
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    for step in blocks.flat_map(|block| block.split("$ ").skip(1)) {
        let (command, expected) = step.split_once('\n').unwrap();
        if command.contains("later.jsonl") && command.contains(" run ") {
            // The same platform, after three findings were fixed.
            let listen = platform.origin.trim_start_matches("http://").to_owned();
            platform.kill();
            platform = Platform::start_at("healthy", &listen);
        }
        let output = shell(&folder, command);
        assert!(is_as(&output, expected), "$ {command}\n{output}\n--- expected\n{expected}");
    }
}

fn shell(folder: &Folder, command: &str) -> String {
    let binary = std::path::Path::new(BINARY).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", binary.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {command}; }} 2>&1")]).current_dir(folder.path()).env_clear();
    shell.env("PATH", path).env("OPENCOMPLY_API_KEY", "test-token-of-opencomply");
    let output = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    // The page leaves out the progress.
    let is_progress = |line: &&str| line.starts_with("opencomply baseline_security: ");
    output.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect()
}
