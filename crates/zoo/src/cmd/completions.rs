use clap::Args;
use clap_complete::Shell;

use crate::context::Context;
use crate::{Failure, command};

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell to complete for
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "zoo", &mut script);
        cx.out.data(&String::from_utf8_lossy(&script))
    }
}
