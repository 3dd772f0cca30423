use std::ops::Range;

use super::Refusal;
use crate::exif::Orientation;

/// Markers, after `FF`.
pub(super) mod marker {
    pub(crate) const DHT: u8 = 0xC4;
    pub(crate) const DAC: u8 = 0xCC;
    pub(crate) const RST0: u8 = 0xD0;
    pub(crate) const RST7: u8 = 0xD7;
    pub(crate) const SOI: u8 = 0xD8;
    pub(crate) const EOI: u8 = 0xD9;
    pub(crate) const SOS: u8 = 0xDA;
    pub(crate) const DQT: u8 = 0xDB;
    pub(crate) const DRI: u8 = 0xDD;
    pub(crate) const ADOBE: u8 = 0xEE;
}

/// The most scans of a file; beyond them it is taken for an attack on time.
const MOST_SCANS: usize = 500;

/// The most blocks of a unit.
const MOST_BLOCKS: usize = 10;

/// A JPEG taken apart as libjpeg does: what lies between segments is passed over.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) frame: Frame,
    /// Tables and scans in the order of the file.
    pub(super) parts: Vec<Part>,
    /// The end was marked.
    pub(super) ended: bool,
    /// The refusal with which libjpeg stops behind the only scan of a file, if that has all components: by then OpenCV has the
    /// pixels.
    pub(super) after: Option<Refusal>,
    /// A marker before the first scan has no data, and is none of restarts: Pillow does not know it.
    pub(super) without_data: bool,
    pub(super) colours: Colours,
    pub(super) icc: bool,
    pub(super) orientation: Orientation,
}

/// A segment that decoding needs, or a scan.
#[derive(Debug)]
pub(super) enum Part {
    /// A marker, and its data behind their length.
    Table { marker: u8, data: Range<usize> },
    /// A scan's header behind its length, its compressed data, and the markers in those.
    Scan {
        header: Range<usize>,
        data: Range<usize>,
        markers: Vec<u8>,
    },
}

/// The header of a frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The marker, which is the kind of compression.
    pub(super) process: u8,
    pub(super) precision: u8,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    /// The segment's data.
    pub(super) data: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Samples across and down, of the most that a component has.
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) table: usize,
}

/// The meaning of the components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Gray,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

impl Frame {
    /// The largest sampling factors.
    pub(super) fn sampling(&self) -> (usize, usize) {
        let most = |of: fn(&Component) -> usize| self.components.iter().map(of).max().unwrap_or(1);
        (most(|c| c.across), most(|c| c.down))
    }

    /// Blocks of a unit of a scan.
    fn blocks(&self, header: &[u8]) -> usize {
        let ids = header[1..].iter().step_by(2).take(usize::from(header[0]));
        if header[0] == 1 {
            return 1;
        }
        ids.flat_map(|id| self.components.iter().find(|component| component.id == *id))
            .map(|component| component.across * component.down)
            .sum()
    }

    pub(super) fn progressive(&self) -> bool {
        matches!(self.process, 0xC2 | 0xCA)
    }

    /// Lossless, without arithmetic codes.
    pub(super) fn lossless(&self) -> bool {
        self.process == 0xC3
    }

    pub(super) fn huffman(&self) -> bool {
        matches!(self.process, 0xC0..=0xC2)
    }
}

impl<'a> Stream<'a> {
    /// Takes a file apart.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut walk = Walk { bytes, at: 2 };
        let mut said = Said::default();
        let mut frame: Option<Frame> = None;
        let mut parts = Vec::new();
        let (mut scans, mut whole, mut ended, mut after) = (0, false, false, None);
        let mut interval = 0;
        loop {
            let marker = match walk.marker() {
                Some(marker::EOI) => {
                    ended = true;
                    break;
                }
                Some(marker) => marker,
                None => break,
            };
            let step = segment(&mut walk, marker, &mut said, &mut frame);
            let part = match step {
                // Behind the only scan libjpeg reads on to the end, but the pixels are there.
                Err(refusal) if whole => {
                    after = Some(refusal);
                    break;
                }
                Err(Refusal::CutOff) if scans > 0 => break,
                Err(refusal) => return Err(refusal),
                Ok(part) => part,
            };
            if let Some(Part::Table {
                marker: marker::DRI,
                data,
            }) = &part
            {
                interval = number(&bytes[data.clone()]);
            }
            if let Some(Part::Scan { header, markers, .. }) = &part {
                if whole {
                    after = Some(Refusal::Damaged("a second image where the end is expected"));
                    break;
                }
                scans += 1;
                if scans > MOST_SCANS {
                    return Err(Refusal::Damaged("more scans than any program writes"));
                }
                let frame = frame
                    .as_ref()
                    .ok_or(Refusal::Damaged("a scan before the frame's header"))?;
                let components = usize::from(bytes[header.start]);
                if frame.blocks(&bytes[header.clone()]) > MOST_BLOCKS {
                    return Err(Refusal::Damaged("more blocks in a unit than libjpeg takes"));
                }
                whole = !frame.progressive() && scans == 1 && components >= frame.components.len();
                // Without restarts nothing leads beyond a marker that there is not.
                let unknown = markers.iter().any(|marker| matches!(marker, 0x02..=0xBF));
                if interval == 0 && unknown {
                    let refusal = Refusal::Damaged("an unknown marker");
                    if !whole {
                        return Err(refusal);
                    }
                    after = Some(refusal);
                    parts.extend(part);
                    break;
                }
            }
            parts.extend(part);
        }
        let frame = frame.ok_or(Refusal::Damaged("no frame"))?;
        if scans == 0 {
            return Err(if ended {
                Refusal::Damaged("no image")
            } else {
                Refusal::CutOff
            });
        }
        Ok(Self {
            bytes,
            colours: said.colours(&frame),
            frame,
            parts,
            ended: ended || after.is_some(),
            after,
            icc: said.icc,
            without_data: said.without_data,
            orientation: said.orientation.unwrap_or(Orientation::NONE),
        })
    }

    /// Returns true if all pixels come from one scan, row by row; otherwise libjpeg reads the whole file before the first.
    pub(super) fn one_scan(&self) -> bool {
        let mut scans = self.parts.iter().filter_map(|part| match part {
            Part::Scan { header, .. } => Some(header),
            Part::Table { .. } => None,
        });
        let first = scans
            .next()
            .map_or(0, |header| usize::from(self.bytes[header.start]));
        !self.frame.progressive() && first == self.frame.components.len()
    }
}

