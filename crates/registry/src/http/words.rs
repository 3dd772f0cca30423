//! Why a server could not be reached, in plain words.

use std::error::Error;
use std::time::Duration;

use super::chain;
use crate::Limits;

/// Describes an error of a request, without the words by which libraries say that a request failed.
pub(super) fn of_request(error: &reqwest::Error, limits: Limits) -> String {
    if error.is_timeout() {
        let (what, limit) = match error.is_connect() {
            true => ("connection", limits.connect),
            false => ("answer", limits.idle),
        };
        return format!("timed out: no {what} within {}", seconds(limit));
    }
    plain(&chain(error))
}

/// Describes an error of a transfer that had begun.
pub(super) fn of_body(error: &dyn Error, limits: Limits) -> String {
    let text = chain(error);
    match text.contains("timed out") {
        true => format!("timed out: no data for {}", seconds(limits.idle)),
        false => plain(&text),
    }
}

/// A phrase of an error that means a cause, and the cause in plain words.
struct Cause {
    phrases: &'static [&'static str],
    words: &'static str,
    /// `true` if the system's own words follow.
    detailed: bool,
}

/// The first whose phrase occurs decides.
const CAUSES: [Cause; 5] = [
    Cause {
        phrases: &["Temporary failure in name resolution", "Try again"],
        words: "the host's address cannot be looked up: there is no network, or no name server (DNS) answers",
        detailed: false,
    },
    Cause {
        phrases: &["dns error", "failed to lookup address"],
        words: "host not found: no name server (DNS) knows this name",
        detailed: false,
    },
    Cause {
        phrases: &["unreachable", "No route to host"],
        words: "there is no network connection to the host",
        detailed: false,
    },
    Cause {
        phrases: &["Connection refused", "actively refused"],
        words: "connection refused: nothing listens at this address, or at the proxy if one is set",
        detailed: false,
    },
    Cause {
        phrases: &["invalid peer certificate: "],
        words: "the server's certificate is not trusted",
        detailed: true,
    },
];

/// An error with its causes, in plain words where it is a common one.
fn plain(text: &str) -> String {
    for cause in &CAUSES {
        let found = cause.phrases.iter().find_map(|phrase| text.split_once(phrase));
        match found {
            Some((_, detail)) if cause.detailed => return format!("{} ({detail})", cause.words),
            Some(_) => return cause.words.to_owned(),
            None => {}
        }
    }
    let beginnings = ["error sending request: ", "client error (Connect): "];
    let rest = beginnings.iter().fold(text, |text, beginning| {
        text.strip_prefix(beginning).unwrap_or(text)
    });
    rest.to_owned()
}

/// `1 s`, `0.3 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_causes_are_told_in_plain_words_and_others_as_they_are() {
        let connect = |cause: &str| plain(&format!("error sending request: client error (Connect): {cause}"));
        let dns = |cause: &str| {
            connect(&format!(
                "dns error: failed to lookup address information: {cause}"
            ))
        };
        assert_eq!(
            dns("Name or service not known"),
            "host not found: no name server (DNS) knows this name"
        );
        assert!(dns("Temporary failure in name resolution").contains("there is no network"));
        assert!(connect("tcp connect error: Network is unreachable (os error 101)").contains("no network"));
        assert!(
            connect("tcp connect error: Connection refused (os error 111)")
                .starts_with("connection refused:")
        );
        assert_eq!(
            connect("invalid peer certificate: UnknownIssuer"),
            "the server's certificate is not trusted (UnknownIssuer)"
        );
        assert_eq!(
            connect("tunnel error: unsuccessful"),
            "tunnel error: unsuccessful"
        );
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5 s");
    }
}
