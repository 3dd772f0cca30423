use super::Refusal;
use super::bits::Bits;
use super::huffman::{Table, Tables};
use super::stream::{Frame, Part, Stream, marker};
use crate::PreprocessError;

/// The zigzag order; beyond its end libjpeg stays at the last place.
pub(super) const ORDER: [u8; 80] = {
    let mut order = [63; 80];
    let (mut x, mut y, mut i) = (0_u8, 0_u8, 0);
    while i < 64 {
        order[i] = 8 * y + x;
        let up = (x + y).is_multiple_of(2);
        match (up, x, y) {
            (true, 7, _) => y += 1,
            (true, _, 0) => x += 1,
            (true, ..) => (x, y) = (x + 1, y - 1),
            (false, _, 7) => x += 1,
            (false, 0, _) => y += 1,
            (false, ..) => (x, y) = (x - 1, y + 1),
        }
        i += 1;
    }
    order
};

/// A block of 8 x 8 coefficients, row by row.
pub(super) type Block = [i16; 64];

/// The coefficients of a component.
pub(super) struct Plane {
    /// Blocks of a row as stored, filled up to whole units.
    pub(super) stride: usize,
    /// Blocks that have pixels.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) blocks: Vec<Block>,
    /// The quantization of the first scan that has the component, in zigzag order.
    pub(super) quantization: Option<[u16; 64]>,
    /// The number of unknown lower bits of each of the first ten coefficients, in zigzag order; -1 if no bit is known.
    pub(super) unknown: [i32; 10],
    /// The same before the last scan of the component, as libjpeg remembers it.
    pub(super) unknown_before: [i32; 10],
}

/// The coefficients of an image that scans have given so far, damaged scans as libjpeg understands them.
pub(super) struct Coefficients {
    pub(super) planes: Vec<Plane>,
    /// Rows of units that are there where the file ends early.
    pub(super) rows: usize,
    /// The last row of units of the last scan whose data were there.
    pub(super) last_good: usize,
    /// No data were missing.
    complete: bool,
}

/// Returns true if no data are missing from the only scan of a file.
pub(super) fn are_complete(stream: &Stream) -> bool {
    scans(stream, false).is_ok_and(|coefficients| coefficients.complete)
}

/// Reads all scans.
pub(super) fn read(stream: &Stream) -> Result<Coefficients, PreprocessError> {
    scans(stream, true)
}

/// Reads all scans, and keeps the coefficients or not.
fn scans(stream: &Stream, kept: bool) -> Result<Coefficients, PreprocessError> {
    let frame = &stream.frame;
    let mut state = State {
        coefficients: Coefficients {
            planes: planes(frame, kept)?,
            rows: 0,
            last_good: 0,
            complete: true,
        },
        kept,
        tables: Tables::default(),
        quantization: [None; 4],
        interval: 0,
        scans: 0,
    };
    for part in &stream.parts {
        match part {
            Part::Table { marker, data } => state.table(*marker, &stream.bytes[data.clone()])?,
            Part::Scan { header, data, .. } => {
                let end = stream.bytes.get(data.end + 1).copied();
                let bits = Bits::new(&stream.bytes[data.clone()], end);
                let scan = Scan::of(frame, &stream.bytes[header.clone()])?;
                state.latch(frame, &scan)?;
                match state.scan(frame, &scan, bits) {
                    Err(Refusal::CutOff) if stream.one_scan() => break,
                    read => read?,
                }
                if stream.one_scan() {
                    break;
                }
            }
        }
    }
    if state.scans == 1 {
        for plane in &mut state.coefficients.planes {
            plane.unknown_before = [-1; 10];
        }
    }
    Ok(state.coefficients)
}

