use clap::Args;
use harness::counted;
use registry::lint::{Severity, lint};

use crate::context::Context;
use crate::{Exit, Failure, audit};

/// Check published figures (FLOPs, parameters, accuracy) and cached weights for errors
///
/// Findings concern what others published, so they are no failure unless --strict is given.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Exit with code 1 if a figure is wrong
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Lint {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let mut findings = lint(cx.zoo()?);
        findings.extend(audit::weights(cx)?);
        if self.json {
            cx.out.json(&findings)?;
        } else {
            let mut text = String::new();
            for finding in &findings {
                let label = match finding.severity {
                    Severity::Error => "WRONG",
                    Severity::Warning => "ODD  ",
                    Severity::Note => "NOTE ",
                    Severity::Ok => "OK   ",
                };
                text.push_str(&format!(
                    "{label}  {} [{}]\n       {}\n",
                    finding.subject, finding.rule, finding.message
                ));
            }
            cx.out.data(&text)?;
        }
        let wrong = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        if self.strict && wrong > 0 {
            return Err(Failure::new(
                Exit::Other,
                format!("found wrong: {}", counted(wrong, "published figure")),
            ));
        }
        Ok(())
    }
}
