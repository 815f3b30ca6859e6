//! What CI hosts read: their commands in the log, their files. The readers here are written from
//! how the hosts' runners read, not from how we write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compliance_gate::host::{Choice, Ci};
use compliance_gate::policy::Gate;
use compliance_gate::report::FORMATS;
use compliance_gate::report::terminal::TerminalStyle;
use compliance_gate::secret::Variables;

use crate::common::estate::{self, Scene};

/// Runs with a job of this host that has these variables.
fn on<T>(host: &str, set: &[(&str, &Path)], run: impl FnOnce(Ci<'_>) -> T) -> T {
    let variable = |(name, path): &(&str, &Path)| ((*name).into(), path.to_str().unwrap().into());
    let variables: Variables = set.iter().map(variable).collect();
    run(Ci::new(Choice::parse(host).unwrap(), &variables))
}

/// The log of a job, without colours.
fn log(scene: &Scene, host: &str) -> String {
    on(host, &[], |ci| log_of(scene, ci))
}

fn log_of(scene: &Scene, ci: Ci<'_>) -> String {
    // Both writers end in one log; the one for people is flushed before the other is used.
    let log = std::sync::Mutex::new(Vec::new());
    let mut people = anstream::StripStream::new(Vec::new());
    struct Shared<'l>(&'l std::sync::Mutex<Vec<u8>>);
    impl std::io::Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    scene.report(|report| {
        ci.print(report, TerminalStyle::default(), &mut people, &mut Shared(&log)).unwrap();
        let notes = ci.publish(report, &[], &mut Shared(&log));
        assert_eq!(notes, Vec::<String>::new());
    });
    let mut log = String::from_utf8(log.into_inner().unwrap()).unwrap();
    log.push_str(&String::from_utf8(people.into_inner()).unwrap());
    log
}

#[derive(Debug, PartialEq, Eq)]
struct Command {
    name: String,
    properties: BTreeMap<String, String>,
    data: String,
}

/// The lines of a stream, as .NET reads them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r'])
}

fn properties(
    text: &str,
    separator: char,
    unescape: fn(&str) -> String,
) -> BTreeMap<String, String> {
    let pairs = text.split(separator).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), unescape(value))).collect()
}

/// `::name key=value,key=value::data` at the beginning, or `##[name key=value;]data` anywhere.
fn github_command(line: &str) -> Option<Command> {
    fn unescape(text: &str) -> String {
        let text = text.replace("%0D", "\r").replace("%0A", "\n");
        text.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    }
    if let Some(rest) = line.trim_start().strip_prefix("::") {
        if let Some((info, data)) = rest.split_once("::") {
            let (name, rest) = info.split_once(' ').unwrap_or((info, ""));
            let properties = properties(rest, ',', unescape);
            return Some(Command { name: name.to_owned(), properties, data: unescape(data) });
        }
        return Some(Command {
            name: format!("unfinished {rest}"),
            properties: BTreeMap::new(),
            data: String::new(),
        });
    }
    let info = &line[line.find("##[")? + 3..];
    let (info, data) = info.split_once(']')?;
    let (name, rest) = info.split_once(' ').unwrap_or((info, ""));
    let properties = properties(rest, ';', unescape);
    Some(Command { name: format!("legacy {name}"), properties, data: data.to_owned() })
}

/// `##vso[area.name key=value;]data` anywhere, and what only formats the log, `##[name]`.
fn azure_command(line: &str) -> Option<Command> {
    fn unescape(text: &str) -> String {
        let text = text.replace("%3B", ";").replace("%5D", "]");
        text.replace("%0D", "\r").replace("%0A", "\n").replace("%AZP25", "%")
    }
    for prefix in ["##vso[", "##["] {
        let Some(at) = line.find(prefix) else { continue };
        let Some((info, data)) = line[at + prefix.len()..].split_once(']') else { continue };
        let (name, rest) = info.split_once(' ').unwrap_or((info, ""));
        let properties = properties(rest, ';', unescape);
        return Some(Command { name: name.to_owned(), properties, data: unescape(data) });
    }
    None
}

fn github(log: &str) -> Vec<Command> {
    lines(log).filter_map(github_command).collect()
}

fn azure(log: &str) -> Vec<Command> {
    lines(log).filter_map(azure_command).collect()
}

