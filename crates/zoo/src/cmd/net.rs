//! How the network is used.

use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use registry::{Fetcher, Mirror, Tokens};

use crate::context::Context;
use crate::counts::{AT_A_TIME, up_to};

/// Options of the commands that download.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network options")]
pub(crate) struct Net {
    /// Ask this mirror first: a URL, or a folder such as a USB stick's
    #[arg(long, value_name = "URL|DIR", env = "ZOO_MIRROR", hide_env_values = true, value_parser = mirror())]
    mirror: Vec<Mirror>,
    /// Files at a time
    #[arg(short, long, value_name = "N", env = "ZOO_JOBS", default_value = "4", value_parser = up_to::<AT_A_TIME>)]
    jobs: usize,
    /// Connections for one file, where the server sends parts
    #[arg(long, value_name = "N", default_value = "4", value_parser = up_to::<AT_A_TIME>)]
    connections: usize,
    /// How often a source is tried in a row
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// How long a server may be silent
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
    /// The longest pause between two tries, a server's wish included
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, value_parser = seconds)]
    max_wait: f64,
    /// The least bytes a second a connection must bring; 0 for any
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    min_speed: u64,
    /// The time that speed is measured over
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    speed_window: f64,
}

/// A URL, or a path, which need not be UTF-8.
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
    /// A fetcher that does as these options say.
    pub(crate) fn fetcher(&self, cx: &Context) -> Fetcher {
        let mut fetcher = cx.fetcher();
        fetcher.mirrors.clone_from(&self.mirror);
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
