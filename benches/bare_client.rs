//! A client that does as little as possible, to compare the gate with: it follows the pages of
//! GravityZone's checks and counts those that failed. `bare_client URL`.

use std::process::ExitCode;

use serde::Deserialize;

#[derive(Deserialize)]
struct Page {
    data: Vec<Row>,
    links: Links,
}

#[derive(Deserialize)]
struct Row {
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    result: String,
}

#[derive(Deserialize)]
struct Links {
    next: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: bare_client URL");
        return ExitCode::FAILURE;
    };
    match count(url).await {
        Ok((rows, failed)) => {
            println!("{rows} checks, {failed} failed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn count(url: String) -> Result<(usize, usize), Box<dyn std::error::Error>> {
    // The provider has to be chosen; plain http does not use it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?;
    let (mut rows, mut failed) = (0, 0);
    let mut next = Some(url);
    while let Some(url) = next {
        let answer = client.get(url).header("x-api-key", "a-token").send().await?;
        let bytes = answer.error_for_status()?.bytes().await?;
        let page: Page = serde_json::from_slice(&bytes)?;
        rows += page.data.len();
        failed += page.data.iter().filter(|row| row.attributes.result == "fail").count();
        next = page.links.next;
    }
    Ok((rows, failed))
}
