//! The attributes of pax headers for the next member: `LENGTH KEY=VALUE` lines.

/// The attributes of one member, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax(Vec<(String, Vec<u8>)>);

impl Pax {
    /// Adds the attributes of a header; they override earlier values of the same keys.
    pub(super) fn add(&mut self, mut text: &[u8]) -> Result<(), String> {
        while !text.is_empty() {
            let (line, rest) = record(text).ok_or("its pax attributes are damaged")?;
            let equals = line.iter().position(|byte| *byte == b'=');
            let equals = equals.ok_or("its pax attributes are damaged")?;
            let key = String::from_utf8_lossy(&line[..equals]).into_owned();
            self.0.push((key, line[equals + 1..].to_vec()));
            text = rest;
        }
        Ok(())
    }

    /// Returns the last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let mut values = self.0.iter().rev().filter(|(known, _)| known == key);
        // An empty value takes back what another header said.
        values
            .next()
            .map(|(_, value)| value.as_slice())
            .filter(|value| !value.is_empty())
    }

    /// Returns all keys with this prefix and their values, in order.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let below = move |(key, value): &'a (String, Vec<u8>)| {
            let key = key.strip_prefix(prefix)?;
            Some((key, value.as_slice()))
        };
        self.0.iter().filter_map(below)
    }

    /// Returns the value of a key that is a number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let parse = |value: &[u8]| number(value).ok_or_else(|| format!("its {key} is not a number"));
        self.get(key).map(parse).transpose()
    }

    /// Returns the member's path; a sparse file has a second one, for programs that do not support sparse files.
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.get("GNU.sparse.name").or_else(|| self.get("path"))
    }
}

/// Splits the first record from a text: its length includes itself, and it ends with a newline.
fn record(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&text[..space])?).ok()?;
    let line = text.get(space + 1..length)?;
    Some((line.strip_suffix(b"\n")?, &text[length..]))
}

/// Returns a decimal number without a sign.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_lines_of_their_own_and_the_last_one_counts() {
        let mut pax = Pax::default();
        pax.add(b"12 path=a/b\n17 comment=x\ny=z\n").expect("sound");
        pax.add(b"10 path=c\n11 size=12\n").expect("sound");
        assert_eq!(pax.name(), Some(&b"c"[..]));
        assert_eq!(pax.get("comment"), Some(&b"x\ny=z"[..]));
        assert_eq!(pax.number("size"), Ok(Some(12)));
        pax.add(b"8 path=\n").expect("sound");
        assert_eq!(pax.name(), None, "taken back");
    }

    #[test]
    fn damaged_records_are_refused() {
        for text in [
            &b"path=a\n"[..],
            b"99 path=a\n",
            b"9 path=a",
            b"0 a=b\n",
            b"+9 path=a\n",
            b"5 pa\n",
            b"2 \n",
        ] {
            let found = Pax::default().add(text);
            assert!(found.is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }
}
