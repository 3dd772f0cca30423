use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The pause a server asks for, in seconds or until a date. The date is read by the server's own clock where it shows
/// it: ours may be wrong. Where that makes the pause longer than `longest`, ours is asked too: the server's may be wrong.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime, longest: Duration) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let until = date(text)?;
    let from = |now| until.duration_since(now).unwrap_or_default();
    let shown = headers.get(DATE).and_then(|value| date(value.to_str().ok()?));
    Some(match shown {
        Some(shown) if from(shown) <= longest => from(shown),
        Some(shown) => from(shown).min(from(now)),
        // Nobody says what the server takes for now: a pause that makes no sense is none.
        None => Some(from(now))
            .filter(|pause| *pause <= longest)
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let pause = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a value"));
            }
            retry_after(&headers, now, Duration::from_secs(300)).map(|pause| pause.as_secs())
        };
        assert_eq!(pause(&[]), None);
        assert_eq!(pause(&[("retry-after", "7")]), Some(7));
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        assert_eq!(pause(&[("retry-after", "-1")]), None);
        let date = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(pause(&[date]), Some(60));
        assert_eq!(
            pause(&[date, ("date", "Sun, 06 Nov 1994 08:50:07 GMT")]),
            Some(30),
            "by the server's clock"
        );
        assert_eq!(
            pause(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]),
            Some(0),
            "long over"
        );
        let day_later = ("retry-after", "Mon, 07 Nov 1994 08:49:37 GMT");
        assert_eq!(pause(&[day_later]), Some(0), "one of the clocks is wrong");
        let same_day = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(pause(&[day_later, same_day]), Some(86_400), "both clocks say so");
        let old = ("date", "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(pause(&[date, old]), Some(60), "the server's clock is wrong");
    }
}
