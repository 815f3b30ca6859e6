//! Networks that break, platforms that die, answers that are not what the API promises: each ends
//! in its own code, within the deadline, with the reports written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, Folder, Platform, at_once, bigpanda, gravityzone, opencomply};

const GATES: &str = "  - {id: budget, source: opencomply, max: 160}\n";
const DEADLINE: &str = "version: 1\ndeadline: 7s";
const CSPM: &str = "  - {id: cspm, source: gravityzone, max: 100000}\n";

fn rule(path: &'static str, skip: usize, times: usize, fault: Fault) -> Vec<Rule> {
    vec![Rule { path, skip, times, fault }]
}

/// Runs against a healthy OpenComply behind a proxy with these rules.
fn behind(rules: Vec<Rule>, settings: &str) -> (Ended, Folder, Platform, Proxy) {
    behind_within("45m", rules, settings)
}

fn behind_within(
    deadline: &str,
    rules: Vec<Rule>,
    settings: &str,
) -> (Ended, Folder, Platform, Proxy) {
    let platform = Platform::start("healthy");
    let proxy = Proxy::start(&platform.origin, rules);
    let folder = Folder::new();
    let policy =
        opencomply(&proxy.origin, GATES).replace("    poll:", &format!("{settings}    poll:"));
    let policy = policy.replace("version: 1", &format!("version: 1\ndeadline: {deadline}"));
    folder.write("compliance-gate.yaml", &policy);
    let ended = folder.run(&["run", "--json", "gate.json", "--junit", "gate.xml"]);
    (ended, folder, platform, proxy)
}

fn json_answer(status: &str, headers: &str, body: &str) -> Fault {
    Fault::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn html_answer(status: &str, body: &str) -> Fault {
    Fault::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n{body}",
        body.len()
    ))
}

/// Two sources, the first of which is behind a proxy that holds its requests until it is released.
struct Held {
    platform: Platform,
    _proxy: Proxy,
    released: Arc<AtomicBool>,
    folder: Folder,
}

impl Held {
    /// `is_held` is the source behind the proxy, `base` the path of GravityZone's API.
    fn of(is_held: &str, base: &str) -> Self {
        let platform = Platform::start("healthy");
        let released = Arc::new(AtomicBool::new(false));
        let rules = rule("", 0, 1, Fault::Held(Arc::clone(&released)));
        let proxy = Proxy::start(&platform.origin, rules);
        let folder = Folder::new();
        let origin =
            |source: &str| if source == is_held { &proxy.origin } else { &platform.origin };
        let policy = opencomply(origin("opencomply"), &format!("{GATES}{CSPM}"));
        let cspm = format!("sources:\n  gravityzone: {{url: {}{base}}}\n", origin("gravityzone"));
        folder.write("compliance-gate.yaml", &policy.replace("sources:\n", &cspm));
        Self { platform, _proxy: proxy, released, folder }
    }

    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }

    /// Runs while `meanwhile` waits for what happens without the source that is held.
    fn run(&self, meanwhile: impl FnOnce(&Self)) -> Ended {
        std::thread::scope(|scope| {
            let run = scope.spawn(|| self.folder.run(&["run", "--json", "gate.json"]));
            meanwhile(self);
            self.release();
            run.join().unwrap()
        })
    }
}

const START: &str = "/baseline_security/run ";

#[test]
fn a_source_is_read_while_the_preflight_of_another_waits() {
    let held = Held::of("opencomply", "/v1");
    held.run(|held| held.platform.wait_for("GET /v1/cspm/checks")).exits(0);
    assert_eq!(held.platform.count(START), 1);
}

#[test]
fn nothing_is_started_while_the_preflight_of_another_source_waits() {
    let held = Held::of("gravityzone", "/v1");
    held.run(|held| {
        held.platform.wait_for("/run-history");
        assert_eq!(held.platform.count(START), 0, "{:#?}", held.platform.requests());
    })
    .says("waiting for the other sources")
    .exits(0);
    assert_eq!(held.platform.count(START), 1);
}