/// As many commands as the scene asks for, all ours, and no text that would be one when the
/// host prints it.
pub fn assert_only_our_commands(scene: &Scene) {
    let log = |host| log(scene, host);
    for command in github(&log("github")) {
        assert!(["group", "endgroup", "error", "warning"].contains(&&*command.name), "{command:?}");
        for text in command.properties.values().chain([&command.data]) {
            assert!(lines(text).all(|line| github_command(line).is_none()), "{text:?}");
        }
    }
    for command in azure(&log("azure")) {
        let ours = ["group", "endgroup", "task.logissue", "task.setvariable"];
        assert!(ours.contains(&&*command.name), "{command:?}");
        for text in command.properties.values().chain([&command.data]) {
            assert!(lines(text).all(|line| azure_command(line).is_none()), "{text:?}");
        }
    }
    for plain in Choice::words().filter(|host| !["auto", "github", "azure"].contains(host)) {
        let log = log(plain);
        assert_eq!(github(&log), [], "{plain:?}");
        assert_eq!(azure(&log), [], "{plain:?}");
        let sections = log.matches("\u{1b}[0K").count();
        assert_eq!(sections, if plain == "gitlab" { 2 } else { 0 });
    }
}

fn gates(number: usize) -> Scene {
    let mut scene = estate::blocked();
    let mut gate: Gate = scene.policy.gates[0].clone();
    scene.policy.gates = (0..number)
        .map(|at| {
            gate.id = format!("gate-{at}");
            gate.place.line = 10 + at as u64;
            gate.clone()
        })
        .collect();
    scene
}

#[test]
fn github_shows_each_gate_that_does_not_hold_at_its_line() {
    let commands = github(&log(&estate::blocked(), "github"));
    let names: Vec<_> = commands.iter().map(|command| &*command.name).collect();
    assert_eq!(names, ["group", "endgroup", "error", "warning"]);
    let error = &commands[2];
    assert_eq!(error.properties["file"], ".github/compliance-gate.yaml");
    assert_eq!(error.properties["line"], "20");
    assert_eq!(error.properties["title"], "compliance-gate: no-critical-or-high: BREACHED");
    assert!(error.data.contains("12 failed checks where max is 0: 12 over the limit"), "{error:?}");
    assert!(error.data.contains("critical: S3 buckets do not allow public writes"), "{error:?}");
    let passed = log(&estate::passed(), "github");
    assert_eq!(github(&passed).len(), 2);
}

#[test]
fn github_gets_ten_of_a_kind_and_the_tenth_says_what_is_missing() {
    let errors = |number| {
        let commands = github(&log(&gates(number), "github"));
        let errors = commands.into_iter().filter(|command| command.name == "error");
        errors.map(|command| command.properties["title"].clone()).collect::<Vec<_>>()
    };
    let ten = errors(10);
    assert_eq!(ten.len(), 10);
    assert_eq!(ten[9], "compliance-gate: gate-9: BREACHED");
    let eleven = errors(11);
    assert_eq!(eleven.len(), 10);
    assert_eq!(eleven[9], "compliance-gate: and 2 more gates");
}

#[test]
fn a_message_is_cut_before_the_host_does() {
    let long = "word ".repeat(2_000);
    let mut scene = estate::inconclusive();
    let problems = &mut scene.evidence.outcomes[1].parts[0].problems;
    for at in 0..30 {
        let mut problem = problems[0].clone();
        problem.message = format!("{at} {long}");
        problems.push(problem);
    }
    scene.policy.gates[0].id = long;
    for command in github(&log(&scene, "github")) {
        assert!(command.data.chars().count() <= 4_096, "{}", command.data.len());
    }
}

#[test]
fn azure_gets_issues_outputs_and_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let set = [("AGENT_TEMPDIRECTORY", folder.path())];
    let commands = azure(&on("azure", &set, |ci| log_of(&estate::blocked(), ci)));
    let issue = commands.iter().find(|command| command.name == "task.logissue").unwrap();
    assert_eq!(issue.properties["type"], "error");
    assert_eq!(issue.properties["linenumber"], "20");
    let verdict = commands.iter().find(|command| command.name == "task.setvariable").unwrap();
    assert_eq!(verdict.properties["variable"], "verdict");
    assert_eq!(verdict.properties["isOutput"], "true");
    assert_eq!(verdict.data, "blocked");
    let last = commands.last().unwrap();
    assert_eq!(last.name, "task.uploadsummary");
    let summary = std::fs::read_to_string(&last.data).unwrap();
    assert!(Path::new(&last.data).is_absolute() && summary.starts_with("### ❌ Deploy blocked"));
}

