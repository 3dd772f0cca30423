//! Decoding: OpenCV's pixels, orientation, gray and transparency, and bytes that are no image.

use png::ColorType;
use preprocess::{Profile, RgbImage, Transform, decode};

const PHOTO: &[u8] = include_bytes!("../../../tests/golden/photo.jpg");
const EXIF: &[u8] = include_bytes!("golden/exif.jpg");
/// Made by `golden/make_photo.py` with OpenCV 4.14.
const OPENCV: &[u8] = include_bytes!("golden/photo.rgb");

/// A PNG of these samples, 8 bits each.
fn encode(width: u32, height: u32, colour: ColorType, samples: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(samples).expect("encoded");
    writer.finish().expect("encoded");
    bytes
}

#[test]
fn the_photo_is_opencvs() {
    let photo = decode(PHOTO).expect("a photo");
    assert_eq!((photo.width, photo.height), (451, 300));
    let transform = Transform::new(256, 224, Profile::Paddle, [0.0; 3], [1.0; 3]).expect("a transform");
    let mut pixels = vec![0; transform.output_elements()];
    transform.pixels(&photo, &mut pixels);
    let sampled: Vec<u8> = pixels
        .chunks_exact(224 * 3)
        .step_by(8)
        .flat_map(|row| row.chunks_exact(3).step_by(8))
        .flatten()
        .copied()
        .collect();
    assert!(sampled == OPENCV, "OpenCV's pixels");
}

#[test]
fn exif_orientation_is_applied() {
    let image = decode(EXIF).expect("a photo");
    assert_eq!((image.width, image.height), (8, 16));
    let pixel = |x: usize, y: usize| &image.pixels[(y * image.width + x) * 3..][..3];
    assert!(
        pixel(4, 2)[0] > 200 && pixel(4, 2)[2] < 60,
        "red above: {:?}",
        pixel(4, 2)
    );
    assert!(
        pixel(4, 13)[2] > 200 && pixel(4, 13)[0] < 60,
        "blue below: {:?}",
        pixel(4, 13)
    );
}

#[test]
fn gray_becomes_rgb_and_transparency_is_dropped() {
    let gray: Vec<u8> = (0..20).map(|i| 40 * (i % 5) + i / 5).collect();
    let gray = decode(&encode(5, 4, ColorType::Grayscale, &gray)).expect("a PNG");
    assert_eq!(
        (gray.width, gray.height, &gray.pixels[3..6]),
        (5, 4, [40, 40, 40].as_slice())
    );
    let clear = encode(3, 2, ColorType::Rgba, &[10, 20, 30, 0].repeat(6));
    let clear = decode(&clear).expect("a PNG");
    assert_eq!(
        clear,
        RgbImage {
            width: 3,
            height: 2,
            pixels: [10, 20, 30].repeat(6)
        }
    );
}

#[test]
fn other_bytes_are_an_error() {
    for bytes in [
        b"".as_slice(),
        b"GIF89a",
        b"\xff\xd8\xff",
        &PHOTO[..300],
        &[0; 4096],
    ] {
        let error = decode(bytes).expect_err("no image").to_string();
        assert!(
            error.contains("cannot be read as a JPEG, PNG, WebP or BMP image"),
            "{error}"
        );
    }
    let mut huge = encode(4, 4, ColorType::Rgb, &[0; 48]);
    huge[16..20].copy_from_slice(&0x7FFF_FFFF_u32.to_be_bytes());
    assert!(decode(&huge).is_err(), "a header of two thousand million columns");
}

#[test]
fn a_photo_that_ends_early_is_an_error() {
    for part in [2, 3, 4] {
        let cut = PHOTO.len() - PHOTO.len() / part;
        let error = decode(&PHOTO[..cut]).expect_err("a part of a photo").to_string();
        assert!(error.contains("end of data"), "{error}");
    }
}

#[test]
fn damaged_files_never_panic() {
    let mut random = 1_u64;
    let mut number = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/preprocess/images"
    );
    for entry in std::fs::read_dir(folder).expect("the golden images") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("an image");
        for _ in 0..120 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + number(4) {
                let at = number(damaged.len());
                damaged[at] = number(256) as u8;
            }
            if number(3) == 0 {
                damaged.truncate(number(damaged.len()));
            }
            let _ = decode(&damaged);
        }
    }
}
