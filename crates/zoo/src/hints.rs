//! Tips for words on the command line that clap calls unexpected: the form in which the option before them takes its values.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

/// Adds a tip to the error of an unexpected word, if the option before it takes values in another form.
pub(crate) fn hinted(mut error: clap::Error, command: &Command, arguments: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let words: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .collect();
    if let Some(tip) = tip(command, &words, word) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Returns the tip for an unexpected word of this command line.
fn tip(command: &Command, words: &[&str], unexpected: &str) -> Option<String> {
    let options = options(command, words);
    after_equals(&options, words, unexpected).or_else(|| after_a_value(&options, words, unexpected))
}

/// Returns the options of the subcommand that the words name, and those of every command.
fn options<'c>(command: &'c Command, words: &[&str]) -> Vec<&'c Arg> {
    let mut options: Vec<&Arg> = command.get_arguments().collect();
    let mut command = command;
    for word in words.iter().skip(1) {
        if let Some(below) = command.find_subcommand(word) {
            command = below;
            options.extend(command.get_arguments());
        }
    }
    options
}

/// Returns the tip for the value of an option that takes it behind `=` alone, as `--features stage4`. The unexpected word may be
/// another one, if the value was taken for an argument.
fn after_equals(options: &[&Arg], words: &[&str], unexpected: &str) -> Option<String> {
    words.windows(2).find_map(|pair| {
        let (option, value) = (pair[0], pair[1]);
        let arg = named(options, option).filter(|arg| arg.is_require_equals_set())?;
        let values = arg.get_possible_values();
        let values: Vec<&str> = values
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| value.get_name())
            .collect();
        if value != unexpected && !values.contains(&value) {
            return None;
        }
        let known = match values.as_slice() {
            [] => String::new(),
            values => format!("; its values are {}", values.join(", ")),
        };
        Some(format!(
            "a value of `{option}` follows `=`: `{option}={}`{known}",
            registry::without_secrets(value)
        ))
    })
}

/// Returns the tip for a second value of an option, as `-m A B`.
fn after_a_value(options: &[&Arg], words: &[&str], unexpected: &str) -> Option<String> {
    let at = words.iter().position(|word| *word == unexpected)?;
    let before = words[..at].iter().rposition(|word| word.starts_with('-'))?;
    let (option, attached) = match words[before].split_once('=') {
        Some((option, value)) => (option, Some(value)),
        None => (words[before], None),
    };
    let arg = named(options, option).filter(|arg| arg.get_action().takes_values())?;
    let mut values: Vec<&str> = attached.into_iter().collect();
    values.extend(&words[before + 1..=at]);
    let values: Vec<String> = values.into_iter().map(registry::without_secrets).collect();
    if values.len() < 2 {
        return None;
    }
    Some(match (arg.get_value_delimiter(), arg.get_action()) {
        (Some(delimiter), _) => format!(
            "several values of `{option}` are one list: `{option} {}`",
            values.join(&delimiter.to_string())
        ),
        (None, ArgAction::Append) => {
            format!(
                "each value has its own `{option}`: `{option} {}`",
                values.join(&format!(" {option} "))
            )
        }
        (None, _) => format!("`{option}` takes one value, here `{}`", values[0]),
    })
}

/// Returns the option that a word names, as `-m` or `--model`.
fn named<'c>(options: &[&'c Arg], word: &str) -> Option<&'c Arg> {
    let is_named = |arg: &&&Arg| match word.strip_prefix("--") {
        Some(long) => arg
            .get_long_and_visible_aliases()
            .is_some_and(|names| names.contains(&long)),
        None => {
            let short = word
                .strip_prefix('-')
                .and_then(|short| short.parse::<char>().ok());
            short.is_some() && arg.get_short() == short
        }
    };
    options.iter().rev().find(is_named).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rendered error of this command line.
    fn rendered(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let command = crate::command();
        let error = command
            .clone()
            .try_get_matches_from(&words)
            .expect_err("an error");
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        hinted(error, &command, &words).render().to_string()
    }

    #[test]
    fn a_word_too_many_gets_the_form_of_the_option_before_it() {
        for (line, tip) in [
            (
                "zoo infer -m W18 --input x.npy --output y.npz --features stage4",
                "a value of `--features` follows `=`: `--features=stage4`; its values are incre, stage4",
            ),
            (
                "zoo export --features stage4 W18 -o w.onnx",
                "`--features=stage4`",
            ),
            (
                "zoo bench -m W18 W32 -b 1",
                "several values of `-m` are one list: `-m W18,W32`",
            ),
            ("zoo bench --model=W18 W32 W48", "`--model W18,W32`"),
            (
                "zoo pick --records a.jsonl b.jsonl",
                "`--records a.jsonl --records b.jsonl`",
            ),
            ("zoo pick -b 1 4", "`-b` takes one value, here `1`"),
        ] {
            let error = rendered(line);
            assert!(error.contains("tip: ") && error.contains(tip), "{line}: {error}");
        }
        let error = rendered("zoo list mine");
        assert!(!error.contains("takes") && !error.contains("list: `"), "{error}");
    }
}