/// `name<<delimiter`, lines, `delimiter`; or `name=value`.
fn github_outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let equals = line.find('=').unwrap_or(usize::MAX);
        let heredoc = line.find("<<").unwrap_or(usize::MAX);
        if heredoc < equals {
            let (name, delimiter) = line.split_once("<<").unwrap();
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            outputs.insert(name.to_owned(), value.to_owned());
        } else {
            assert_eq!(line, "", "not a line that the runner takes");
        }
    }
    outputs
}

fn publish(scene: &Scene, host: &str, set: &[(&str, &Path)], reports: &[&Path]) -> Vec<String> {
    let reports: Vec<_> = reports.iter().map(|path| (&FORMATS[0], path.to_path_buf())).collect();
    scene.report(|report| on(host, set, |ci| ci.publish(report, &reports, &mut Vec::new())))
}

#[test]
fn github_gets_outputs_that_no_text_can_end_early() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output");
    std::fs::write(&path, "earlier=1").unwrap();
    let set = [("GITHUB_OUTPUT", &*path)];
    let report = folder.path().join("a\nverdict=passed\nb.xml");
    std::fs::write(&report, "").unwrap();
    let mut scene = estate::blocked();
    scene.policy.gates[0].id = "a\nverdict=passed $(b) \"; c".to_owned();
    assert_eq!(publish(&scene, "github", &set, &[&report]), Vec::<String>::new());
    let text = std::fs::read_to_string(&path).unwrap();
    let outputs = github_outputs(&text);
    assert_eq!(outputs.len(), 6, "{text}");
    assert_eq!(outputs["earlier"], "1");
    assert_eq!(outputs["verdict"], "blocked");
    assert_eq!(outputs["exit-code"], "1");
    assert_eq!(outputs["evidence-complete"], "true");
    assert_eq!(outputs["blocked-gates"], "a_verdict_passed___b_____c");
    assert_eq!(outputs["junit"], report.to_str().unwrap());
    // The next run's delimiters are others.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(publish(&scene, "github", &set, &[]), Vec::<String>::new());
    let again = std::fs::read_to_string(&path).unwrap();
    assert!(!github_outputs(&again).contains_key("junit"));
    let delimiter =
        |text: &str| text.split("<<").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert_ne!(delimiter(&text), delimiter(&again));
    assert!(delimiter(&text).len() >= 32);
}

#[test]
fn outputs_never_say_more_than_was_established() {
    let outputs = |scene: &Scene| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let set = [("GITHUB_OUTPUT", &*path)];
        assert_eq!(publish(scene, "github", &set, &[]), Vec::<String>::new());
        let outputs = github_outputs(&std::fs::read_to_string(path).unwrap());
        format!("{} {}", outputs["verdict"], outputs["evidence-complete"])
    };
    assert_eq!(outputs(&estate::passed()), "passed true");
    assert_eq!(outputs(&estate::inconclusive()), "inconclusive false");
    assert_eq!(outputs(&estate::interrupted()), "terminated false");
    assert_eq!(outputs(&estate::forgiven()), "warned false");
}

#[test]
fn a_summary_stays_within_what_github_takes_whatever_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary");
    let set = [("GITHUB_STEP_SUMMARY", &*path)];
    let scene = estate::big(25_001);
    for there in [0, 1, 500_000, 900 * 1024 - 5_000] {
        std::fs::write(&path, "x".repeat(there)).unwrap();
        assert_eq!(publish(&scene, "github", &set, &[]), Vec::<String>::new());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 900 * 1024 && text.len() > there + 1_000, "{}", text.len());
        let ours = text[there..].trim_start();
        assert!(ours.starts_with("### ❌ Deploy blocked"), "{}", &ours[..80]);
        super::markdown::assert_inert(ours);
    }
    for full in [900 * 1024, 1024 * 1024, 2 * 1024 * 1024] {
        std::fs::write(&path, "x".repeat(full)).unwrap();
        let notes = publish(&scene, "github", &set, &[]);
        assert!(notes[0].contains("failed to write the step summary: earlier steps"), "{notes:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), full as u64);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/such");
    let set = [("GITHUB_STEP_SUMMARY", &*nowhere), ("GITHUB_OUTPUT", &*nowhere)];
    assert_eq!(publish(&estate::passed(), "github", &set, &[]).len(), 2);
    let set = [("AGENT_TEMPDIRECTORY", &*nowhere)];
    assert_eq!(publish(&estate::passed(), "azure", &set, &[]).len(), 1);
}

