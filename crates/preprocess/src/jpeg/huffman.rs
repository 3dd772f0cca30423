use super::Refusal;

/// Bits that are looked up at once.
pub(super) const LOOK: u32 = 8;

/// A Huffman table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// By the next [`LOOK`] bits: the bits of a code that is not longer, and its symbol; 0 bits for longer ones.
    short: Vec<(u8, u8)>,
    /// By length less one: the first code, the place of its symbol, and how many codes there are.
    lengths: [(u32, usize, u32); 16],
    symbols: Vec<u8>,
}

impl Table {
    /// The table of a count of codes of each length, and their symbols in order. In a table of differences symbols are
    /// lengths of numbers.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8], differences: bool) -> Result<Self, Refusal> {
        if differences && symbols.iter().any(|symbol| *symbol > 15) {
            return Err(Refusal::Damaged("a Huffman table with impossible symbols"));
        }
        let mut short = vec![(0, 0); 1 << LOOK];
        let mut lengths = [(0, 0, 0); 16];
        let (mut code, mut place) = (0_u32, 0);
        for (bits, count) in (1..).zip(counts) {
            let count = u32::from(*count);
            // No code is all ones.
            if count > 0 && code + count >= 1 << bits {
                return Err(Refusal::Damaged("a Huffman table with more codes than there are"));
            }
            lengths[bits as usize - 1] = (code, place, count);
            for i in 0..count {
                if bits <= LOOK {
                    let spread = LOOK - bits;
                    let begin = ((code + i) << spread) as usize;
                    short[begin..begin + (1 << spread)].fill((bits as u8, symbols[place + i as usize]));
                }
            }
            place += count as usize;
            code = (code + count) << 1;
        }
        Ok(Self {
            short,
            lengths,
            symbols: symbols.to_vec(),
        })
    }

    #[inline]
    pub(super) fn look(&self, bits: u32) -> (u32, u8) {
        let (length, symbol) = self.short[bits as usize];
        (u32::from(length), symbol)
    }

    /// The symbol of a code of this many bits.
    pub(super) fn find(&self, bits: u32, code: u32) -> Option<u8> {
        let (first, place, count) = self.lengths[bits as usize - 1];
        let after = code.wrapping_sub(first);
        (after < count).then(|| self.symbols[place + after as usize])
    }
}

/// The tables that are in force, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) differences: [Option<Table>; 4],
    pub(super) rest: [Option<Table>; 4],
}

impl Tables {
    /// Takes in the tables of a segment.
    pub(super) fn read(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        let wrong = Refusal::Damaged("a Huffman table of a wrong length");
        while let Some(([number], rest)) = data.split_first_chunk() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(wrong)?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or(wrong)?;
            let differences = number & 0x10 == 0;
            let kind = if differences {
                &mut self.differences
            } else {
                &mut self.rest
            };
            let slot = kind.get_mut(usize::from(number & !0x10)).ok_or(wrong)?;
            *slot = Some(Table::new(counts, symbols, differences)?);
            data = rest;
        }
        Ok(())
    }
}
