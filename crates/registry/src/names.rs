/// Names that Windows gives to devices, whatever the extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Says why `name` cannot be a file name on every system; `None` if it can.
///
/// Variants and weight files become paths of the cache, so a name that leaves its folder is refused where it is
/// read, not where it is used.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() || name.len() > 200 {
        Some("must have 1 to 200 characters")
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    {
        Some("may hold only letters, digits, `_`, `-` and `.`: it becomes a file name")
    } else if name.starts_with(['.', '-']) || name.ends_with('.') {
        Some("must not start with `.` or `-` nor end with `.`: it becomes a file name")
    } else if RESERVED.contains(&stem.as_str()) {
        Some("is a device name on Windows")
    } else {
        None
    }
}

/// The candidate whose name comes nearest, if it is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_device_names_are_no_names() {
        for name in ["HRNet_W18_C", "a", "hrnetv2_w18-8cb57bb9.pth", "v1.2"] {
            assert_eq!(fault(name), None, "{name}");
        }
        for name in [
            "", "a/b", "..", "../x", "a\\b", ".hidden", "C:", "nul", "Con.txt", "a\0", "ä", "a b", "x.",
        ] {
            assert!(fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn suggestions_come_near_or_not_at_all() {
        let names = || ["HRNet_W18_C", "HRNet_W48_C", "HRNet_W48_C_ssld"].into_iter();
        assert_eq!(nearest("hrnet_w48_c", names()), Some("HRNet_W48_C"));
        assert_eq!(nearest("HRNetW18C", names()), Some("HRNet_W18_C"));
        assert_eq!(nearest("resnet", names()), None);
    }
}
