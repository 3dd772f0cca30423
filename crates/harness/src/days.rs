use jiff::civil::Date;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Deserializer, de};

/// Days from one date to another, both `YYYY-MM-DD` with anything after that; `None` if either is no date.
pub fn days_between(first: &str, last: &str) -> Option<i64> {
    let date = |text: &str| text.get(..10)?.parse::<Date>().ok();
    Some(i64::from(date(first)?.until(date(last)?).ok()?.get_days()))
}

/// The present time, RFC 3339 in UTC to the second: the form of all times in files, whose order is that of their text.
pub(crate) fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// Reads a time in this form, or brings it into it. Days of it become names of folders, so nothing else gets in.
pub(crate) fn time<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let text = String::deserialize(source)?;
    let wrong = || {
        let text: String = text.chars().take(40).collect();
        de::Error::custom(format!(
            "`{}` is no time: expected RFC 3339, as 2026-01-02T03:04:05Z",
            text.escape_debug()
        ))
    };
    let parsed: Timestamp = text.parse().map_err(|_| wrong())?;
    let seconds = Timestamp::from_second(parsed.as_second()).map_err(|_| wrong())?;
    let written = seconds.to_string();
    // Years before 0 and their sign are no part of RFC 3339.
    if written.starts_with(|first: char| first.is_ascii_digit()) {
        Ok(written)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        assert_eq!(days_between("2026-11-24", "2026-11-24T03:00:00Z"), Some(0));
        assert_eq!(days_between("2028-02-28.2", "2028-03-01"), Some(2));
        assert_eq!(days_between("2026-12-31-epyc", "2026-12-01"), Some(-30));
        assert_eq!(days_between("records.jsonl", "2026-12-01"), None);
        assert_eq!(days_between("", "2026-12-01"), None);
    }

    #[test]
    fn times_of_others_have_our_form_or_are_refused() {
        let read = |text: &str| {
            let text = serde_json::to_string(text).expect("JSON");
            time(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| error.to_string())
        };
        let right = |text: &str| read(text).expect(text);
        assert_eq!(right("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
        assert_eq!(right("2026-01-02T03:04:05.678+09:00"), "2026-01-01T18:04:05Z");
        let now = now();
        assert_eq!(right(&now), now);
        for text in [
            "",
            "2026-01-02",
            "../../../tmp/x",
            "/tmp/xT00:00:00Z",
            "2026-13-02T03:04:05Z",
            "-000001-01-02T03:04:05Z",
            "2026-01-02T03:04:05Z/../..",
            "2026-01-02T03:04:05Z\n",
            "<b>T00:00:00Z",
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains("is no time: expected RFC 3339"), "{error}");
        }
    }
}
