//! Markdown, as a pull request and a job's summary show it.

use std::path::Path;

use compliance_gate::policy::Mode;
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::common::estate::{self, Scene};

fn warned() -> Scene {
    let mut scene = estate::blocked();
    scene.policy.gates.remove(0);
    scene
}

/// What each run looks like; `UPDATE_GOLDEN=1` writes it down anew.
#[test]
fn each_verdict_looks_as_it_was_agreed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reports/golden");
    let mut observed = estate::blocked();
    observed.policy.mode = Mode::Observe;
    for (name, scene) in [
        ("passed", estate::passed()),
        ("warned", warned()),
        ("blocked", estate::blocked()),
        ("inconclusive", estate::inconclusive()),
        ("observed", observed),
    ] {
        let path = folder.join(format!("{name}.md"));
        let markdown = scene.render("markdown");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &markdown).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert!(markdown == golden, "{name}.md is now\n{markdown}");
        assert_inert(&markdown);
    }
}

#[test]
fn a_comment_is_never_too_long_and_says_what_was_left_out() {
    for findings in [100, 25_001] {
        let markdown = estate::big(findings).render("markdown");
        assert!(markdown.len() <= 60_000, "{} bytes", markdown.len());
        assert_eq!(markdown.contains("more findings; `--json FILE`"), findings > 100);
        assert_inert(&markdown);
    }
    let mut many = estate::blocked();
    let gate = many.policy.gates[0].clone();
    many.policy.gates = (0..3_000)
        .map(|number| {
            let mut gate = gate.clone();
            gate.id = format!("gate-{number}");
            gate
        })
        .collect();
    let markdown = many.render("markdown");
    assert!(markdown.len() <= 60_000 && markdown.contains("more gates"), "{}", markdown.len());
    assert_inert(&markdown);
}

#[test]
fn what_is_listed_and_what_is_left_out_are_everything() {
    let markdown = estate::big(4_000).render("markdown");
    let rows = markdown.lines().filter(|line| line.contains("arn:aws:service")).count();
    let visible = markdown.lines().filter(|line| line.starts_with("  - ") && line.contains("arn:"));
    let listed = rows - visible.count();
    let left_out = markdown.split("and ").last().unwrap().split(' ').next().unwrap();
    let left_out: usize = left_out.replace(',', "").parse().unwrap();
    assert_eq!(listed + left_out, 4_000);
}

/// No link but to a web address and under our own title, no picture, no markup but ours, nothing that a host makes a mention of, and every
/// part closed.
pub fn assert_inert(markdown: &str) {
    const OURS: &[&str] = &["<code>", "</code>", "<br>", "<details>", "</details>"];
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let (mut open, mut in_code, mut cells) = (0, false, 0);
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let is_web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
                let ours = ["open", "about it"].map(|title| format!("[{title}](<{dest_url}>)"));
                assert!(is_web && ours.iter().any(|link| markdown.contains(link)), "{dest_url}");
            }
            Event::Start(Tag::Image { .. } | Tag::CodeBlock(_)) => {
                panic!("{event:?} in\n{markdown}")
            }
            Event::Start(Tag::Strikethrough | Tag::Emphasis) => panic!("{event:?} in\n{markdown}"),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(pulldown_cmark::TagEnd::TableRow | pulldown_cmark::TagEnd::TableHead) => {
                assert_eq!(cells, 4, "{markdown}");
            }
            Event::InlineHtml(html) | Event::Html(html) => {
                let html = html.trim();
                in_code = html == "<code>" || (in_code && html != "</code>");
                open += i32::from(html.starts_with("<details>"));
                open -= i32::from(html == "</details>");
                let summary = html
                    .strip_prefix("<details><summary>")
                    .and_then(|rest| rest.strip_suffix("</summary>"));
                let is_marker = html
                    .strip_prefix("<!-- compliance-gate:")
                    .and_then(|rest| rest.strip_suffix(" -->"))
                    .is_some_and(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let is_summary = summary.is_some_and(|words| !words.contains(['<', '>', '&']));
                assert!(is_marker || is_summary || OURS.contains(&html), "{html:?} in\n{markdown}");
            }
            Event::Text(text) if !in_code => {
                let next = |at: usize, sign: char| {
                    text[at + 1..].starts_with(|c: char| sign != '.' && c.is_alphanumeric())
                };
                for (at, sign) in text.match_indices(['@', '#', '!', '$', '~']) {
                    let sign = sign.chars().next().unwrap();
                    assert!(!next(at, sign), "{text:?} in\n{markdown}");
                }
                assert!(!text.contains("://") && !text.contains("www."), "{text:?}");
            }
            _ => {}
        }
    }
    assert_eq!(open, 0, "a part is left open in\n{markdown}");
    // GitHub looks for addresses also in code that was written as HTML, behind some entities too.
    for code in markdown.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next()) {
        let word = |c: char| c.is_alphanumeric();
        let mail = code.split_once("&#64;").is_some_and(|(_, after)| after.starts_with(word));
        assert!(!mail && !code.contains([':', '.', '@']), "{code}");
    }
}
