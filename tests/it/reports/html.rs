//! The page, as a browser takes it apart.

use crate::common::estate;

/// Every tag, with its attributes.
fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("every tag ends");
        let (tag, after) = rest.split_at(end);
        rest = &after[1..];
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut pairs = Vec::new();
        // Attributes without a value come last.
        let mut attributes = attributes;
        if let Some(rest) = ["hidden", "open"].iter().find_map(|word| attributes.strip_suffix(word))
        {
            attributes = rest;
        }
        while let Some((key, value)) = attributes.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("values are quoted");
            pairs.push((key.trim().to_owned(), value.to_owned()));
            attributes = after;
        }
        assert_eq!(attributes.trim(), "", "in <{tag}>");
        tags.push((name.to_owned(), pairs));
        for raw in ["style", "script"] {
            if name == raw {
                rest = &rest[rest.find(&format!("</{raw}>")).expect("it ends")..];
            }
        }
    }
    tags
}

/// Balanced, only what we write, nothing that loads or runs, and links only to the page itself and to
/// web addresses.
pub fn assert_inert(html: &str) {
    const KNOWN: &[&str] = &[
        "html", "head", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "b",
        "code", "em", "small", "span", "main", "section", "div", "ul", "ol", "li", "dl", "dt",
        "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "button", "label", "details",
        "summary", "a", "script",
    ];
    const ATTRIBUTES: &[&str] = &[
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "id",
        "class",
        "tabindex",
        "aria-hidden",
        "aria-label",
        "aria-pressed",
        "role",
        "scope",
        "type",
        "autocomplete",
        "spellcheck",
        "placeholder",
        "hidden",
        "open",
        "href",
        "rel",
        "data-of",
        "data-facet",
        "data-value",
        "data-weight",
        "data-severity",
        "data-source",
        "data-gate",
        "data-account",
        "data-owner",
        "data-name",
    ];
    let body = html.strip_prefix("<!doctype html>").expect("no quirks");
    let mut open: Vec<String> = Vec::new();
    for (name, attributes) in tags(body) {
        for (key, value) in &attributes {
            assert!(ATTRIBUTES.contains(&&**key), "{key} of <{name}>");
            let leads = key != "href"
                || ["#rule-", "https://", "http://"].iter().any(|s| value.starts_with(s));
            assert!(leads, "{value}");
        }
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None if matches!(&*name, "meta" | "input" | "br") => {}
            None => {
                assert!(KNOWN.contains(&&*name), "<{name}>");
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

#[test]
fn the_browser_may_run_only_what_the_hashes_name() {
    use base64::Engine;
    use sha2::Digest;
    let html = estate::blocked().render("html");
    assert_inert(&html);
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for element in ["style", "script"] {
        let text = between(&html, &format!("<{element}>"), &format!("</{element}>"));
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text));
        assert!(policy.contains(&format!("{element}-src 'sha256-{hash}'")), "{element}: {policy}");
        for word in ["http:", "https:", "//", "@import", "url(", "fetch", "eval", "innerHTML"] {
            assert!(!text.contains(word), "{word} in the {element}");
        }
    }
    assert_eq!(html.matches("<script").count(), 1);
}

#[test]
fn every_run_can_be_opened_and_says_what_happened() {
    for (scene, words) in [
        (estate::passed(), "Passed: all 3 gates hold"),
        (estate::blocked(), "Deploy blocked by 1 of 4 gates"),
        (estate::inconclusive(), "Not decided: opencomply: job 136"),
        (estate::forgiven(), "Passed with 2 warnings"),
        (estate::interrupted(), "Terminated: the CI host ended the run"),
        (estate::window(), "Passed: the gate holds"),
    ] {
        let html = scene.render("html");
        assert_inert(&html);
        assert!(between(&html, "</span> ", "</h1>").starts_with(words), "{words}");
    }
    let blocked = estate::blocked().render("html");
    assert_eq!(blocked.matches("<li data-gate=").count(), 64);
    assert!(estate::inconclusive().render("html").contains("Next: look at the job"));
}

#[test]
fn rows_that_are_left_out_are_counted() {
    let html = estate::big(50_002).render("html");
    assert_eq!(html.matches("<li data-gate=").count(), 50_000);
    assert!(html.contains("and 2 more findings; the JSON report"));
}
