//! Bytes written as text, one character each, U+0000 to U+00FF in UTF-8: pickle protocol 2's way.
//!
//! There, bytes from 0x80 on take two: `C2` and the byte itself, or `C3` and the byte less 0x40. Half the bytes of
//! trained weights do, in no order that a branch predictor could learn, so no loop here has a branch.

/// Returns the number of bytes that the text encodes.
///
/// # Errors
/// If it has other characters.
pub(crate) fn count(text: &[u8]) -> Result<usize, String> {
    let leads = |byte: u8| byte >= 0xC0;
    let continues = |byte: u8| byte & 0xC0 == 0x80;
    let (first, last) = (text.first().copied(), text.last().copied());
    // Both loops compare neighbours and carry nothing from one byte to the next, so they run many bytes at a time.
    let broken = text
        .iter()
        .zip(text.iter().skip(1))
        .fold(false, |broken, (byte, next)| {
            broken | (leads(*byte) != continues(*next)) | (leads(*byte) & (byte & 0xFE != 0xC2))
        });
    if broken || first.is_some_and(continues) || last.is_some_and(leads) {
        return Err("array data that is no text of the characters U+0000 to U+00FF".into());
    }
    Ok(text.iter().filter(|byte| !leads(**byte)).count())
}

/// The bytes that a text stands for which [`count`] has found valid.
pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; text.len()];
    let (mut count, mut previous) = (0, 0);
    for &byte in text {
        // A lead byte is written too, and overwritten by what follows it.
        bytes[count] = byte | u8::from(previous == 0xC3) << 6;
        count += usize::from(byte < 0xC0);
        previous = byte;
    }
    bytes.truncate(count);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_its_character() {
        let text: String = (0..=u8::MAX).chain((0..=u8::MAX).rev()).map(char::from).collect();
        let bytes: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
        assert_eq!(count(text.as_bytes()), Ok(bytes.len()));
        assert_eq!(decode(text.as_bytes()), bytes);
        assert_eq!(count(b""), Ok(0));
    }

    #[test]
    fn text_is_refused_exactly_where_it_stands_for_no_bytes() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let pair = [first, second];
                let expected: Option<Vec<u8>> = std::str::from_utf8(&pair)
                    .ok()
                    .and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
                let found = count(&pair).ok().map(|_| decode(&pair));
                assert_eq!(found, expected, "{pair:02x?}");
            }
        }
        for text in ["Ā", "€", "a😀"] {
            assert!(count(text.as_bytes()).is_err(), "{text}");
        }
    }
}