impl Stream<'_> {
    /// Returns true if the data of all scans are divided by the right restart markers, and end with a marker.
    pub(super) fn is_whole(&self) -> bool {
        let mut interval = 0;
        let whole = |part: &Part| match part {
            Part::Table { marker, data } => {
                if *marker == marker::DRI {
                    interval = number(&self.bytes[data.clone()]);
                }
                true
            }
            Part::Scan { header, markers, .. } => {
                let parts = match interval {
                    0 => 1,
                    interval => self.units(&self.bytes[header.clone()]).div_ceil(interval),
                };
                // Some programs write one more at the end.
                let count = interval > 0 && markers.len() == parts || markers.len() + 1 == parts;
                let restarts = (marker::RST0..=marker::RST7).cycle();
                count
                    && markers
                        .iter()
                        .zip(restarts)
                        .all(|(found, expected)| *found == expected)
            }
        };
        self.ended && self.parts.iter().all(whole)
    }

    /// The last restart interval, units.
    pub(super) fn interval(&self) -> usize {
        let mut intervals = self.parts.iter().rev().filter_map(|part| match part {
            Part::Table { marker, data } if *marker == marker::DRI => Some(&self.bytes[data.clone()]),
            _ => None,
        });
        intervals.next().map_or(0, number)
    }

    /// The units of a scan.
    fn units(&self, header: &[u8]) -> usize {
        let Frame { width, height, .. } = self.frame;
        let (across, down) = self.frame.sampling();
        let alone = self
            .frame
            .components
            .iter()
            .find(|component| component.id == header[1]);
        match alone.filter(|_| header[0] == 1) {
            Some(one) => (width * one.across).div_ceil(8 * across) * (height * one.down).div_ceil(8 * down),
            None => width.div_ceil(8 * across) * height.div_ceil(8 * down),
        }
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(2)
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Reads the segment of a marker.
fn segment(
    walk: &mut Walk,
    marker: u8,
    said: &mut Said,
    frame: &mut Option<Frame>,
) -> Result<Option<Part>, Refusal> {
    match marker {
        0x01 | marker::RST0..=marker::RST7 => {
            said.without_data |= marker == 0x01 && !said.complete;
            return Ok(None);
        }
        marker::SOI => return Err(Refusal::Damaged("it begins twice")),
        0x02..=0xBF | 0xC8 | 0xDE | 0xDF | 0xF0..=0xFD => return Err(Refusal::Damaged("an unknown marker")),
        0xC5..=0xC7 | 0xCB | 0xCD..=0xCF => {
            return Err(Refusal::Damaged("a process that libjpeg does not know"));
        }
        _ => {}
    }
    // Of a length that does not count itself libjpeg makes nothing, where it does not need the data.
    let needed = matches!(marker, 0xC0..=0xCF | marker::SOS | marker::DQT | marker::DRI);
    let data = walk.segment(if needed { 2 } else { 0 })?;
    let bytes = &walk.bytes[data.clone()];
    Ok(match marker {
        0xC0..=0xC3 | 0xC9 | 0xCA => {
            if frame.is_some() {
                return Err(Refusal::Damaged("two frames"));
            }
            *frame = Some(frame_of(marker, bytes, data)?);
            None
        }
        marker::SOS => {
            if bytes.is_empty() || bytes.len() != 4 + 2 * usize::from(bytes[0]) {
                return Err(Refusal::Damaged("a scan's header of a wrong length"));
            }
            said.complete = true;
            let mut markers = Vec::new();
            Some(Part::Scan {
                header: data,
                data: walk.compressed(&mut markers),
                markers,
            })
        }
        marker::DHT | marker::DQT | marker::DAC | marker::DRI => Some(Part::Table { marker, data }),
        _ => {
            said.read(marker, bytes);
            None
        }
    })
}

fn frame_of(process: u8, bytes: &[u8], data: Range<usize>) -> Result<Frame, Refusal> {
    let Some(([precision, h1, h0, w1, w0, count], components)) = bytes.split_first_chunk() else {
        return Err(Refusal::Damaged("a frame's header of a wrong length"));
    };
    if components.len() != 3 * usize::from(*count) || !matches!(count, 1 | 3 | 4) {
        return Err(Refusal::Damaged(
            "a frame of a number of components that is not 1, 3 or 4",
        ));
    }
    let (components, _) = components.as_chunks::<3>();
    let components = components.iter().map(|[id, sampling, table]| Component {
        id: *id,
        across: usize::from(sampling >> 4),
        down: usize::from(sampling & 15),
        table: usize::from(*table),
    });
    let components: Vec<Component> = components.collect();
    let usual = |c: &Component| matches!(c.across, 1..=4) && matches!(c.down, 1..=4) && c.table < 4;
    if !components.iter().all(usual) {
        return Err(Refusal::Damaged("a component with impossible sampling"));
    }
    Ok(Frame {
        process,
        precision: *precision,
        width: usize::from(u16::from_be_bytes([*w1, *w0])),
        height: usize::from(u16::from_be_bytes([*h1, *h0])),
        components,
        data,
    })
}

/// A position in a file.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    /// The next marker; what comes before it is passed over.
    fn marker(&mut self) -> Option<u8> {
        loop {
            self.at += memchr::memchr(0xFF, self.bytes.get(self.at..)?)?;
            self.at += self.bytes[self.at..].iter().position(|byte| *byte != 0xFF)?;
            let marker = self.bytes[self.at];
            self.at += 1;
            if marker != 0 {
                return Some(marker);
            }
        }
    }

    /// The data of the segment that begins here.
    fn segment(&mut self, least: usize) -> Result<Range<usize>, Refusal> {
        let length = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
        let length = usize::from(u16::from_be_bytes(*length.ok_or(Refusal::CutOff)?));
        if length < least {
            return Err(Refusal::Damaged("a segment of a wrong length"));
        }
        let data = self.at + 2..self.at + length.max(2);
        if data.end > self.bytes.len() {
            return Err(Refusal::CutOff);
        }
        self.at = data.end;
        Ok(data)
    }

    /// Compressed data up to a marker that begins something else.
    fn compressed(&mut self, markers: &mut Vec<u8>) -> Range<usize> {
        let begin = self.at;
        loop {
            match self.marker() {
                Some(marker @ (marker::RST0..=marker::RST7 | 0x01..=0xBF)) => markers.push(marker),
                Some(_) => {
                    self.at -= 2;
                    return begin..self.at;
                }
                None => {
                    self.at = self.bytes.len();
                    return begin..self.at;
                }
            }
        }
    }
}

