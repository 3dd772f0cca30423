//! Options for the use of the network.

use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use registry::{Fetcher, Hub, Mirror, ParseHubError, Tokens};

use crate::context::Context;
use crate::counts::{AT_A_TIME, up_to};

/// Options of all commands that download.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network options")]
pub(crate) struct Net {
    /// Mirror to try first: a URL, or a folder such as a USB stick's; repeatable
    #[arg(long, value_name = "URL|DIR", env = "ZOO_MIRROR", hide_env_values = true, value_parser = mirror())]
    mirror: Vec<Mirror>,
    #[command(flatten)]
    hub: HubArg,
    /// Number of files to download at once
    #[arg(short, long, value_name = "N", env = "ZOO_JOBS", default_value = "4", value_parser = up_to::<AT_A_TIME>)]
    jobs: usize,
    /// Connections per file, if the server supports partial downloads
    #[arg(long, value_name = "N", default_value = "4", value_parser = up_to::<AT_A_TIME>)]
    connections: usize,
    /// Attempts per source in a row
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// Longest silence of a server
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
    /// Longest pause between two attempts, also if a server asks for more
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, value_parser = seconds)]
    max_wait: f64,
    /// Lowest acceptable speed of a connection, in bytes per second; 0 accepts any
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    min_speed: u64,
    /// Time over which the speed is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    speed_window: f64,
}

/// `--hub`, for the commands that ask servers.
#[derive(Debug, Args)]
pub(crate) struct HubArg {
    /// Server to ask for files on Hugging Face; HF_TOKEN is sent to huggingface.co only
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", default_value_t, value_parser = hub)]
    pub(crate) hub: Hub,
}

/// Parses a server of Hugging Face's files. A variable that is set to nothing names none.
fn hub(text: &str) -> Result<Hub, ParseHubError> {
    match text {
        "" => Ok(Hub::default()),
        text => text.parse(),
    }
}

/// Parses a URL, or a path, which need not be UTF-8.
pub(crate) fn mirror() -> impl TypedValueParser<Value = Mirror> {
    OsStringValueParser::new().try_map(Mirror::parse)
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    if (0.001..=1e6).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0.001 to 1000000 seconds".into())
    }
}

impl Net {
    /// Returns a fetcher with these options.
    pub(crate) fn fetcher(&self, cx: &Context) -> Fetcher {
        let mut fetcher = cx.fetcher();
        fetcher.mirrors.clone_from(&self.mirror);
        fetcher.hub.clone_from(&self.hub.hub);
        fetcher.tokens = Tokens::from_env();
        fetcher.files = self.jobs.max(1);
        fetcher.connections = self.connections.max(1);
        fetcher.limits.attempts = self.retries.max(1);
        fetcher.limits.idle = Duration::from_secs_f64(self.timeout);
        fetcher.limits.longest_pause = Duration::from_secs_f64(self.max_wait);
        fetcher.limits.min_speed = self.min_speed;
        fetcher.limits.speed_window = Duration::from_secs_f64(self.speed_window);
        fetcher
    }
}