#[test]
fn nothing_is_started_or_used_where_another_source_turns_out_to_be_invalid() {
    let held = Held::of("gravityzone", "/no-api");
    held.run(|held| held.platform.wait_for("/run-history")).exits(2);
    assert_eq!(held.platform.count(START), 0);
    let report = held.folder.json("gate.json");
    let sources = report["sources"].as_array().unwrap();
    let opencomply = sources.iter().find(|source| source["name"] == "opencomply").unwrap();
    let message = "not evaluated, since the configuration of gravityzone is invalid";
    assert!(opencomply.to_string().contains(message), "{report}");
}

const STATUS: &str = "/job/compliance/";
const ALWAYS: usize = usize::MAX;

#[test]
fn what_passes_is_retried() {
    let faults = [
        Fault::Reset,
        Fault::LoseAnswer,
        Fault::CutBody,
        html_answer("502 Bad Gateway", "<html><title>502</title></html>"),
        html_answer("504 Gateway Time-out", "<html><title>504</title></html>"),
        json_answer("500 Internal Server Error", "", r#"{"message":"Internal Server Error"}"#),
        json_answer("429 Too Many Requests", "retry-after: 1\r\n", "{}"),
        json_answer("429 Too Many Requests", "", "{}"),
        json_answer("503 Service Unavailable", "", "{}"),
    ];
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let (ended, ..) = behind(rule(STATUS, 0, 2, fault), "");
                ended.exits(0);
            });
        }
    });
}