fn planes(frame: &Frame, kept: bool) -> Result<Vec<Plane>, PreprocessError> {
    let (across, down) = frame.sampling();
    let units = (frame.width.div_ceil(8 * across), frame.height.div_ceil(8 * down));
    let plane = |component: &super::stream::Component| {
        let stride = units.0 * component.across;
        let count = if kept {
            stride * units.1 * component.down
        } else {
            1
        };
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(count)
            .map_err(|_| PreprocessError::Memory {
                bytes: 128 * count as u64,
            })?;
        blocks.resize(count, [0; 64]);
        Ok(Plane {
            stride,
            width: (frame.width * component.across).div_ceil(8 * across),
            height: (frame.height * component.down).div_ceil(8 * down),
            blocks,
            quantization: None,
            unknown: [-1; 10],
            unknown_before: [-1; 10],
        })
    };
    frame.components.iter().map(plane).collect()
}

/// A scan's header.
struct Scan {
    /// Components, and the numbers of their tables.
    components: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    first: usize,
    last: usize,
    /// Bits below the one that the scans before have told; 0 where this is the first.
    high: u32,
    /// Bits that it leaves out.
    low: u32,
}

impl Scan {
    fn of(frame: &Frame, header: &[u8]) -> Result<Self, Refusal> {
        let count = usize::from(header[0]);
        let (pairs, _) = header[1..1 + 2 * count].as_chunks::<2>();
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for (place, [id, tables]) in pairs.iter().enumerate() {
            // In the order of the frame, each once.
            let known = frame.components.iter().enumerate().skip(place);
            let index = known.into_iter().find(|(_, component)| component.id == *id);
            let (index, _) = index.ok_or(Refusal::Damaged("a scan of a component that there is not"))?;
            if components.iter().any(|(other, ..)| *other == index) {
                return Err(Refusal::Damaged("a scan that has a component twice"));
            }
            components.push((index, usize::from(tables >> 4), usize::from(tables & 15)));
        }
        let rest = &header[1 + 2 * count..];
        let scan = Self {
            components,
            first: usize::from(rest[0]),
            last: usize::from(rest[1]),
            high: u32::from(rest[2] >> 4),
            low: u32::from(rest[2] & 15),
        };
        let differences = scan.first == 0;
        let wrong = scan.first > scan.last
            || scan.last > 63
            || differences && scan.last != 0
            || !differences && count != 1
            || scan.high != 0 && scan.low + 1 != scan.high
            || scan.low > 13;
        if frame.progressive() && wrong || count == 0 {
            return Err(Refusal::Damaged("a scan of impossible coefficients"));
        }
        Ok(scan)
    }
}

struct State {
    coefficients: Coefficients,
    /// Otherwise each block takes the place of the one before.
    kept: bool,
    tables: Tables,
    quantization: [Option<[u16; 64]>; 4],
    interval: u32,
    scans: usize,
}

