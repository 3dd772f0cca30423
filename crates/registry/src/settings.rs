use std::time::Duration;

/// What a server may do before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often a source is tried in a row when what fails may pass. A try that brought [`Sizes::progress`] bytes
    /// starts the count anew. A server that nobody has reached in this run is asked three times at most, and then not for a
    /// minute, whatever is wanted of it.
    pub attempts: u32,
    /// The pause before the second try; it doubles with each further one, less up to a half at random.
    pub pause: Duration,
    /// The longest pause, our own or one that a server asks for.
    pub longest_pause: Duration,
    /// How long a connection may take to open.
    pub connect: Duration,
    /// How long a server may stay silent, before its answer is there and within it.
    pub idle: Duration,
    /// The least bytes a second that a connection must bring over [`speed_window`](Self::speed_window); 0 for any.
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

/// What a file is cut into, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// A request asks for so much at most where the server sends parts.
    pub segment: u64,
    /// The blocks whose digests tell which part of a file is damaged.
    pub block: u64,
    /// How much may come before it is noted as there; what is not noted comes again after a crash.
    pub note: u64,
    /// How much a try must bring to count as progress.
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
