use super::Refusal;
use super::huffman::{LOOK, Table};
use super::stream::marker;

/// Compressed data read as libjpeg reads them: ahead by up to 64 bits, with zeros for what is missing before a marker, and not
/// at all beyond the end of the file.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The marker behind the data; none where the file ends.
    end: Option<u8>,
    buffer: u64,
    left: u32,
    /// A marker that was met.
    met: Option<u8>,
    /// Zeros were read: until the next restart nothing is decoded.
    pub(super) exhausted: bool,
    next_restart: u8,
}

/// Libjpeg fills up to at least so many bits.
const FILLED: u32 = 57;

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], end: Option<u8>) -> Self {
        Self {
            data,
            at: 0,
            end,
            buffer: 0,
            left: 0,
            met: None,
            exhausted: false,
            next_restart: 0,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.data.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// Meets the marker behind the data, or finds that the file ends.
    fn behind(&mut self) -> Result<(), Refusal> {
        self.met = Some(self.end.ok_or(Refusal::CutOff)?);
        Ok(())
    }

    fn fill(&mut self, needed: u32) -> Result<(), Refusal> {
        while self.met.is_none() && self.left < FILLED {
            let Some(mut byte) = self.byte() else {
                self.behind()?;
                break;
            };
            if byte == 0xFF {
                while byte == 0xFF {
                    match self.byte() {
                        Some(next) => byte = next,
                        None => {
                            self.behind()?;
                            break;
                        }
                    }
                }
                match byte {
                    _ if self.met.is_some() => break,
                    0 => byte = 0xFF,
                    marker => {
                        self.met = Some(marker);
                        break;
                    }
                }
            }
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
        if needed > self.left {
            self.exhausted = true;
            self.buffer <<= FILLED - self.left;
            self.left = FILLED;
        }
        Ok(())
    }

    fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (self.left - count)) as u32 & ((1 << count) - 1)
    }

    /// The next bits, at most 17 of them.
    #[inline]
    pub(super) fn get(&mut self, count: u32) -> Result<u32, Refusal> {
        if self.left < count {
            self.fill(count)?;
        }
        let bits = self.peek(count);
        self.left -= count;
        Ok(bits)
    }

    /// The next number of so many bits, of which the lower half means negative ones.
    #[inline]
    pub(super) fn number(&mut self, count: u32) -> Result<i32, Refusal> {
        let bits = self.get(count)?.cast_signed();
        let half = 1 << (count - 1);
        Ok(if bits < half { bits - 2 * half + 1 } else { bits })
    }

    /// The next symbol; 0 for a code that there is not.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Refusal> {
        if self.left < LOOK {
            self.fill(0)?;
            if self.left < LOOK {
                return self.long_symbol(table, 1);
            }
        }
        let (bits, symbol) = table.look(self.peek(LOOK));
        if bits == 0 {
            return self.long_symbol(table, LOOK + 1);
        }
        self.left -= bits;
        Ok(symbol)
    }

    fn long_symbol(&mut self, table: &Table, least: u32) -> Result<u8, Refusal> {
        let mut code = self.get(least)?;
        let mut bits = least;
        while bits <= 16 {
            if let Some(symbol) = table.find(bits, code) {
                return Ok(symbol);
            }
            code = code << 1 | self.get(1)?;
            bits += 1;
        }
        Ok(0)
    }

    /// Goes to the next restart marker, or to where libjpeg goes on without it.
    pub(super) fn restart(&mut self) -> Result<(), Refusal> {
        self.left = 0;
        if self.met.is_none() {
            self.next_marker()?;
        }
        loop {
            let met = self.met.unwrap_or(marker::EOI);
            let ahead = met.wrapping_sub(marker::RST0).wrapping_sub(self.next_restart) & 7;
            match met {
                // No marker at all: it is passed over.
                ..0xC0 => self.next_marker()?,
                marker::RST0..=marker::RST7 => match ahead {
                    // One or two were lost: the marker comes again, and this part is empty.
                    1 | 2 => break,
                    // An earlier one: it is passed over.
                    6 | 7 => self.next_marker()?,
                    _ => {
                        self.met = None;
                        break;
                    }
                },
                _ => break,
            }
        }
        self.next_restart = (self.next_restart + 1) & 7;
        if self.met.is_none() {
            self.exhausted = false;
        }
        Ok(())
    }

    fn next_marker(&mut self) -> Result<(), Refusal> {
        loop {
            match memchr::memchr(0xFF, &self.data[self.at..]) {
                Some(skipped) => self.at += skipped,
                None => {
                    self.at = self.data.len();
                    return self.behind();
                }
            }
            match self.data[self.at..].iter().position(|byte| *byte != 0xFF) {
                Some(skipped) => self.at += skipped,
                None => return self.behind(),
            }
            let marker = self.data[self.at];
            self.at += 1;
            if marker != 0 {
                self.met = Some(marker);
                return Ok(());
            }
        }
    }
}
