//! The token, however a platform echoes it: in any field, header, header's name, reason or redirect of
//! an answer, it is in no output of any command.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use compliance_gate::evidence::Outcome;
use compliance_gate::report::{EVIDENCE, FORMATS};
use serde_json::{Value, json};

use crate::common::estate::Scene;
use crate::common::mutation::{Collected, Red};
use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{DOCUMENTED, Ended, Folder, Platform, at_once};
use crate::mutations::{
    bigid, bigpanda, gravityzone, opencomply, sysdig_events, sysdig_images, sysdig_posture,
};

/// A token with characters that every encoding changes.
const CANARY: &str = "kV9&x/Tq+3\"w\\Zr8=uB2_p-L";

/// The token in the encodings in which platforms echo requests.
fn echoes() -> Vec<String> {
    let all = |code: &dyn Fn(u8) -> String| CANARY.bytes().map(code).collect::<String>();
    vec![
        CANARY.to_owned(),
        BASE64_STANDARD.encode(CANARY),
        BASE64_URL_SAFE.encode(format!("user:{CANARY}")),
        all(&|byte| format!("{byte:02x}")),
        all(&|byte| format!("%{byte:02X}")),
        serde_json::to_string(CANARY).unwrap().trim_matches('"').replace('/', "\\/"),
        all(&|byte| format!("\\u{byte:04x}")),
        all(&|byte| format!("&#{byte};")),
        CANARY.replace('&', "&amp;").replace('"', "&quot;"),
        all(&|byte| format!("{}\u{200b}", byte as char)),
    ]
}

/// The answer with the token in a text, instead of a value, and as a further key.
fn with_canary(answer: &Value, pointer: &str) -> Vec<(&'static str, Value)> {
    let echoes = echoes().join(" ");
    let with = |new: Value| {
        let mut answer = answer.clone();
        *answer.pointer_mut(pointer).unwrap() = new;
        answer
    };
    let mut all = vec![("instead", with(json!(echoes)))];
    match answer.pointer(pointer).unwrap() {
        Value::String(text) => all.push(("within", with(json!(format!("{text} {echoes}"))))),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert(echoes, json!([]));
            all.push(("key", with(Value::Object(fields))));
        }
        _ => {}
    }
    all
}

/// Parts of the encodings, by which a token is found that was cut or wrapped.
fn traces() -> Vec<String> {
    let trace = |echo: String| {
        let plain: String = echo.chars().filter(|c| *c != '\u{200b}').collect();
        let length = if plain == CANARY { 6 } else { 16 };
        let middle = (plain.len() - length) / 2;
        [0, middle, plain.len() - length].map(|at| plain[at..at + length].to_owned())
    };
    let all: BTreeSet<String> = echoes().into_iter().flat_map(trace).collect();
    all.into_iter().filter(|trace| !"user:".starts_with(&**trace)).collect()
}

#[tokio::test]
async fn the_token_in_any_field_is_masked_in_every_report() {
    no_report_shows_the_token([gravityzone(), bigid(), bigpanda(), sysdig_events()]).await;
}

#[tokio::test]
#[ignore = "takes minutes; tests/conformance/run faults"]
async fn the_token_in_any_field_of_larger_answers_is_masked_in_every_report() {
    no_report_shows_the_token([opencomply(), sysdig_posture(), sysdig_images()]).await;
}

async fn no_report_shows_the_token<const N: usize>(systems: [Red; N]) {
    let traces = traces();
    let check = |red: &Red, label: &str, collected: &Collected| {
        let outcome = match collected {
            Ok(outcome) => outcome.clone(),
            Err(problems) => Outcome {
                problems: problems.clone(),
                ..Outcome::of_failure(red.system.to_owned(), String::new(), problems[0].clone())
            },
        };
        let scene = Scene::new(vec![red.gate.clone()], vec![outcome]);
        let formats = FORMATS.iter().chain([&EVIDENCE]);
        let reports = formats.map(|format| (format.name, scene.render(format.name)));
        for (name, text) in reports.chain([("terminal", scene.read())]) {
            for trace in &traces {
                assert!(!text.contains(&**trace), "{label}: {trace} in {name}");
            }
        }
    };
    for red in systems {
        // One entry of each list is enough: here it does not matter what it means.
        let red = Red { entries: 1, named: &[], ..red };
        let changes = red.each_change(CANARY, with_canary, |label, all| check(&red, label, all));
        assert!(changes.await > 20);
    }
}