#[test]
fn an_answer_that_arrives_broken_once_is_read_again() {
    let faults = [
        json_answer("200 OK", "", ""),
        json_answer("200 OK", "", r#"{"job_id":136,"job_status":"SUCC"#),
        html_answer("200 OK", "<!doctype html><title>app</title>"),
        json_answer("520 Unknown", "", "{}"),
        html_answer("525 SSL Handshake Failed", "<html></html>"),
        html_answer("530 Origin DNS Error", "<html></html>"),
    ];
    std::thread::scope(|scope| {
        for path in ["/me", "/integrations", STATUS] {
            for fault in &faults {
                scope.spawn(move || {
                    let (ended, ..) = behind(rule(path, 0, 1, fault.clone()), "");
                    ended.exits(0);
                });
            }
        }
    });
}

#[test]
fn a_start_that_a_gateway_answers_is_not_sent_again() {
    let lost = html_answer("524 A Timeout Occurred", "<html></html>");
    let (ended, _, platform, proxy) = behind(rule("/baseline_security/run HTTP", 0, 1, lost), "");
    let sent = || proxy.heads().iter().filter(|head| head.contains("_security/run HTTP")).count();
    // The platform never saw it: its history has no such run, and only then it is sent once more.
    ended.exits(0);
    assert!(sent() <= 2 && platform.count("run-history") > 1);
}

#[test]
fn marks_and_halves_of_characters_do_not_matter() {
    let me = r#"{"api_key_name": "cut \ud83d", "user_id": "x", "role_name": "admin"}"#;
    let marked = format!("\u{feff}{me}");
    for body in [me, marked.as_str()] {
        let (ended, ..) = behind(rule("/me", 0, 1, json_answer("200 OK", "", body)), "");
        ended.does_not_say("surrogate").does_not_say("not JSON");
    }
}

#[test]
fn tokens_are_masked_in_every_encoding() {
    const TOKEN: &str = "k/V9&x+3\"w\\Zr8=uB2_pL";
    let escaped = serde_json::to_string(TOKEN).unwrap().trim_matches('"').replace('/', "\\/");
    let unicode: String = TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let split: String = TOKEN.chars().map(|c| format!("{c}\u{200b}")).collect();
    let split = serde_json::to_string(&split).unwrap();
    let html = TOKEN.replace('&', "&amp;").replace('"', "&quot;").replace('\\', "\\\\");
    let url: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let base64 = "ay9WOSZ4KzMid1xacjg9dUIyX3BM";
    let echoes = [&escaped, &unicode, split.trim_matches('"'), &html, &url, base64];
    let platform = Platform::start("healthy");
    for echo in echoes {
        for body in [format!(r#"{{"message": "no {echo} here"}}"#), format!("no {echo} here")] {
            let answer = json_answer("400 Bad Request", "", &body);
            let proxy = Proxy::start(&platform.origin, rule("run-history", 0, ALWAYS, answer));
            let folder = Folder::new();
            folder.write("compliance-gate.yaml", &opencomply(&proxy.origin, GATES));
            let mut command = folder.command(&["-v", "run", "--json", "gate.json"]);
            command.env("OPENCOMPLY_API_KEY", TOKEN);
            let ended = Ended::wait(command).exits(3);
            let report = folder.read("gate.json");
            assert!(report.contains("no ***"), "{echo}: {report}");
            for part in ["Zr8", "uB2_pL", "5Ar", "%5A%72", "u005a", "VIyX3BM"] {
                let all = format!("{}{}{report}", ended.stdout, ended.stderr);
                assert!(!all.contains(part), "{echo}: {part} in {all}");
            }
        }
    }
}

#[test]
fn a_repeated_key_is_refused() {
    let twice = r#"{"role": "viewer", "role": "admin"}"#;
    let (ended, ..) = behind(rule("/me", 0, ALWAYS, json_answer("200 OK", "", twice)), "");
    ended.exits(3).says("duplicate field `role`");
    // A reader that takes any key.
    let twice = r#"{"items": [{"type": "user", "action": "delete"}], "items": []}"#;
    let platform = Platform::start("healthy");
    let answer = json_answer("200 OK", "", twice);
    let proxy = Proxy::start(&platform.origin, rule("audit/logs", 0, ALWAYS, answer));
    let folder = Folder::new();
    let gates = "  - {id: changes, source: bigpanda, max: 0}\n";
    folder.write("compliance-gate.yaml", &bigpanda(&proxy.origin, "", gates));
    folder.run(&["run"]).exits(3).says("the key `items` is repeated");
}

/// Within 300 MB, shared libraries and stacks included.
#[cfg(unix)]
#[test]
fn no_answer_takes_a_lot_of_memory_or_time() {
    let elements = |element: &str| format!("{}{element}", format!("{element},").repeat(9_000_000));
    let bodies = [
        format!(r#"{{"items": [{}]}}"#, elements("{}")),
        format!(r#"{{"results": [{}]}}"#, elements("null")),
        format!("[{}]", elements("[]")),
        format!(r#"{{"message": [{}]}}"#, elements("\"\"")),
        "[".repeat(20_000_000),
        format!("\"{}\"", "x".repeat(60_000_000)),
        format!(r#"{{"job_status": "{}"}}"#, "%25\u{e4}".repeat(8_000_000)),
    ];
    for body in bodies {
        for path in ["/frameworks", STATUS, "/quick/scan/"] {
            let platform = Platform::start("healthy");
            let answer = json_answer("200 OK", "", &body);
            let proxy = Proxy::start(&platform.origin, rule(path, 0, ALWAYS, answer));
            let folder = Folder::new();
            let policy = opencomply(&proxy.origin, GATES).replace("version: 1", DEADLINE);
            folder.write("compliance-gate.yaml", &policy);
            let mut command = folder.command(&[]);
            // A debug build needs a few seconds of CPU time to read what has arrived; without the caps it
            // needs minutes, and is killed.
            let limited =
                format!("ulimit -v 400000; ulimit -t 40; exec {} run", crate::common::BINARY);
            let environment: Vec<_> =
                command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
            command = std::process::Command::new("sh");
            command.args(["-c", &limited]).current_dir(folder.path()).env_clear();
            command.envs(environment.into_iter().filter_map(|(k, v)| Some((k, v?))));
            let ended = Ended::wait(command);
            let part: String = body.chars().take(40).collect();
            assert!(matches!(ended.code, Some(0 | 2 | 3)), "{path} {part}: {ended:?}");
        }
    }
}

#[test]
fn what_no_gate_needs_does_not_use_up_the_deadline() {
    std::thread::scope(|scope| {
        for (path, missing) in [("/benchmarks/controls", false), ("/quick/scan/", true)] {
            scope.spawn(move || {
                let platform = Platform::start("healthy");
                let proxy = Proxy::start(&platform.origin, rule(path, 0, ALWAYS, Fault::Stall));
                let folder = Folder::new();
                let policy = opencomply(&proxy.origin, GATES).replace("version: 1", DEADLINE);
                folder.write("compliance-gate.yaml", &policy);
                folder.run(&["run", "--json", "gate.json"]).exits(0);
                let part = &folder.json("gate.json")["sources"][0]["parts"][0];
                assert_eq!(part["evaluated"], 561, "{part}");
                assert_eq!(part["findings_missing"]["cause"] == "deadline", missing, "{part}");
            });
        }
    });
}

#[test]
fn what_stays_ends_in_its_own_code() {
    let cases = [
        (json_answer("503 Service Unavailable", "", "{}"), 5, "503"),
        (json_answer("500 Internal Server Error", "", r#"{"message":"x"}"#), 5, "500"),
        (
            json_answer("429 Too Many Requests", "retry-after: 86400\r\n", "{}"),
            5,
            "past the deadline",
        ),
        (html_answer("502 Bad Gateway", "<html></html>"), 5, "502"),
        (Fault::Reset, 5, "the platform did not answer from"),
        (html_answer("401 Unauthorized", "<html><title>401</title></html>"), 4, "401"),
        (
            json_answer("406 Not Acceptable", "", r#"{"message":"missing required permission"}"#),
            4,
            "missing required permission",
        ),
        (html_answer("200 OK", "<!doctype html><title>app</title>"), 3, "HTML page"),
        (json_answer("200 OK", "", ""), 3, "empty"),
        (json_answer("200 OK", "", r#"{"job_id":136,"job_status":"SUCC"#), 3, "ends too early"),
        (json_answer("200 OK", "", r#"{"job_id":136,"job_status":7}"#), 3, "job_status"),
        (
            json_answer(
                "200 OK",
                "",
                r#"{"job_id":136,"job_status":"SUCCEEDED","incidents":{"summary":{"ok":"409"}}}"#,
            ),
            3,
            "incidents.summary.ok",
        ),
        (
            json_answer("302 Found", "location: https://elsewhere.example.com/\r\n", ""),
            3,
            "not followed",
        ),
    ];
    std::thread::scope(|scope| {
        for (fault, code, words) in cases {
            scope.spawn(move || {
                // What passes by itself is waited for until the deadline.
                let rules = rule(STATUS, 1, ALWAYS, fault);
                let (ended, folder, ..) = behind_within("25s", rules, "");
                ended.exits(code).says(words).does_not_say("test-token");
                assert_eq!(folder.json("gate.json")["exit_code"], code);
                assert!(folder.read("gate.xml").contains("<error"));
            });
        }
    });
}

#[test]
fn a_stalled_answer_ends_with_the_request_timeout() {
    let cases =
        [(Fault::Stall, ALWAYS, 5), (Fault::StallBody, ALWAYS, 5), (Fault::StallBody, 1, 0)];
    at_once(cases, |(fault, times, code)| {
        // Long enough for a healthy answer of a loaded machine.
        let (ended, ..) = behind(rule("/me", 0, times, fault), "    request_timeout: 1s\n");
        let ended = ended.exits(code);
        if code != 0 {
            ended.says("within 1s");
        }
    });
}

#[test]
fn a_lost_start_is_found_and_not_sent_again() {
    at_once([Fault::LoseAnswer, Fault::CutBody], |fault| {
        let (ended, _, platform, _) = behind(rule("/baseline_security/run HTTP", 0, 1, fault), "");
        ended.exits(0).says("561 checks evaluated");
        assert_eq!(platform.count("/baseline_security/run "), 1);
    });
}

#[test]
fn a_start_that_never_arrived_is_sent_once_more() {
    let (ended, _, platform, proxy) =
        behind(rule("/baseline_security/run HTTP", 0, 1, Fault::Reset), "");
    ended.exits(0);
    assert_eq!(platform.count("/baseline_security/run "), 1);
    let sent =
        proxy.heads().iter().filter(|head| head.contains("/baseline_security/run HTTP")).count();
    assert_eq!(sent, 2);
    let (ended, ..) = behind(rule("/baseline_security/run HTTP", 0, ALWAYS, Fault::Reset), "");
    ended.exits(5);
}

#[test]
fn a_platform_that_dies_while_polling_ends_the_run() {
    let mut platform = Platform::of(r#"{"opencomply": {"job": {"ends": "NEVER"}}}"#);
    let folder = Folder::new();
    let policy =
        opencomply(&platform.origin, GATES).replace("version: 1", "version: 1\ndeadline: 25s");
    folder.write("compliance-gate.yaml", &policy);
    std::thread::scope(|scope| {
        let run =
            scope.spawn(|| folder.run(&["run", "--json", "gate.json", "--sarif", "gate.sarif"]));
        platform.wait_for(STATUS);
        platform.kill();
        run.join().unwrap().exits(5);
    });
    assert_eq!(folder.json("gate.json")["verdict"], "unreachable");
    assert_eq!(
        folder.json("gate.sarif")["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
}

#[test]
fn a_platform_that_dies_between_pages_ends_the_run() {
    at_once([Fault::Reset, Fault::CutBody], |fault| {
        let platform = Platform::start("estate");
        let proxy = Proxy::start(&platform.origin, rule("page_cursor", 2, ALWAYS, fault));
        let folder = Folder::new();
        folder.write(
            "compliance-gate.yaml",
            &gravityzone(&proxy.origin, "    page_limit: 50\n", CSPM),
        );
        folder.run(&["run", "--json", "gate.json"]).exits(5).says("cspm/checks");
        assert_eq!(folder.json("gate.json")["evidence_complete"], false);
    });
}

#[test]
fn a_page_that_leads_elsewhere_is_not_followed() {
    let platform = Platform::of(r#"{"gravityzone": {"foreign_next": "http://127.0.0.1:9"}}"#);
    let folder = Folder::new();
    folder.write(
        "compliance-gate.yaml",
        &gravityzone(&platform.origin, "    page_limit: 20\n", CSPM),
    );
    folder.run(&["run"]).exits(3).says("another origin");
}

#[test]
fn tokens_go_to_their_platform_and_nowhere_else() {
    let platform = Platform::start("healthy");
    let echo =
        json_answer("400 Bad Request", "", r#"{"message":"bad token test-token-of-opencomply"}"#);
    let proxy = Proxy::start(&platform.origin, rule("run-history", 0, ALWAYS, echo));
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&proxy.origin, GATES));
    folder
        .run(&["-v", "run", "--json", "gate.json", "--junit", "gate.xml", "--sarif", "gate.sarif"])
        .exits(3)
        .says("bad token ***")
        .does_not_say("test-token");
    for report in ["gate.json", "gate.xml", "gate.sarif"] {
        assert!(!folder.read(report).contains("test-token"), "{report}");
    }
    let heads = proxy.heads();
    assert!(
        heads.iter().all(|head| head.contains("Bearer test-token-of-opencomply")
            || head.contains("bearer test-token-of-opencomply")),
        "{heads:?}"
    );
    assert!(heads.iter().all(|head| !head.contains("gravityzone")));
}

#[cfg(unix)]
mod signals {
    use super::*;
    use crate::common::wait_until;
    use std::process::Command;
    use std::time::Instant;

    fn interrupted(signal: &str, code: i32, scenario: &str) -> (Folder, Platform) {
        let platform = Platform::start(scenario);
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
        let started = Instant::now();
        let child =
            folder.command(&["run", "--json", "gate.json", "--junit", "gate.xml"]).spawn().unwrap();
        platform.wait_for(STATUS);
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        Ended::of(child.wait_with_output().unwrap(), started).exits(code);
        assert_eq!(folder.json("gate.json")["exit_code"], code);
        assert!(folder.read("gate.xml").contains("<error"));
        (folder, platform)
    }

    #[test]
    fn an_interrupt_cancels_what_was_started() {
        let signals = [("-INT", 130), ("-TERM", 143), ("-HUP", 129), ("-QUIT", 131)];
        at_once(signals, |(signal, code)| {
            let (_, platform) = interrupted(signal, code, "stuck");
            let cancel = "POST /main/schedule/api/v3/jobs/cancel 200";
            platform.wait_for(cancel);
            assert_eq!(platform.count(cancel), 1);
        });
    }

    #[test]
    fn an_interrupt_leaves_alone_what_was_joined() {
        let (_, platform) = interrupted("-INT", 130, "joinable");
        assert_eq!(platform.count("cancel"), 0);
    }

    #[test]
    fn cleaning_up_ends_with_the_deadline() {
        let platform = Platform::start("stuck");
        let released = Arc::new(AtomicBool::new(false));
        let held = Fault::Held(Arc::clone(&released));
        let proxy = Proxy::start(&platform.origin, rule("cancel", 0, ALWAYS, held));
        let folder = Folder::new();
        let policy = opencomply(&proxy.origin, GATES).replace("version: 1", DEADLINE);
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["run"]).exits(3);
        assert_eq!(proxy.heads().iter().filter(|head| head.contains("jobs/cancel")).count(), 1);
        // The run did not wait for the answer: the request is still held, and goes on only now.
        released.store(true, Ordering::Relaxed);
        platform.wait_for("jobs/cancel");
    }

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next() {
        let platform = Platform::start("stuck");
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
        let arguments = ["run", "--json", "gate.json", "--junit", "gate.xml"];
        let left = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            entries
                .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"))
                .count()
        };
        let mut killed = folder.command(&arguments).spawn().unwrap();
        platform.wait_for(STATUS);
        std::thread::sleep(Duration::from_millis(1100));
        // A run at the same time keeps its files.
        let mut other = folder.command(&["run", "--sarif", "gate.sarif"]).spawn().unwrap();
        while left() < 3 {
            std::thread::sleep(Duration::from_millis(10));
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(left(), 3);
        let policy = opencomply("http://127.0.0.1:9", GATES)
            .replace("version: 1", "version: 1\ndeadline: 1s");
        folder.write("next.yaml", &policy);
        folder.run(&["run", "--config", "next.yaml", "--json", "gate.json"]).exits(5);
        assert_eq!(left(), 1);
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_reader_that_leaves_early_changes_no_exit_code() {
        let platform = Platform::start("healthy");
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
        for arguments in [&["run"][..], &["run", "--json", "-"], &["demo"], &["policy", "schema"]] {
            let mut child = folder.command(arguments).spawn().unwrap();
            drop(child.stdout.take());
            assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
        }
    }

    #[test]
    fn a_second_signal_exits_at_once() {
        let platform = Platform::start("stuck");
        let proxy = Proxy::start(&platform.origin, rule("cancel", 0, ALWAYS, Fault::Stall));
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &opencomply(&proxy.origin, GATES));
        let mut child = folder.command(&["run", "--json", "gate.json"]).spawn().unwrap();
        platform.wait_for(STATUS);
        let kill =
            || Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        kill();
        wait_until("the cancellation", || proxy.heads().iter().any(|head| head.contains("cancel")));
        kill();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        // It did not wait for the answer and then report, as after the first signal.
        assert!(!folder.path().join("gate.json").exists());
    }
}

/// Names are resolved by the system, which cannot be interrupted.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod names {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    /// In place of the system's function: a name server that never answers, and says that it was
    /// asked.
    const NEVER: &str = r#"
        #include <fcntl.h>
        #include <unistd.h>
        int getaddrinfo(const char *a, const char *b, const void *c, void *d) {
            close(open("asked", O_CREAT | O_WRONLY, 0600));
            sleep(120);
            return -3;
        }
    "#;

    fn unresolved(deadline: &str) -> (Folder, Command) {
        let folder = Folder::new();
        let policy = gravityzone("https://compliance.example.com", "", CSPM);
        let policy = policy.replace("version: 1", &format!("version: 1\ndeadline: {deadline}"));
        folder.write("compliance-gate.yaml", &policy).write("never.c", NEVER);
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o", "never.so", "never.c"]);
        assert!(compiler.current_dir(folder.path()).status().unwrap().success());
        let mut command = folder.command(&["run", "--json", "gate.json"]);
        command.env("LD_PRELOAD", folder.path().join("never.so"));
        (folder, command)
    }

    #[test]
    fn a_name_server_that_never_answers_does_not_hold_up_the_deadline() {
        let (folder, command) = unresolved("2s");
        let ended = Ended::wait(command).exits(3).says("the deadline passed");
        assert!(folder.path().join("asked").exists());
        assert_eq!(folder.json("gate.json")["exit_code"], 3);
        assert!(ended.took < Duration::from_secs(8), "took {:?}", ended.took);
    }

    #[test]
    fn a_name_server_that_never_answers_does_not_hold_up_signals() {
        let (folder, mut command) = unresolved("45m");
        let child = command.spawn().unwrap();
        let asked = folder.path().join("asked");
        crate::common::wait_until("the name to be asked for", || asked.exists());
        let signalled = Instant::now();
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        Ended::of(child.wait_with_output().unwrap(), signalled).exits(143);
        assert!(signalled.elapsed() < Duration::from_secs(6), "{:?}", signalled.elapsed());
    }
}
