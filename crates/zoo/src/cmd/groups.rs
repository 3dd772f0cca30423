//! The commands in groups, for the program's help: clap lists them in one block.

use clap::Command;
use clap::builder::StyledStr;

/// Commands that belong together, in the order in which they are listed.
struct Group {
    title: &'static str,
    commands: &'static [&'static str],
}

/// Every command in one group.
const GROUPS: [Group; 5] = [
    Group {
        title: "Networks and weights",
        commands: &[
            "list", "show", "add", "inspect", "fetch", "verify", "cache", "pin", "links", "mirror", "lint",
        ],
    },
    Group {
        title: "Run",
        commands: &[
            "classify",
            "pose",
            "preprocess",
            "infer",
            "eval",
            "export",
            "quantize",
        ],
    },
    Group {
        title: "Measure",
        commands: &["bench", "compare", "fidelity", "profile", "tune", "peers"],
    },
    Group {
        title: "Report",
        commands: &["pick", "report", "nightly"],
    },
    Group {
        title: "Tools",
        commands: &["doctor", "completions", "man", "help"],
    },
];

/// The command with help that lists its subcommands in groups.
pub(crate) fn in_groups(mut command: Command) -> Command {
    command.build();
    let template = template(&command);
    command.help_template(template)
}

/// Usage, the groups, options, and what follows them.
fn template(command: &Command) -> StyledStr {
    use std::fmt::Write;

    let (header, literal) = (
        *command.get_styles().get_header(),
        *command.get_styles().get_literal(),
    );
    let names = GROUPS.iter().flat_map(|group| group.commands);
    let width = names.map(|name| name.len()).max().unwrap_or(0);
    let mut text = StyledStr::new();
    let mut write = |part: std::fmt::Arguments<'_>| text.write_fmt(part).expect("a string takes everything");
    write(format_args!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n"
    ));
    for Group { title, commands } in GROUPS {
        write(format_args!("\n{header}{title}:{header:#}\n"));
        for name in commands {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map_or(String::new(), ToString::to_string);
            write(format_args!("  {literal}{name:<width$}{literal:#}  {about}\n"));
        }
    }
    write(format_args!(
        "\n{header}Options:{header:#}\n{{options}}{{after-help}}"
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_command_is_in_one_group_and_has_a_line_of_help() {
        let command = crate::command();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|group| group.commands).copied().collect();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), once.len(), "a command is listed twice");
        let known: BTreeSet<&str> = command.get_subcommands().map(Command::get_name).collect();
        assert_eq!(once, known);
        let help = crate::command().render_long_help().to_string();
        for subcommand in command.get_subcommands() {
            let about = subcommand.get_about().expect("a line of help").to_string();
            assert!(about.len() <= 90, "{} characters: {about}", about.len());
            let line = format!("{} ", subcommand.get_name());
            let found = help.lines().filter(|shown| shown.trim_start().starts_with(&line));
            let found: Vec<&str> = found.filter(|shown| shown.ends_with(&about)).collect();
            assert_eq!(found.len(), 1, "{}: {help}", subcommand.get_name());
        }
        for part in [
            "Usage: zoo",
            "Measure:",
            "Options:",
            "--cache-dir",
            "Examples:",
            "Exit codes:",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}
