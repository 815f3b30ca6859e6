//! The set-up of the machine that the gate runs on: certificates, proxies, names, schemes. A fault
//! in it is never taken for an outage of the platform.

use crate::common::tls::{Authority, TlsServer};
use crate::common::{Ended, Folder, Platform, opencomply};

const GATES: &str = "  - {id: budget, source: opencomply, max: 160}\n";

/// A folder with a policy for this origin, which would forgive an outage.
fn folder(origin: &str, settings: &str) -> Folder {
    let folder = Folder::new();
    let policy = opencomply(origin, GATES).replace("    poll:", &format!("{settings}    poll:"));
    folder.write("compliance-gate.yaml", &policy);
    folder
}

fn run(folder: &Folder, variables: &[(&str, &str)]) -> Ended {
    let mut command = folder.command(&["run", "--json", "gate.json"]);
    command.envs(variables.iter().copied());
    Ended::wait(command)
}

/// One try, exit 2, and these words.
#[track_caller]
fn is_set_up_fault(ended: Ended, words: &[&str]) {
    let ended = ended.exits(2).does_not_say("after 6 tries").does_not_say("test-token");
    words.iter().fold(ended, |ended, word| ended.says(word));
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_an_outage() {
    let platform = Platform::start("healthy");
    let authority = Authority::new();
    let server = TlsServer::start(&platform.origin, &authority.certify("localhost"), None);
    let folder = folder(&server.origin, "");
    is_set_up_fault(run(&folder, &[]), &["is not trusted", "`ca_file`", "ca-certificates"]);
    assert_eq!(server.connections(), 1);
    let report = folder.json("gate.json");
    assert_eq!(report["sources"][0]["troubles"][0]["cause"], "setup", "{report}");
}

#[test]
fn the_authority_in_ca_file_is_trusted() {
    let platform = Platform::start("healthy");
    let authority = Authority::new();
    let server = TlsServer::start(&platform.origin, &authority.certify("localhost"), None);
    let folder = folder(&server.origin, "    ca_file: ca.pem\n");
    folder.write("ca.pem", &authority.pem());
    run(&folder, &[]).exits(0);
}

#[test]
fn a_certificate_of_another_host_is_not_an_outage() {
    let authority = Authority::new();
    let identity = authority.certify("other.example.com");
    let server = TlsServer::start("http://127.0.0.1:9", &identity, None);
    let folder = folder(&server.origin, "    ca_file: ca.pem\n");
    folder.write("ca.pem", &authority.pem());
    is_set_up_fault(run(&folder, &[]), &["certificate is not for localhost", "`url`"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_asks_for_a_client_certificate_is_not_an_outage() {
    let authority = Authority::new();
    let identity = authority.certify("localhost");
    let server = TlsServer::start("http://127.0.0.1:9", &identity, Some(&authority));
    let folder = folder(&server.origin, "    ca_file: ca.pem\n");
    folder.write("ca.pem", &authority.pem());
    is_set_up_fault(run(&folder, &[]), &["client's certificate", "`client_cert`", "`client_key`"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_certificate_is_shown_to_the_server() {
    let platform = Platform::start("healthy");
    let authority = Authority::new();
    let identity = authority.certify("localhost");
    let server = TlsServer::start(&platform.origin, &identity, Some(&authority));
    let client = "    ca_file: ca.pem\n    client_cert: client.pem\n    client_key: client.key\n";
    let folder = folder(&server.origin, client);
    let own = authority.certify("gate.example.com");
    folder.write("ca.pem", &authority.pem());
    folder.write("client.pem", &own.certificate).write("client.key", &own.key);
    run(&folder, &[]).exits(0);
    folder
        .write("client.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
    is_set_up_fault(run(&folder, &[]).does_not_say("c2VjcmV0"), &["client_key"]);
    let half = self::folder(&server.origin, "    client_key: client.key\n");
    is_set_up_fault(run(&half, &[]), &["`client_cert` and `client_key` are only used together"]);
}

#[test]
fn servers_that_cannot_speak_tls_are_not_outages() {
    // The alert `protocol_version` of TLS 1.0.
    let old = TlsServer::answering(&[0x15, 3, 1, 0, 2, 2, 70]);
    is_set_up_fault(run(&folder(&old.origin, ""), &[]), &["no TLS version", "TLS 1.2"]);
    assert_eq!(old.connections(), 1);
    let refusing = TlsServer::answering(&[0x15, 3, 3, 0, 2, 2, 40]);
    is_set_up_fault(run(&folder(&refusing.origin, ""), &[]), &["refused the TLS handshake"]);
    let platform = Platform::start("healthy");
    let https = platform.origin.replace("http://127.0.0.1", "https://localhost");
    is_set_up_fault(run(&folder(&https, ""), &[]), &["does not speak https", "`http://`"]);
    let plain = TlsServer::answering(
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 48\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    );
    let http = plain.origin.replace("https", "http");
    is_set_up_fault(run(&folder(&http, ""), &[]), &["expects https", "`https://`"]);
    assert_eq!(plain.connections(), 1);
}

#[test]
fn plain_http_needs_no_certificate_store() {
    let none = [("SSL_CERT_FILE", "/none"), ("SSL_CERT_DIR", "/none")];
    let platform = Platform::start("healthy");
    run(&folder(&platform.origin, ""), &none).exits(0);
    let folder = folder("https://127.0.0.1:9", "");
    is_set_up_fault(run(&folder, &none), &["no certificate store", "ca-certificates", "`ca_file`"]);
}

#[test]
fn a_proxy_that_asks_for_a_login_is_asked_once() {
    let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 62\r\n\r\n\
        you sent: Proxy-Authorization: Basic bWU6cGFzcy13b3Jk, pass-word";
    let proxy = TlsServer::answering(answer);
    let named = proxy.origin.replace("https://", "http://me:pass-word@");
    for (url, settings, variable) in [
        ("https://platform.example.com", "", "HTTPS_PROXY"),
        ("http://platform.example.com", "    allow_http: true\n", "HTTP_PROXY"),
        ("https://platform.example.com", "", "all_proxy"),
    ] {
        let before = proxy.connections();
        let ended = run(&folder(url, settings), &[(variable, &named)]);
        let ended = ended.does_not_say("bWU6cGFzcy13b3Jk").does_not_say("pass-word");
        let shown = format!("the proxy {}", proxy.origin.replace("https", "http"));
        is_set_up_fault(ended, &["asks for a login", &shown, "HTTPS_PROXY="]);
        assert_eq!(proxy.connections(), before + 1, "{url}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_passed_by() {
    let platform = Platform::start("healthy");
    for (proxy, words) in [
        ("socks5h://127.0.0.1:1080", "socks5h proxy, which is not supported"),
        ("http://bad host:3128", "is not the URL of a proxy"),
        ("ftp://proxy:21", "is not the URL of a proxy"),
    ] {
        let ended = run(&folder("https://platform.example.com", ""), &[("HTTPS_PROXY", proxy)]);
        is_set_up_fault(ended, &["HTTPS_PROXY", words]);
        // Hosts that need no proxy are not affected.
        let allowed = [("HTTP_PROXY", proxy), ("NO_PROXY", "127.0.0.1")];
        run(&folder(&platform.origin, ""), &allowed).exits(0);
    }
}

#[test]
fn a_proxy_is_named_where_it_was_used() {
    let proxy = TlsServer::answering(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    let origin = proxy.origin.replace("https", "http");
    let folder = folder("https://platform.example.com", "");
    folder.write(
        "compliance-gate.yaml",
        &folder.read("compliance-gate.yaml").replace("version: 1", "version: 1\ndeadline: 8s"),
    );
    run(&folder, &[("HTTPS_PROXY", &origin)]).exits(5).says(&format!("through the proxy {origin}"));
}

#[test]
fn a_url_that_is_no_api_is_a_fault_of_the_policy() {
    let platform = Platform::start("healthy");
    let folder = folder(&format!("{}/main/auth/api/v1/me", platform.origin), "");
    is_set_up_fault(
        run(&folder, &[]),
        &["404", "correct `url`", "without the path of an endpoint"],
    );
}

#[test]
fn white_space_around_a_token_does_not_matter() {
    let platform = Platform::start("healthy");
    let folder = folder(&platform.origin, "");
    for token in ["test-token-of-opencomply\r\n", " \u{feff}test-token-of-opencomply \t"] {
        run(&folder, &[("OPENCOMPLY_API_KEY", token)]).exits(0);
        folder.write("token", token);
        run(&folder, &[("OPENCOMPLY_API_KEY", ""), ("OPENCOMPLY_API_KEY_FILE", "token")]).exits(0);
    }
    run(&folder, &[("OPENCOMPLY_API_KEY", " \n")]).exits(2).says("nothing but white space");
}

#[test]
fn a_token_in_a_file_that_is_quoted_is_masked() {
    let folder = folder("http://127.0.0.1:9", "");
    let policy = folder.read("compliance-gate.yaml");
    folder.write("compliance-gate.yaml", &policy.replace("160", "test-token-of-opencomply"));
    for arguments in [&["run", "--ci", "github"][..], &["policy", "check"], &["doctor"]] {
        folder.run(arguments).exits(2).says("***").does_not_say("test-token");
    }
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_not_read() {
    let platform = Platform::start("healthy");
    let folder = folder(&platform.origin, "");
    std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    for path in ["/dev/zero", "pipe", "."] {
        let variables = [("OPENCOMPLY_API_KEY", ""), ("OPENCOMPLY_API_KEY_FILE", path)];
        is_set_up_fault(run(&folder, &variables), &["not a regular file"]);
    }
    folder.write("long", &"x".repeat(100_000));
    let variables = [("OPENCOMPLY_API_KEY", ""), ("OPENCOMPLY_API_KEY_FILE", "long")];
    is_set_up_fault(run(&folder, &variables), &["larger than 64 KiB"]);
    for key in [
        "accept_files: [pipe]",
        "accept: [{id: old, baseline: pipe, reason: r, owner: o, expires: 2099-01-01}]",
    ] {
        let policy = folder.read("compliance-gate.yaml") + key + "\n";
        folder.write("with.yaml", &policy);
        let ended = folder.run(&["run", "--config", "with.yaml"]).exits(2);
        ended.says("not a regular file");
    }
    let https = self::folder("https://127.0.0.1:9", "    ca_file: /dev/zero\n");
    is_set_up_fault(run(&https, &[]), &["ca_file", "not a regular file"]);
}
