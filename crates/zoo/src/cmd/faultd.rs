use std::path::PathBuf;

use clap::Args;
use registry::faultd::{Content, Fault, Server};

use crate::context::Context;
use crate::{Exit, Failure};

/// Serve a folder as a bad server would: to see what a fetcher makes of it
///
/// Each request meets the next fault of the plan, and the last one meets all that follow. For example, with a folder
/// that `zoo mirror` made: `zoo faultd DIR --plan truncate=1000000 --plan status=503 --plan good` and, elsewhere,
/// `zoo fetch all --mirror http://127.0.0.1:8731/`.
#[derive(Debug, Args)]
#[command(after_help = format!("Faults: {}", Fault::NAMES))]
pub(crate) struct Faultd {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8731")]
    listen: String,
    /// What goes wrong with each request, one fault an option
    #[arg(long, value_name = "FAULT")]
    plan: Vec<Fault>,
}

impl Faultd {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        if !self.folder.is_dir() {
            let message = format!("{}: no such folder", self.folder.display());
            return Err(Failure::new(Exit::NotFound, message));
        }
        let content = Content::Folder(self.folder.clone());
        let server = Server::start(&self.listen, content, self.plan.clone())
            .map_err(|error| Failure::new(Exit::Network, format!("{}: {error}", self.listen)))?;
        cx.out.data(&server.url(""))?;
        cx.out.note("serving until interrupted");
        loop {
            std::thread::park();
        }
    }
}
