//! Resizing against OpenCV's and Pillow's own bytes, windows against the whole, and each vector unit against portable
//! code.

use kernels::engine::Isa;
use kernels::{Extent, Geometry, Resampling, Resizer, Window};

/// Made by `golden/make_resize.py` with OpenCV 4.14 and Pillow 12.3.
const GOLDEN: &str = include_str!("golden/resize.txt");

const ALL: [Resampling; 3] = [
    Resampling::OpenCvLinear,
    Resampling::PillowBilinear,
    Resampling::PillowBicubic,
];

/// The same and Pillow 13's, which `preprocess` holds against its bytes.
const EVERY: [Resampling; 5] = [
    Resampling::OpenCvLinear,
    Resampling::PillowBilinear,
    Resampling::PillowBicubic,
    Resampling::Pillow13Bilinear,
    Resampling::Pillow13Bicubic,
];

fn image(extent: Extent) -> Vec<u8> {
    let bytes = u32::try_from(extent.width * extent.height * 3).expect("a small image");
    (0..bytes)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// The window's pixels, interleaved RGB.
fn run(resizer: &mut Resizer, geometry: Geometry) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rows = 0;
    resizer.run(geometry, &image(geometry.source), |y, row| {
        assert_eq!((y, row.len()), (rows, geometry.window.extent.width * 4));
        rows += 1;
        out.extend(row.chunks_exact(4).flat_map(|pixel| &pixel[..3]));
    });
    assert_eq!(rows, geometry.window.extent.height);
    out
}

fn whole(source: Extent, target: Extent) -> Geometry {
    let window = Window {
        left: 0,
        top: 0,
        extent: target,
    };
    Geometry {
        source,
        target,
        window,
    }
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// A source, a target, and the hash for each of [`ALL`].
fn cases() -> impl Iterator<Item = (Extent, Extent, [u64; 3])> {
    GOLDEN.lines().map(|line| {
        let parts: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| parts[i].parse::<usize>().expect("a number");
        let extent = |i| Extent {
            width: number(i),
            height: number(i + 1),
        };
        let hash = |i: usize| u64::from_str_radix(parts[i], 16).expect("a hash");
        (extent(0), extent(2), [hash(4), hash(5), hash(6)])
    })
}

#[test]
fn every_size_is_equal_to_the_libraries_to_the_bit() {
    assert_eq!(cases().count(), 26);
    for isa in Isa::available() {
        for (i, resampling) in ALL.into_iter().enumerate() {
            // One resizer for all sizes: nothing of an image before may be left.
            let mut resizer = Resizer::on(resampling, isa);
            for (source, target, expected) in cases() {
                let found = fnv1a64(&run(&mut resizer, whole(source, target)));
                assert_eq!(
                    found,
                    expected[i],
                    "{resampling:?} of {source:?} to {target:?} on {}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn a_window_is_that_part_of_the_whole() {
    for resampling in EVERY {
        let mut resizer = Resizer::new(resampling);
        for (source, target, _) in cases() {
            let all = run(&mut resizer, whole(source, target));
            let extent = Extent {
                width: target.width.div_ceil(2),
                height: target.height.div_ceil(3),
            };
            let window = Window {
                left: target.width - extent.width,
                top: (target.height - extent.height) / 2,
                extent,
            };
            let geometry = Geometry {
                source,
                target,
                window,
            };
            let part = run(&mut resizer, geometry);
            for (y, row) in part.chunks_exact(extent.width * 3).enumerate() {
                let start = ((window.top + y) * target.width + window.left) * 3;
                assert_eq!(
                    row,
                    &all[start..start + extent.width * 3],
                    "{resampling:?} of {source:?} to {target:?}, row {y}"
                );
            }
        }
    }
}

#[test]
fn every_unit_gives_the_bytes_of_portable_code() {
    let portable = Isa::named("portable").expect("portable code runs anywhere");
    let mut random = 1_u64;
    let mut number = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for _ in 0..300 {
        let mut extent = |largest| Extent {
            width: 1 + number(largest),
            height: 1 + number(largest),
        };
        let (source, target) = (extent(150), extent(90));
        let (left, top) = (number(target.width), number(target.height));
        let extent = Extent {
            width: 1 + number(target.width - left),
            height: 1 + number(target.height - top),
        };
        let geometry = Geometry {
            source,
            target,
            window: Window { left, top, extent },
        };
        for resampling in EVERY {
            let expected = run(&mut Resizer::on(resampling, portable), geometry);
            for isa in Isa::available() {
                let found = run(&mut Resizer::on(resampling, isa), geometry);
                assert!(
                    found == expected,
                    "{resampling:?} of {geometry:?} on {}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "does not lie in")]
fn a_window_beyond_the_target_is_refused() {
    let extent = Extent { width: 4, height: 4 };
    let mut geometry = whole(extent, extent);
    geometry.window.left = 1;
    run(&mut Resizer::new(Resampling::OpenCvLinear), geometry);
}
