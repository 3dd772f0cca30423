use super::coefficients::{Block, Coefficients, ORDER};
use super::rewrite::{AHEAD, begin, segment};
use super::stream::{Stream, marker};
use crate::PreprocessError;

/// Codes of this many bits, or of one more, for each of 256 symbols.
const SHORT: u32 = 8;
/// Symbols that have the shorter codes.
const SHORTS: u8 = 128;

/// Writes coefficients as a file of one scan, which the decoder reads without having to guess.
pub(super) fn encode(stream: &Stream, coefficients: &Coefficients) -> Result<Vec<u8>, PreprocessError> {
    let frame = &stream.frame;
    let mut out = begin(stream, 4096 + 2 * stream.bytes.len())?;
    for (number, plane) in (0..).zip(&coefficients.planes) {
        let mut table = vec![0x10 | number];
        table.extend(
            plane
                .quantization
                .unwrap_or([1; 64])
                .iter()
                .flat_map(|value| value.to_be_bytes()),
        );
        segment(&mut out, marker::DQT, &table);
    }
    let single = coefficients.planes.len() == 1;
    let mut header = stream.bytes[frame.data.clone()].to_vec();
    let mut scan = vec![coefficients.planes.len() as u8];
    for (number, component) in (0..).zip(header[6..].chunks_exact_mut(3)) {
        // A single component is the size of the image, however it is said to be sampled.
        if single {
            component[1] = 0x11;
        }
        component[2] = number;
        scan.extend([component[0], 0]);
    }
    scan.extend([0, 63, 0]);
    segment(&mut out, 0xC1, &header);
    for kind in [0x00, 0x10] {
        segment(&mut out, marker::DHT, &table(kind));
    }
    segment(&mut out, marker::SOS, &scan);
    write_blocks(stream, coefficients, &mut out);
    out.extend([0; AHEAD]);
    Ok(out)
}

/// A table that has all symbols in order; of lengths of differences there are 16.
fn table(kind: u8) -> Vec<u8> {
    let mut table = vec![kind];
    let mut counts = [0_u8; 16];
    let symbols = if kind == 0 {
        counts[SHORT as usize - 1] = 16;
        0..=15
    } else {
        counts[SHORT as usize - 1] = SHORTS;
        counts[SHORT as usize] = SHORTS;
        0..=255
    };
    table.extend(counts);
    table.extend(symbols);
    table
}

fn write_blocks(stream: &Stream, coefficients: &Coefficients, out: &mut Vec<u8>) {
    let frame = &stream.frame;
    let mut writer = Writer {
        out,
        bits: 0,
        count: 0,
    };
    let mut before = [0_i16; 4];
    if let [plane] = coefficients.planes.as_slice() {
        for row in plane.blocks.chunks_exact(plane.stride).take(plane.height) {
            for block in &row[..plane.width] {
                writer.block(block, &mut before[0]);
            }
        }
        writer.finish();
        return;
    }
    let (across, down) = frame.sampling();
    for y in 0..frame.height.div_ceil(8 * down) {
        for x in 0..frame.width.div_ceil(8 * across) {
            for ((component, plane), before) in
                frame.components.iter().zip(&coefficients.planes).zip(&mut before)
            {
                for row in y * component.down..(y + 1) * component.down {
                    let blocks = &plane.blocks[row * plane.stride + x * component.across..];
                    for block in &blocks[..component.across] {
                        writer.block(block, before);
                    }
                }
            }
        }
    }
    writer.finish();
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    bits: u64,
    count: u32,
}

impl Writer<'_> {
    fn put(&mut self, value: u32, bits: u32) {
        self.bits = self.bits << bits | u64::from(value);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.bits >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    /// A symbol's code: [`table`] gives codes in the order of symbols.
    fn symbol(&mut self, symbol: u8) {
        if symbol < SHORTS {
            self.put(u32::from(symbol), SHORT);
        } else {
            let after = u32::from(symbol - SHORTS);
            self.put((u32::from(SHORTS) << 1) + after, SHORT + 1);
        }
    }

    /// The lower bits of a number of this size; negative ones less one.
    fn number(&mut self, number: i16, size: u32) {
        let bits = if number < 0 {
            i32::from(number) - 1
        } else {
            i32::from(number)
        };
        self.put(bits as u32 & ((1 << size) - 1), size);
    }

    fn block(&mut self, block: &Block, before: &mut i16) {
        // The decoder adds differences in 16 bits, and so do these go round.
        let difference = clamp(block[0].wrapping_sub(*before));
        *before = before.wrapping_add(difference);
        let size = size(difference);
        self.put(size, SHORT);
        if size > 0 {
            self.number(difference, size);
        }
        let mut zeros = 0;
        for place in &ORDER[1..64] {
            let coefficient = clamp(block[usize::from(*place)]);
            if coefficient == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                self.symbol(0xF0);
                zeros -= 16;
            }
            let size = self::size(coefficient);
            self.symbol(zeros << 4 | size as u8);
            self.number(coefficient, size);
            zeros = 0;
        }
        if zeros > 0 {
            self.symbol(0);
        }
    }

    fn finish(&mut self) {
        // Ones, which begin no code.
        self.put((1 << 7) - 1, 7);
    }
}

/// The one number of 16 bits has no code.
fn clamp(number: i16) -> i16 {
    number.max(-i16::MAX)
}

fn size(number: i16) -> u32 {
    16 - number.unsigned_abs().leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::super::bits::Bits;
    use super::super::huffman::Table;
    use super::*;

    #[test]
    fn symbols_and_numbers_are_read_as_they_were_written() {
        let segment = table(0x10);
        let counts = segment[1..17].first_chunk().expect("counts");
        let table = Table::new(counts, &segment[17..], false).expect("a table");
        let mut out = Vec::new();
        let mut writer = Writer {
            out: &mut out,
            bits: 0,
            count: 0,
        };
        let numbers = [1, -1, 2, -3, 255, -255, 1024, i16::MAX, -i16::MAX];
        for number in numbers {
            for symbol in [0, 127, 128, 255] {
                writer.symbol(symbol);
            }
            writer.number(number, size(number));
        }
        writer.finish();
        let mut bits = Bits::new(&out, Some(marker::EOI));
        for number in numbers {
            for symbol in [0, 127, 128, 255] {
                assert_eq!(bits.symbol(&table).expect("a symbol"), symbol);
            }
            assert_eq!(bits.number(size(number)).expect("a number"), i32::from(number));
        }
    }
}