/// The information in application segments.
#[derive(Default)]
struct Said {
    jfif: bool,
    adobe: Option<u8>,
    icc: bool,
    orientation: Option<Orientation>,
    without_data: bool,
    /// True once the first scan's header was read: later segments are ignored.
    complete: bool,
}

impl Said {
    fn read(&mut self, marker: u8, bytes: &[u8]) {
        match marker {
            _ if self.complete => {}
            0xE0 => self.jfif |= bytes.len() >= 14 && bytes.starts_with(b"JFIF\0"),
            0xE1 if self.orientation.is_none() && bytes.starts_with(b"Exif\0\0") => {
                self.orientation = Orientation::from_exif(&bytes[6..]);
            }
            0xE2 => self.icc |= bytes.starts_with(b"ICC_PROFILE\0"),
            marker::ADOBE if bytes.len() >= 12 && bytes.starts_with(b"Adobe") => self.adobe = Some(bytes[11]),
            _ => {}
        }
    }

    /// Returns the meaning that libjpeg gives the components.
    fn colours(&self, frame: &Frame) -> Colours {
        let mut ids = [0; 4];
        for (id, component) in ids.iter_mut().zip(&frame.components) {
            *id = component.id;
        }
        match (frame.components.len(), self.adobe, ids) {
            (1, ..) => Colours::Gray,
            (3, ..) if self.jfif => Colours::YCbCr,
            (3, Some(0), _) => Colours::Rgb,
            (3, None, [b'R', b'G', b'B', _]) => Colours::Rgb,
            (3, None, [1, 2, 3, _]) => Colours::YCbCr,
            (3, ..) => Colours::YCbCr,
            (_, None | Some(0), _) => Colours::Cmyk,
            _ => Colours::Ycck,
        }
    }
}
