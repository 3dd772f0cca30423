use jiff::civil::Date;

/// Days from one date to another, both `YYYY-MM-DD` with anything after that; `None` if either is no date.
pub fn days_between(first: &str, last: &str) -> Option<i64> {
    let date = |text: &str| text.get(..10)?.parse::<Date>().ok();
    Some(i64::from(date(first)?.until(date(last)?).ok()?.get_days()))
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
}