impl State {
    fn table(&mut self, marker: u8, data: &[u8]) -> Result<(), Refusal> {
        match marker {
            marker::DHT => self.tables.read(data),
            marker::DQT => self.quantization(data),
            marker::DRI => {
                let interval = data.first_chunk().filter(|_| data.len() == 2);
                let interval = interval.ok_or(Refusal::Damaged("a restart interval of a wrong length"))?;
                self.interval = u32::from(u16::from_be_bytes(*interval));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quantization(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        let wrong = Refusal::Damaged("a quantization table of a wrong length");
        while let Some(([number], rest)) = data.split_first_chunk() {
            let wide = number >> 4 != 0;
            let (values, rest) = rest.split_at_checked(if wide { 128 } else { 64 }).ok_or(wrong)?;
            let value = |i: usize| match wide {
                true => u16::from_be_bytes([values[2 * i], values[2 * i + 1]]),
                false => u16::from(values[i]),
            };
            let slot = self.quantization.get_mut(usize::from(number & 15)).ok_or(wrong)?;
            *slot = Some(std::array::from_fn(value));
            data = rest;
        }
        Ok(())
    }

    /// Notes the quantization of components that come for the first time, and what bits are known of them after the scan.
    fn latch(&mut self, frame: &Frame, scan: &Scan) -> Result<(), Refusal> {
        self.scans += 1;
        for (index, ..) in &scan.components {
            let plane = &mut self.coefficients.planes[*index];
            if plane.quantization.is_none() {
                let table = self.quantization[frame.components[*index].table];
                plane.quantization = Some(table.ok_or(Refusal::Damaged("a quantization table is missing"))?);
            }
            plane.unknown_before = if self.scans > 1 { plane.unknown } else { [0; 10] };
            for coefficient in scan.first..=scan.last.min(9) {
                plane.unknown[coefficient] = scan.low.cast_signed();
            }
        }
        Ok(())
    }

    fn scan(&mut self, frame: &Frame, scan: &Scan, bits: Bits) -> Result<(), Refusal> {
        let Coefficients {
            planes,
            rows,
            last_good,
            complete,
        } = &mut self.coefficients;
        let (across, down) = frame.sampling();
        let alone = scan.components.len() == 1;
        // A unit of a single component is a block, and there are only those that have pixels.
        let (width, height, tall) = if alone {
            let index = scan.components[0].0;
            (
                planes[index].width,
                planes[index].height,
                frame.components[index].down,
            )
        } else {
            (
                frame.width.div_ceil(8 * across),
                frame.height.div_ceil(8 * down),
                1,
            )
        };
        let mut unit = Unit::new(frame, scan, &self.tables, bits)?;
        let mut until_restart = self.interval;
        for y in 0..height {
            for x in 0..width {
                if self.interval > 0 {
                    if until_restart == 0 {
                        unit.restart()?;
                        until_restart = self.interval;
                    }
                    until_restart -= 1;
                }
                if !unit.bits.exhausted {
                    *last_good = y / tall;
                }
                for (place, (index, ..)) in scan.components.iter().enumerate() {
                    let component = &frame.components[*index];
                    let (blocks_x, blocks_y) = if alone {
                        (1, 1)
                    } else {
                        (component.across, component.down)
                    };
                    let plane = &mut planes[*index];
                    for block in 0..blocks_x * blocks_y {
                        let (left, top) = (x * blocks_x + block % blocks_x, y * blocks_y + block / blocks_x);
                        let at = if self.kept { top * plane.stride + left } else { 0 };
                        unit.block(place, &mut plane.blocks[at])?;
                    }
                }
                unit.ended();
                *complete &= unit.begun;
            }
            *rows = (y + 1) / tall;
        }
        *rows = height.div_ceil(tall);
        Ok(())
    }
}

/// Decodes block after block of a scan.
struct Unit<'a> {
    bits: Bits<'a>,
    scan: &'a Scan,
    progressive: bool,
    /// By place in the scan.
    differences: Vec<Option<&'a Table>>,
    rest: Vec<Option<&'a Table>>,
    /// The first coefficient of the block before, by place.
    before: Vec<i32>,
    /// Blocks that have no further coefficients in the band.
    empty: u32,
    /// True if data were there when the unit began; the rest of the unit is then decoded from zeros.
    begun: bool,
}

impl<'a> Unit<'a> {
    fn new(frame: &Frame, scan: &'a Scan, tables: &'a Tables, bits: Bits<'a>) -> Result<Self, Refusal> {
        let progressive = frame.progressive();
        let table = |needed: bool, tables: &'a [Option<Table>; 4], number: usize| match needed {
            true => match tables.get(number) {
                Some(Some(table)) => Ok(Some(table)),
                _ => Err(Refusal::Damaged("a Huffman table is missing")),
            },
            false => Ok(None),
        };
        let first = !progressive || scan.first == 0 && scan.high == 0;
        let rest = !progressive || scan.first > 0;
        let numbers = scan.components.iter();
        Ok(Self {
            differences: (numbers
                .clone()
                .map(|(_, dc, _)| table(first, &tables.differences, *dc)))
            .collect::<Result<_, _>>()?,
            rest: (numbers.map(|(_, _, ac)| table(rest, &tables.rest, *ac))).collect::<Result<_, _>>()?,
            before: vec![0; scan.components.len()],
            empty: 0,
            begun: true,
            bits,
            scan,
            progressive,
        })
    }

    fn restart(&mut self) -> Result<(), Refusal> {
        self.bits.restart()?;
        self.before.fill(0);
        self.empty = 0;
        self.begun = !self.bits.exhausted;
        Ok(())
    }

    fn ended(&mut self) {
        self.begun = !self.bits.exhausted;
    }

    fn block(&mut self, place: usize, block: &mut Block) -> Result<(), Refusal> {
        let Scan { first, high, .. } = *self.scan;
        match (self.progressive, first, high) {
            (true, 0, 1..) => self.refine_first(block),
            _ if !self.begun => Ok(()),
            (false, ..) => {
                block[0] = self.difference(place)? as i16;
                self.sequential(place, block)
            }
            (true, 0, 0) => {
                block[0] = (self.difference(place)? << self.scan.low) as i16;
                Ok(())
            }
            (true, _, 0) => self.band(place, block),
            (true, ..) => self.refine_band(place, block),
        }
    }

    /// The first coefficient, told as the difference to the one before.
    fn difference(&mut self, place: usize) -> Result<i32, Refusal> {
        let table = self.differences[place].ok_or(Refusal::Damaged("a Huffman table is missing"))?;
        let size = u32::from(self.bits.symbol(table)?);
        let difference = if size > 0 { self.bits.number(size)? } else { 0 };
        let sum = self.before[place].checked_add(difference);
        self.before[place] = sum.ok_or(Refusal::Damaged("a coefficient out of range"))?;
        Ok(self.before[place])
    }

    fn sequential(&mut self, place: usize, block: &mut Block) -> Result<(), Refusal> {
        let table = self.rest[place].ok_or(Refusal::Damaged("a Huffman table is missing"))?;
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run;
                block[usize::from(ORDER[k])] = self.bits.number(size)? as i16;
            } else if run == 15 {
                k += 15;
            } else {
                break;
            }
            k += 1;
        }
        Ok(())
    }

    fn refine_first(&mut self, block: &mut Block) -> Result<(), Refusal> {
        if self.bits.get(1)? == 1 {
            block[0] |= 1 << self.scan.low;
        }
        Ok(())
    }

    fn band(&mut self, place: usize, block: &mut Block) -> Result<(), Refusal> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let table = self.rest[place].ok_or(Refusal::Damaged("a Huffman table is missing"))?;
        let mut k = self.scan.first;
        while k <= self.scan.last {
            let symbol = self.bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run;
                block[usize::from(ORDER[k])] = (self.bits.number(size)? << self.scan.low) as i16;
            } else if run == 15 {
                k += 15;
            } else {
                self.empty = self.empty_blocks(run as u32)? - 1;
                break;
            }
            k += 1;
        }
        Ok(())
    }

    fn empty_blocks(&mut self, bits: u32) -> Result<u32, Refusal> {
        let more = if bits > 0 { self.bits.get(bits)? } else { 0 };
        Ok((1 << bits) + more)
    }

    fn refine_band(&mut self, place: usize, block: &mut Block) -> Result<(), Refusal> {
        let table = self.rest[place].ok_or(Refusal::Damaged("a Huffman table is missing"))?;
        let one = 1_i16 << self.scan.low;
        let mut k = self.scan.first;
        if self.empty == 0 {
            while k <= self.scan.last {
                let symbol = self.bits.symbol(table)?;
                let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
                let mut new = 0;
                if size > 0 {
                    new = if self.bits.get(1)? == 1 { one } else { -one };
                } else if run != 15 {
                    self.empty = self.empty_blocks(run)?;
                    break;
                }
                while k <= self.scan.last {
                    let coefficient = &mut block[usize::from(ORDER[k])];
                    if *coefficient != 0 {
                        refine(&mut self.bits, coefficient, one)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if new != 0 {
                    block[usize::from(ORDER[k])] = new;
                }
                k += 1;
            }
        }
        if self.empty > 0 {
            for k in k..=self.scan.last {
                let coefficient = &mut block[usize::from(ORDER[k])];
                if *coefficient != 0 {
                    refine(&mut self.bits, coefficient, one)?;
                }
            }
            self.empty -= 1;
        }
        Ok(())
    }
}

/// Reads the next bit of a coefficient that is not zero.
fn refine(bits: &mut Bits, coefficient: &mut i16, one: i16) -> Result<(), Refusal> {
    if bits.get(1)? == 1 && *coefficient & one == 0 {
        *coefficient = coefficient.wrapping_add(if *coefficient >= 0 { one } else { -one });
    }
    Ok(())
}
