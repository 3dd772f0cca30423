//! The commands of the program, and those that a line of code names.

use std::collections::{BTreeMap, BTreeSet};

/// The long options of each command; of a command within a command under both names, as `peers race`.
pub type Commands = BTreeMap<String, BTreeSet<String>>;

/// The commands of the program.
pub fn commands() -> Commands {
    let mut zoo = zoo::command();
    zoo.build();
    let below = |parent: Option<&str>, name: &str| {
        parent.map_or(name.to_owned(), |parent| format!("{parent} {name}"))
    };
    let all = zoo.get_subcommands().flat_map(|top| {
        let inner = top
            .get_subcommands()
            .map(move |inner| (Some(top.get_name()), inner));
        std::iter::once((None, top)).chain(inner)
    });
    let mut found = Commands::new();
    for (parent, command) in all {
        let mut options = BTreeSet::from(["help".to_owned(), "version".to_owned()]);
        for option in command.get_arguments() {
            let aliases = option.get_all_aliases().unwrap_or_default();
            options.extend(option.get_long().into_iter().chain(aliases).map(str::to_owned));
        }
        found.insert(below(parent, command.get_name()), options);
    }
    assert!(found.len() > 20, "{} commands", found.len());
    found
}

/// The faults of a line of code: a subcommand or an option of `zoo` that does not exist.
pub fn unknown(code: &str, commands: &Commands) -> Vec<String> {
    let mut wrong = Vec::new();
    let code = code.split(" # ").next().unwrap_or_default();
    for part in code.split(['|', ';', '&']) {
        let words: Vec<&str> = part
            .split_whitespace()
            .map(|word| word.trim_matches(['[', ']', '(', ')', '"', '\'', ',', '`']))
            .collect();
        let Some(at) = words
            .iter()
            .position(|word| *word == "zoo" || word.ends_with("/zoo"))
        else {
            continue;
        };
        let mut rest = &words[at + 1..];
        if at > 0 && words[at - 1] == "-p" {
            // An argument of Cargo; the program's own follow `--`.
            let Some(dashes) = rest.iter().position(|word| *word == "--") else {
                continue;
            };
            rest = &rest[dashes + 1..];
        }
        let Some(name) = rest.first().filter(|word| is_name(word)) else {
            continue;
        };
        if !commands.contains_key(*name) {
            wrong.push(format!("`{code}`: there is no `zoo {name}`"));
            continue;
        }
        let (mut command, mut options) = ((*name).to_owned(), &rest[1..]);
        if let Some(inner) = rest.get(1).map(|word| format!("{name} {word}"))
            && commands.contains_key(&inner)
        {
            (command, options) = (inner, &rest[2..]);
        } else if ["cache", "peers"].contains(name) && rest.get(1).is_some_and(|word| is_name(word)) {
            wrong.push(format!("`{code}`: there is no `zoo {name} {}`", rest[1]));
        }
        for option in options.iter().filter_map(|word| word.strip_prefix("--")) {
            let option = option.split('=').next().unwrap_or_default();
            if !option.is_empty() && !commands[&command].contains(option) {
                wrong.push(format!("`{code}`: `zoo {command}` has no option --{option}"));
            }
        }
    }
    wrong
}

/// Returns `true` if a word may be the name of a command, and is no placeholder such as `COMMAND`.
fn is_name(word: &str) -> bool {
    word.chars()
        .all(|letter| letter.is_ascii_lowercase() || letter == '-')
        && word.starts_with(|letter: char| letter.is_ascii_lowercase())
}