/// Answers that carry the token where no reader of JSON looks.
fn heads() -> Vec<Fault> {
    let echoes = echoes();
    let named = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let names = echoes.iter().filter(|text| named(text)).map(|text| format!("x-{text}: 1\r\n"));
    let values = echoes.iter().enumerate().map(|(at, echo)| format!("x-request-{at}: {echo}\r\n"));
    let headers: String = names.chain(values).collect();
    let all = echoes.join(" ");
    let known = format!(
        "server: {all}\r\nretry-after: {all}\r\nx-request-id: {all}\r\n\
         www-authenticate: Bearer error=\"{all}\"\r\nset-cookie: s={all}\r\n{headers}"
    );
    let body = format!("<html><title>{all}</title>{all}");
    let length = body.len();
    let answer = |line: &str, more: &str| {
        Fault::Answer(format!(
            "HTTP/1.1 {line}\r\n{more}{known}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    };
    let url = &echoes[4];
    vec![
        Fault::Headers(known.clone()),
        answer(&format!("400 {all}"), ""),
        answer(&format!("401 {all}"), ""),
        answer(&format!("418 {all}"), ""),
        answer(&format!("503 {all}"), ""),
        answer("200 OK", &format!("content-type: {all}\r\n")),
        answer("302 Found", &format!("location: https://example.com/{url}?{CANARY}\r\n")),
        answer("307 Temporary Redirect", &format!("location: /{url}\r\n")),
        answer("302 Found", &format!("location: {all}\r\n")),
    ]
}

#[test]
fn the_token_in_any_header_or_status_line_is_in_no_output() {
    let platform = Platform::start("blocked");
    let traces = traces();
    let systems = [
        ("opencomply", "", DOCUMENTED, "OPENCOMPLY_API_KEY"),
        ("gravityzone", "/v1", "", "GRAVITYZONE_API_KEY"),
        ("bigid", "", "", "BIGID_TOKEN"),
        ("bigpanda", "", "", "BIGPANDA_API_KEY"),
        ("sysdig", "", "    posture: {}\n", "SYSDIG_API_TOKEN"),
        ("sysdig", "", "    events: {window: 24h}\n", "SYSDIG_API_TOKEN"),
    ];
    let is_masked = AtomicBool::new(false);
    at_once(heads(), |fault| {
        for (system, path, settings, variable) in systems {
            let rule = Rule { path: "", skip: 0, times: usize::MAX, fault: fault.clone() };
            let proxy = Proxy::start(&platform.origin, vec![rule]);
            let folder = Folder::new();
            let policy = format!(
                "version: 1\ndeadline: 3s\nsources:\n  {system}:\n    url: {}{path}\n{settings}gates:\n  \
                 - {{id: none, source: {system}, max: 0}}\n",
                proxy.origin
            );
            folder.write("compliance-gate.yaml", &policy);
            let mut run = vec!["run", "--save-evidence", "saved.jsonl", "--record", "record.jsonl"];
            run.extend(["--attestation", "attestation"]);
            let files: Vec<_> = FORMATS
                .iter()
                .map(|row| [format!("--{}", row.name), row.name.to_owned()])
                .collect();
            run.extend(files.iter().flatten().map(String::as_str));
            let previous = ["run", "--previous", "saved.jsonl", "--json", "second"];
            for arguments in [&run[..], &previous, &["doctor"], &["list", "rules"]] {
                let mut command = folder.command(arguments);
                command.env(variable, CANARY);
                let Ended { stdout, stderr, .. } = Ended::wait(command);
                let mut outputs =
                    vec![("stdout".to_owned(), stdout), ("stderr".to_owned(), stderr)];
                for at in [folder.path().to_owned(), folder.path().join("attestation")] {
                    let entries = std::fs::read_dir(at).into_iter().flatten().map(Result::unwrap);
                    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
                    outputs.extend(files.map(|path| {
                        let text = std::fs::read(&path).unwrap();
                        (path.display().to_string(), String::from_utf8_lossy(&text).into_owned())
                    }));
                }
                for (name, text) in outputs {
                    is_masked.fetch_or(text.contains("***"), Ordering::Relaxed);
                    let trace = traces.iter().find(|trace| text.contains(&***trace));
                    let command = arguments[0];
                    assert!(
                        trace.is_none(),
                        "{system} {command}, {fault:?}: {trace:?} in {name}\n{text}"
                    );
                }
            }
        }
    });
    assert!(is_masked.into_inner(), "no answer was quoted");
}
