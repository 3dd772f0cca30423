//! Which servers answer, as one run has seen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::FetchError;

/// The number of tries for a server that nobody has reached in this run: a name that is not resolved and a connection that is
/// refused rarely get better within seconds.
pub(crate) const TRIES: u32 = 3;

/// The time for which a server that could not be reached is not asked again, for whatever file.
const REST: Duration = Duration::from_secs(60);

/// Servers by name and port.
#[derive(Default)]
pub(crate) struct Hosts(Mutex<HashMap<String, Host>>);

enum Host {
    /// It has answered, or was silent: somebody is there.
    There,
    /// Nobody was there at this time, for this reason.
    Gone { since: Instant, reason: String },
}

impl Hosts {
    /// Why a server need not be asked, if it could not be reached just now.
    pub(crate) fn gone(&self, host: &str) -> Option<String> {
        match self.lock().get(host)? {
            Host::Gone { since, reason } if since.elapsed() < REST => Some(reason.clone()),
            Host::Gone { .. } | Host::There => None,
        }
    }

    /// The number of tries in a row for a server that cannot be reached, of `attempts`.
    pub(crate) fn tries(&self, host: &str, attempts: u32) -> u32 {
        match self.lock().get(host) {
            Some(Host::There) => attempts,
            Some(Host::Gone { .. }) | None => attempts.min(TRIES),
        }
    }

    /// Notes that somebody is there.
    pub(crate) fn found(&self, host: &str) {
        self.lock().insert(host.to_owned(), Host::There);
    }

    /// Notes that nobody was there, unless somebody was before: then the network has gone, and may come back.
    pub(crate) fn lost(&self, host: &str, error: &FetchError) {
        let FetchError::Network { reason, .. } = error else {
            return;
        };
        let gone = Host::Gone {
            since: Instant::now(),
            reason: reason.clone(),
        };
        let mut hosts = self.lock();
        if !matches!(hosts.get(host), Some(Host::There)) {
            hosts.insert(host.to_owned(), gone);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_there_gets_all_tries_and_one_that_never_was_a_few() {
        let hosts = Hosts::default();
        let refused = FetchError::Network {
            url: "https://a/w".into(),
            reason: "refused".into(),
        };
        assert_eq!((hosts.gone("a"), hosts.tries("a", 5)), (None, TRIES));
        assert_eq!(hosts.tries("a", 1), 1, "--retries 1");
        hosts.lost("a", &refused);
        assert_eq!(hosts.gone("a").as_deref(), Some("refused"));
        assert_eq!(hosts.gone("b"), None);
        hosts.found("a");
        hosts.lost("a", &refused);
        assert_eq!((hosts.gone("a"), hosts.tries("a", 5)), (None, 5));
    }
}
