use std::time::Duration;

/// The limits beyond which a server is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of tries in a row that a source gets for failures that may pass. A try that brought [`Sizes::progress`] bytes
    /// starts the count anew. A server that nobody has reached in this run is asked three times at most, and then not for a
    /// minute, whatever is wanted of it.
    pub attempts: u32,
    /// The pause before the second try; it doubles with each further one, less up to a half at random.
    pub pause: Duration,
    /// The longest pause, our own or one that a server asks for.
    pub longest_pause: Duration,
    /// The longest time for opening a connection.
    pub connect: Duration,
    /// The longest silence of a server, before its answer and within it.
    pub idle: Duration,
    /// The least speed of a connection over [`speed_window`](Self::speed_window), in bytes per second; 0 for any.
    pub min_speed: u64,
    /// The time the speed is measured over.
    pub speed_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 5,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            min_speed: 1024,
            speed_window: Duration::from_secs(30),
        }
    }
}

/// The sizes of a file's parts and blocks, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The most that one request asks for, if the server sends parts.
    pub segment: u64,
    /// The blocks whose digests tell which part of a file is damaged.
    pub block: u64,
    /// The most that arrives before it is noted as there; bytes that are not noted are downloaded again after a crash.
    pub note: u64,
    /// The least that a try must bring to count as progress.
    pub progress: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            segment: 16 << 20,
            block: 4 << 20,
            note: 1 << 20,
            progress: 1 << 20,
        }
    }
}
