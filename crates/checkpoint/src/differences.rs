/// The number of names that an error lists of each kind before it only counts.
const LISTED: usize = 5;

/// The differences between a file's tensors and a network's.
#[derive(Default)]
pub(crate) struct Differences {
    /// Tensors of the network.
    pub(crate) expected: usize,
    /// Tensors in the file that are weights by their kind, bookkeeping such as counts of batches aside.
    pub(crate) found: usize,
    pub(crate) missing: Vec<String>,
    /// Those of the network that are there but cannot be read, with the reason.
    pub(crate) unread: Vec<String>,
    pub(crate) shapes: Vec<String>,
    pub(crate) integers: Vec<String>,
    pub(crate) extra: Vec<String>,
}

impl Differences {
    /// All of them in words, or `None` if there are none.
    pub(crate) fn describe(&self) -> Option<String> {
        let kinds = [
            ("missing", &self.missing),
            ("that cannot be read", &self.unread),
            ("of another shape", &self.shapes),
            ("of integers", &self.integers),
            ("not expected", &self.extra),
        ];
        let parts: Vec<String> = kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{} {kind} ({})", names.len(), listed(names)))
            .collect();
        let (expected, found) = (self.expected, self.found);
        (!parts.is_empty())
            .then(|| format!("{expected} tensors expected, {found} found: {}", parts.join(", ")))
    }
}

/// The first of what an error has to tell.
pub(crate) fn listed(items: &[String]) -> String {
    let more = if items.len() > LISTED { "; …" } else { "" };
    format!("{}{more}", items[..items.len().min(LISTED)].join("; "))
}
