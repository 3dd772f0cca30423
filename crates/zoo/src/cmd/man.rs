use std::fs;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Renderer;
use clap_mangen::roff::{Roff, roman};
use harness::counted;

use crate::Failure;
use crate::cli::Cli;
use crate::context::Context;
use crate::files::write_whole;

/// Write manual pages into a folder
///
/// Writes one page per command: zoo.1, zoo-fetch.1, zoo-peers-race.1. `man -l DIR/zoo.1` shows a page. From a folder man1 below
/// a folder of `manpath`, such as /usr/local/share/man/man1, `man zoo-fetch` shows it.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Target folder; created if missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(|error| Failure::file(&self.folder, &error))?;
        let mut pages = Vec::new();
        // A page says what `zoo help COMMAND` does, and that command would have a page for each page.
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        add(&command, &mut pages);
        for page in &pages {
            write_whole(&self.folder.join(&page.file), &page.text)?;
        }
        cx.out.done(&format!(
            "{} in {}",
            counted(pages.len(), "manual page"),
            self.folder.display()
        ));
        Ok(())
    }
}

/// A manual page and the name of its file.
struct Page {
    file: String,
    text: Vec<u8>,
}

/// Adds the pages of a command and of the commands below it.
fn add(command: &Command, pages: &mut Vec<Page>) {
    pages.push(page(command));
    for inner in command.get_subcommands() {
        add(inner, pages);
    }
}

/// The page of one command. The text after its help is in sections of its own, with its lines kept.
fn page(command: &Command) -> Page {
    let after = command.get_after_help().map(ToString::to_string);
    let renderer = Renderer::new(command.clone().after_help(None::<&str>));
    let mut text = Vec::new();
    renderer.render(&mut text).expect("a vector takes everything");
    if let Some(after) = after {
        sections(&after)
            .to_writer(&mut text)
            .expect("a vector takes everything");
    }
    Page {
        file: renderer.get_filename(),
        text,
    }
}

/// The paragraphs of a text: those under a line that ends with a colon are sections of lines, the others are filled.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for paragraph in text.trim().split("\n\n") {
        match paragraph.split_once(":\n") {
            Some((title, lines)) => {
                roff.control("SH", [title.to_uppercase().as_str()]);
                roff.control("nf", []);
                for line in lines.lines() {
                    roff.text([roman(line)]);
                }
                roff.control("fi", []);
            }
            None => {
                roff.control("PP", []);
                roff.text([roman(paragraph)]);
            }
        }
    }
    roff
}
