//! Memory that decoding takes is known from the header, and is no more than that.

#[cfg(target_os = "linux")]
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use preprocess::{Budget, PreprocessError, Reader, RgbImage, decode, decode_within};

fn png(width: u32, height: u32, profile: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(width, height);
    info.color_type = png::ColorType::Rgba;
    info.bit_depth = png::BitDepth::Sixteen;
    if profile > 0 {
        info.icc_profile = Some(vec![0; profile].into());
    }
    let encoder = png::Encoder::with_info(&mut bytes, info).expect("an encoder");
    let mut writer = encoder.write_header().expect("a header");
    let samples = vec![0; 8 * width as usize * height as usize];
    writer.write_image_data(&samples).expect("written");
    drop(writer);
    bytes
}

fn webp(width: u32, height: u32, colour: image_webp::ColorType, samples: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = vec![7; samples * width as usize * height as usize];
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.encode(&pixels, width, height, colour).expect("written");
    bytes
}

fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// The header of a picture of `side` x `side` pixels, and too little behind it.
fn lossless(side: u32) -> Vec<u8> {
    let bits = (side - 1) | (side - 1) << 14;
    [&[0x2F], bits.to_le_bytes().as_slice(), &[0; 64]].concat()
}

fn lossy(side: u16) -> Vec<u8> {
    let side = side.to_le_bytes();
    [&[0x10, 0, 0, 0x9D, 0x01, 0x2A], side.as_slice(), &side, &[0; 64]].concat()
}

fn extended(flags: u8, side: u32) -> Vec<u8> {
    let side = (side - 1).to_le_bytes();
    [&[flags, 0, 0, 0], &side[..3], &side[..3]].concat()
}

fn jpeg(process: u8, side: u16) -> Vec<u8> {
    let mut bytes = include_bytes!("../../../tests/golden/photo.jpg").to_vec();
    let at = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .expect("a frame");
    bytes[at + 1] = process;
    bytes[at + 5..at + 7].copy_from_slice(&side.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&side.to_be_bytes());
    bytes
}

fn bmp(side: i32) -> Vec<u8> {
    let mut bytes = vec![0; 54];
    bytes[..2].copy_from_slice(b"BM");
    bytes[10] = 54;
    bytes[14] = 40;
    bytes[18..22].copy_from_slice(&side.to_le_bytes());
    bytes[22..26].copy_from_slice(&side.to_le_bytes());
    (bytes[26], bytes[28]) = (1, 24);
    bytes
}

#[test]
fn a_header_of_too_many_pixels_is_refused_by_what_they_take() {
    let mut wide = png(1, 1, 0);
    wide[16..24].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
    let frame = [
        &[0; 16],
        b"VP8L".as_slice(),
        &69_u32.to_le_bytes(),
        &lossless(16383),
    ]
    .concat();
    let files = [
        ("a PNG", wide),
        ("a lossless WebP", riff(&[(b"VP8L", lossless(16383))])),
        (
            "a WebP with a picture larger than it",
            riff(&[(b"VP8X", extended(0, 1)), (b"VP8 ", lossy(16383))]),
        ),
        (
            "an animation with a frame larger than it",
            riff(&[(b"VP8X", extended(2, 1)), (b"ANIM", vec![0; 6]), (b"ANMF", frame)]),
        ),
        ("a JPEG", jpeg(0xC0, 17000)),
        ("a progressive JPEG", jpeg(0xC2, 14000)),
        ("a bitmap", bmp(20000)),
    ];
    for (name, bytes) in files {
        let error = decode(&bytes).expect_err(name);
        assert!(
            matches!(error, PreprocessError::TooLarge { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn pillow_opens_no_more_pixels_than_it_does() {
    let mut image = RgbImage::default();
    let budget = Budget::new(1 << 40);
    let error = decode_within(&bmp(14000), Reader::Pillow, &mut image, &budget).expect_err("too many");
    assert!(
        error.to_string().contains("Pillow opens at most 178956970"),
        "{error}"
    );
    let error = decode_within(&bmp(13000), Reader::Pillow, &mut image, &budget).expect_err("no pixels");
    assert!(error.to_string().contains("cut off"), "{error}");
}

/// The most memory that the process has had since it was last asked, bytes.
#[cfg(target_os = "linux")]
fn peak(of: impl FnOnce()) -> u64 {
    let kib = |name: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a line");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number")
    };
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
    let before = kib("VmRSS:");
    of();
    (kib("VmHWM:") - before) * 1024
}

/// A JPEG of a gentle slope, and the same without its last third but closed.
#[cfg(target_os = "linux")]
fn jpegs(way: impl Fn(Encoder) -> Encoder) -> [Vec<u8>; 2] {
    let (width, height) = SIDES;
    let pixels: Vec<u8> = (0..3 * width * height).map(|i| (i / 31_000) as u8).collect();
    let encoder = Encoder::new(&pixels, width, height, PixelFormat::Rgb).quality(75);
    let whole = way(encoder).encode().expect("written");
    let mut cut = whole[..2 * whole.len() / 3].to_vec();
    cut.extend([0xFF, 0xD9]);
    [whole, cut]
}

#[cfg(target_os = "linux")]
const SIDES: (usize, usize) = (1800, 1504);

/// One test, for memory is the process's.
#[cfg(target_os = "linux")]
#[test]
fn decoding_takes_no_more_than_it_says() {
    let (width, height) = (SIDES.0 as u32, SIDES.1 as u32);
    let mut files = vec![
        ("16 bits and a profile of 64 MiB", png(width, height, 64 << 20)),
        ("lossless", webp(width, height, image_webp::ColorType::Rgb8, 3)),
        (
            "transparent",
            webp(width, height, image_webp::ColorType::Rgba8, 4),
        ),
    ];
    type Way = fn(Encoder) -> Encoder;
    let ways: [(&str, Way); 4] = [
        ("4:2:0", |encoder| encoder.subsampling(Subsampling::S420)),
        ("4:4:4", |encoder| encoder.subsampling(Subsampling::S444)),
        ("progressive", |encoder| {
            encoder.subsampling(Subsampling::S420).progressive(true)
        }),
        ("restarts", |encoder| {
            encoder.subsampling(Subsampling::S422).restart_rows(1)
        }),
    ];
    for (name, way) in ways {
        files.extend(jpegs(way).map(|bytes| (name, bytes)));
    }
    for (name, bytes) in files {
        let decoded = |budget: u64| {
            let mut image = RgbImage::default();
            decode_within(&bytes, Reader::OpenCv, &mut image, &Budget::new(budget))
                .map(|_| image.pixels.len())
        };
        let mut budget = 1;
        while let Err(error) = decoded(budget) {
            let PreprocessError::TooLarge { bytes, .. } = error else {
                panic!("{name}: {error}");
            };
            assert!(bytes > budget, "{name}: what is asked for is enough");
            budget = bytes;
        }
        let taken = peak(|| assert_eq!(decoded(budget).expect(name), 3 * SIDES.0 * SIDES.1, "{name}"));
        // The allocator's own pages come on top.
        assert!(
            taken < budget + (2 << 20),
            "{name}: {taken} bytes, and it said {budget}"
        );
    }
}
