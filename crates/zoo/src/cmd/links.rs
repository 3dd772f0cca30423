use std::time::Duration;

use clap::Args;
use harness::counted;
use registry::{Link, Tokens, probe};

use super::files::Files;
use super::net::HubArg;
use crate::context::Context;
use crate::counts::{AT_A_TIME, up_to};
use crate::output::table;
use crate::{Exit, Failure};

/// Check every download URL without downloading it
///
/// Prints for each URL whether it answers, and whether its size or version differs from the pinned file's.
#[derive(Debug, Args)]
pub(crate) struct Links {
    #[command(flatten)]
    files: Files,
    /// Number of URLs to check at once
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = up_to::<AT_A_TIME>)]
    jobs: usize,
    /// Longest silence of a server
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    timeout: u64,
    #[command(flatten)]
    hub: HubArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Links {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let files = self.files.choose_or_all(cx)?;
        if cx.offline {
            return Err(
                Failure::new(Exit::Usage, "links are checked over the network").help("drop --offline")
            );
        }
        let artifacts: Vec<_> = files.iter().map(|(_, artifact)| *artifact).collect();
        let mut fetcher = cx.fetcher();
        fetcher.limits.idle = Duration::from_secs(self.timeout.max(1));
        fetcher.hub.clone_from(&self.hub.hub);
        fetcher.tokens = Tokens::from_env();
        let links = probe(&artifacts, &cx.lock()?, &fetcher, self.jobs);
        if self.json {
            cx.out.json(&links)?;
        } else {
            cx.out
                .data(&table(&["state", ">bytes", "url", "why"], links.iter().map(row)))?;
        }
        let dead = links.iter().filter(|link| !link.alive).count();
        let drifted = links.iter().filter(|link| link.has_drifted()).count();
        let message = format!(
            "of {}, {dead} cannot be downloaded and {drifted} changed",
            counted(links.len(), "link")
        );
        match (dead, drifted) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::new(Exit::Checksum, message)
                .help("the publisher replaced the file, or someone else did; a fetch would refuse it")),
            _ => Err(Failure::new(Exit::Network, message).help(
                "the last column says why; HTTPS_PROXY names a proxy, and `zoo fetch --mirror DIR|URL` another place",
            )),
        }
    }
}

fn row(link: &Link) -> Vec<String> {
    let state = match (link.alive, link.has_drifted()) {
        (false, _) => "dead",
        (true, true) => "changed",
        (true, false) => "alive",
    };
    let mut why: Vec<String> = link.error.iter().cloned().collect();
    if let (Some(now), Some(expected)) = (link.bytes, link.expected_bytes)
        && now != expected
    {
        why.push(format!("expected {expected} bytes"));
    }
    if let (Some(now), Some(first)) = (&link.etag, &link.first_etag)
        && now != first
    {
        why.push(format!("version {now}, first seen as {first}"));
    }
    let bytes = link.bytes.map_or_else(|| "-".into(), |bytes| bytes.to_string());
    vec![state.into(), bytes, link.url.clone(), why.join("; ")]
}