#[test]
fn gitlab_folds_what_was_looked_at() {
    let log = log(&estate::passed(), "gitlab");
    let time = estate::now().timestamp();
    let name = format!("compliance_gate_evidence_{time}");
    let start = format!("section_start:{time}:{name}[collapsed=true]\r\u{1b}[0K");
    let end = format!("section_end:{time}:{name}\r\u{1b}[0K");
    assert!(log.find(&start).unwrap() < log.find(&end).unwrap(), "{log:?}");
}

/// A job may run several gates, and what one of them shows must not take the place of another's.
#[test]
fn two_gates_of_one_job_show_nothing_under_one_name() {
    let at = |path: &str| {
        let mut scene = estate::blocked();
        path.clone_into(&mut scene.path);
        scene.policy.gates.iter_mut().for_each(|gate| gate.place.file = path.into());
        scene
    };
    let (one, mut other) = (at("gate.yaml"), at("deploy/gate.yaml"));
    other.evidence.finished += chrono::TimeDelta::seconds(7);
    let names = |scene: &Scene, host: &str| -> BTreeSet<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let set = [("AGENT_TEMPDIRECTORY", path)];
        let log = on(host, &set, |ci| log_of(scene, ci));
        let shown = match host {
            "github" => "::error ",
            "azure" => "##vso[task.logissue ",
            _ => "section_start:",
        };
        let mut names: BTreeSet<String> =
            lines(&log).filter(|line| line.starts_with(shown)).map(str::to_owned).collect();
        let files = std::fs::read_dir(path).unwrap().map(Result::unwrap);
        names.extend(files.map(|file| file.file_name().into_string().unwrap()));
        names
    };
    for host in ["github", "azure", "gitlab"] {
        let (one, other) = (names(&one, host), names(&other, host));
        assert!(!one.is_empty() && one.is_disjoint(&other), "{host}: {one:?} {other:?}");
    }
}

#[test]
fn later_jobs_get_plain_variables() {
    assert_eq!(
        estate::blocked().render("dotenv"),
        "COMPLIANCE_GATE_VERDICT=blocked\nCOMPLIANCE_GATE_EXIT_CODE=1\n\
         COMPLIANCE_GATE_BLOCKED_GATES=no-critical-or-high\nCOMPLIANCE_GATE_EVIDENCE_COMPLETE=true\n"
    );
    let mut many = gates(2_000);
    many.policy.gates[0].id = "$(x) `y`\nCOMPLIANCE_GATE_VERDICT=passed".to_owned();
    let text = many.render("dotenv");
    assert!(text.len() < 5_000 && text.lines().count() == 4, "{text}");
    assert!(text.contains(",...\n") && !text.contains(['$', '`', ' ']), "{text}");
}

#[test]
fn a_run_that_could_not_begin_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        "gates.yaml:3:1\n::set-output name=x::y\n##[error]z\n</pre><script>\n::stop-commands::x";
    let (outputs, summary) = (folder.path().join("o"), folder.path().join("s"));
    let set = [("GITHUB_OUTPUT", &*outputs), ("GITHUB_STEP_SUMMARY", &*summary)];
    let refused = |host, set: &[(&str, &Path)]| {
        let mut plain = Vec::new();
        let notes = on(host, set, |ci| ci.refuse(error, &mut plain));
        assert_eq!(notes, Vec::<String>::new());
        String::from_utf8(plain).unwrap()
    };
    let commands = github(&refused("github", &set));
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0].name, "error");
    let outputs = github_outputs(&std::fs::read_to_string(&outputs).unwrap());
    assert_eq!((&*outputs["verdict"], &*outputs["exit-code"]), ("invalid", "2"));
    assert_eq!(outputs["evidence-complete"], "false");
    let summary = std::fs::read_to_string(&summary).unwrap();
    assert!(summary.starts_with("### ❌ Invalid: nothing was started"), "{summary}");
    assert_eq!(summary.matches("</pre>").count(), 1);
    assert!(!summary.contains("<script"), "{summary}");
    let commands = azure(&refused("azure", &[]));
    assert_eq!(commands[0].name, "task.logissue");
    assert!(commands[0].data.starts_with("compliance-gate: nothing was started\ngates.yaml:3:1\n"));
    for host in ["none", "gitlab", "jenkins"] {
        assert_eq!(refused(host, &[]), "");
    }
}
