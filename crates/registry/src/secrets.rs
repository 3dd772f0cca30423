//! Texts without their secrets: users, passwords, signatures.

use reqwest::Url;

/// A URL as it may be shown: without user, password, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let mark = if url.query().is_some() { "?…" } else { "" };
    url.set_query(None);
    url.set_fragment(None);
    format!("{url}{mark}")
}

/// Text that may be a URL, as it may be shown. Of text that cannot be read as a URL only the scheme is shown: nobody can tell
/// where a password ends in it.
pub(crate) fn shown_text(text: &str) -> String {
    let Some(scheme) = scheme(text) else {
        return text.to_owned();
    };
    match Url::parse(text) {
        Ok(url) if url.has_host() => shown(&url),
        Ok(url) if url.scheme() == "file" => shown(&url),
        _ => format!("{scheme}:…"),
    }
}

/// A word of a command line as it may be repeated: passwords and signatures of URLs are left out.
pub fn without_secrets(text: &str) -> String {
    match text.contains("://") || text.contains('@') {
        true => shown_text(text),
        false => text.to_owned(),
    }
}

/// The text before the first colon, if it makes the whole a URL and not a path: more than a drive letter, or a user's name
/// before the password and the `@`.
pub(crate) fn scheme(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(':')?;
    let head = text.split(['/', '\\']).next().unwrap_or(text);
    let is_scheme = before.starts_with(|first: char| first.is_ascii_alphabetic())
        && before
            .chars()
            .all(|next| next.is_ascii_alphanumeric() || "+-.".contains(next));
    let is_user = head.contains('@') && head.len() > before.len();
    ((is_scheme && before.len() > 1) || is_user).then_some(before)
}

/// A message with every URL in it as it may be shown: libraries repeat the URLs that they were given.
pub(crate) fn scrubbed(message: &str) -> String {
    let mut rest = message;
    let mut clean = String::new();
    while let Some(mark) = rest.find("://") {
        let in_scheme = |next: char| next.is_ascii_alphanumeric() || "+-.".contains(next);
        let begin = rest[..mark].trim_end_matches(in_scheme).len();
        let ends = |next: char| next.is_whitespace() || "\"'`<>()".contains(next);
        let end = rest[mark..].find(ends).map_or(rest.len(), |length| mark + length);
        let url = rest[begin..end].trim_end_matches([',', ';', ':', '.']);
        clean.push_str(&rest[..begin]);
        // What holds no secret stays as it was written.
        match url.contains(['@', '?', '#']) {
            true => clean.push_str(&shown_text(url)),
            false => clean.push_str(url),
        }
        rest = &rest[begin + url.len()..];
        if url.is_empty() {
            clean.push_str("://");
            rest = rest.strip_prefix("://").unwrap_or(rest);
        }
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_url_only_what_names_the_place_is_shown() {
        for (written, told) in [
            ("https://u:sekret@h/w?t=sekret#sekret", "https://h/w?…"),
            ("xx://u:sekret@h/", "xx://h/"),
            ("https://u:sekret@h:99999999/", "https:…"),
            ("https://u:sek/ret@h/", "https:…"),
            ("https:/u:sekret@h/w", "https://h/w"),
            ("user:sekret@h/w", "user:…"),
            ("u:sekret@h", "u:…"),
            ("file:///mnt/stick", "file:///mnt/stick"),
            ("/mnt/stick", "/mnt/stick"),
            ("C:\\a@b", "C:\\a@b"),
            ("HRNet_W18_C", "HRNet_W18_C"),
            ("a@b/c", "a@b/c"),
        ] {
            assert_eq!(shown_text(written), told, "{written}");
        }
    }

    #[test]
    fn urls_in_messages_lose_their_secrets_and_nothing_else_changes() {
        for (message, told) in [
            (
                "error for url (https://u:sekret@h/x?sig=sekret): timed out",
                "error for url (https://h/x?…): timed out",
            ),
            ("GET http://h/a?b, http://h/c.", "GET http://h/a?…, http://h/c."),
            ("\"s3://k:sekret@b/x\" and ://", "\"s3://b/x\" and ://"),
            ("no URL: a@b?c", "no URL: a@b?c"),
        ] {
            assert_eq!(scrubbed(message), told);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_password_is_in_no_text(user in "[a-z]{1,6}", noise in "[a-z/:@?#%&=.]{0,8}", scheme in "(https?|s3|xx)") {
            let url = format!("{scheme}://{user}:{noise}SEKRET{noise}@host/w");
            for text in [shown_text(&url), scrubbed(&format!("it failed: {url} (again)"))] {
                // What follows a slash is a path and no password, in a URL that can be read all the same.
                let read = Url::parse(&url).is_ok_and(|url| url.path().contains("SEKRET"));
                prop_assert!(!text.contains("SEKRET") || read, "{}", text);
            }
        }

        #[test]
        fn scrubbing_ends_and_leaves_text_without_urls_alone(text in "\\PC{0,40}") {
            let clean = scrubbed(&text);
            prop_assert!(text.contains("://") || clean == text);
        }
    }
}
