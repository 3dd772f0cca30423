//! Awkward images, decoded and prepared as OpenCV and Pillow do; `tests/golden/preprocess/make.py` made them.

use std::fs;
use std::path::PathBuf;

use preprocess::{Filter, Profile, Reader, RgbImage, Transform, decode, decode_into};

const BILINEAR: Profile = Profile::Timm(Filter::Bilinear);
const BICUBIC: Profile = Profile::Timm(Filter::Bicubic);

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/preprocess")
}

fn read(path: &str) -> Vec<u8> {
    let path = golden().join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The decoded images as OpenCV and Pillow give them.
struct Decoded {
    name: String,
    readers: [(Reader, usize, usize, u64); 2],
}

fn decoded() -> Vec<Decoded> {
    let text = String::from_utf8(read("decoded.txt")).expect("text");
    let images = text.lines().map(|line| {
        let parts: Vec<&str> = line.split(' ').collect();
        let side = |i: usize| parts[i].parse().expect("a side");
        let of = |reader, i: usize| {
            let hash = u64::from_str_radix(parts[i + 2], 16).expect("a hash");
            (reader, side(i), side(i + 1), hash)
        };
        Decoded {
            name: parts[0].to_owned(),
            readers: [of(Reader::OpenCv, 1), of(Reader::Pillow, 4)],
        }
    });
    images.collect()
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn prepared(transform: &Transform, bytes: &[u8]) -> Vec<u8> {
    let (image, _) = transform.decode(bytes).expect("an image");
    let mut pixels = vec![0; transform.output_elements()];
    transform.pixels(&image, &mut pixels);
    pixels
}

fn transform(resize_short: usize, crop: usize, profile: Profile) -> Transform {
    Transform::new(resize_short, crop, profile, [0.0; 3], [1.0; 3]).expect("a transform")
}

#[test]
fn every_file_is_decoded_as_both_readers_do() {
    let mut image = RgbImage::default();
    let mut wrong = Vec::new();
    let images = decoded();
    assert_eq!(images.len(), 39);
    for Decoded { name, readers } in images {
        let bytes = read(&format!("images/{name}"));
        for (reader, width, height, hash) in readers {
            let notes = decode_into(&bytes, reader, &mut image).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((image.width, image.height), (width, height), "{name}, {reader:?}");
            if fnv1a64(&image.pixels) != hash {
                wrong.push(format!("{name}, {reader:?}"));
            }
            assert_eq!(notes.icc, name == "jpeg-profile.jpg", "{name}");
            assert_eq!(
                notes.turned,
                name.starts_with("exif") && reader == Reader::OpenCv,
                "{name}"
            );
        }
    }
    assert!(wrong.is_empty(), "other pixels: {wrong:#?}");
}

#[test]
fn every_image_is_prepared_to_the_bit() {
    let profiles = [
        ("paddle-64-56", transform(64, 56, Profile::Paddle)),
        ("timm-56-bilinear-0.875", transform(64, 56, BILINEAR)),
        ("timm-56-bicubic-0.875", transform(64, 56, BICUBIC)),
        ("timm-56-bilinear-0.95", transform(58, 56, BILINEAR)),
        ("timm-72-bilinear-1.0", transform(72, 72, BILINEAR)),
    ];
    for (profile, transform) in profiles {
        let expected = decode(&read(&format!("expected/{profile}.png"))).expect("a PNG");
        let mut images = expected.pixels.chunks_exact(transform.output_elements());
        for Decoded { name, .. } in decoded() {
            let found = prepared(&transform, &read(&format!("images/{name}")));
            let expected = images.next().expect("one result an image");
            let differ = found.iter().zip(expected).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{name} as {profile}: samples that differ");
        }
        assert!(images.next().is_none(), "one image a result");
    }
}

#[test]
fn a_photo_is_prepared_to_the_bit_in_the_published_sizes() {
    let photo = read("../photo.jpg");
    for (profile, of) in [
        ("paddle-256-224", Profile::Paddle),
        ("timm-224-bilinear-0.875", BILINEAR),
        ("timm-224-bicubic-0.875", BICUBIC),
    ] {
        let expected = decode(&read(&format!("expected/photo-{profile}.png"))).expect("a PNG");
        let found = prepared(&transform(256, 224, of), &photo);
        let differ = found.iter().zip(&expected.pixels).filter(|(a, b)| a != b).count();
        assert_eq!((found.len(), differ), (expected.pixels.len(), 0), "{profile}");
    }
}

#[test]
fn tall_images_are_prepared_as_pillow_13_does_where_that_is_asked_for() {
    let names = ["40x160", "1x40", "17x23", "128x160", "64x64"].map(|size| format!("images/size-{size}.png"));
    let names: Vec<String> = names
        .into_iter()
        .chain(["images13-90x300.png".to_owned()])
        .collect();
    for (name, filter) in [("bilinear", Filter::Bilinear), ("bicubic", Filter::Bicubic)] {
        let new = transform(64, 56, Profile::Timm13(filter));
        let expected = decode(&read(&format!("expected/timm13-56-{name}-0.875.png"))).expect("a PNG");
        let mut images = expected.pixels.chunks_exact(new.output_elements());
        for file in &names {
            let found = prepared(&new, &read(file));
            let differ = |other: &[u8]| found.iter().zip(other).filter(|(a, b)| a != b).count();
            assert_eq!(
                differ(images.next().expect("one result an image")),
                0,
                "{file}, {name}"
            );
            let before = prepared(&transform(64, 56, Profile::Timm(filter)), &read(file));
            let tall = ["images/size-40x160.png", "images13-90x300.png"].contains(&file.as_str());
            // Of an image that becomes larger in both directions the order is the same.
            assert!(differ(&before) == 0 || tall, "{file}, {name}");
            assert!(
                differ(&before) > 100 || file != "images13-90x300.png",
                "{file}, {name}"
            );
        }
        assert!(images.next().is_none(), "one image a result");
    }
}
