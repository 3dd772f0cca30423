//! Resizing against OpenCV's own bytes, and windows against the whole.

use kernels::{Bilinear, Extent, Window};

/// Made by `golden/make_resize.py` with OpenCV 4.14.
const GOLDEN: &str = include_str!("golden/resize.txt");

fn image(extent: Extent) -> Vec<u8> {
    let bytes = u32::try_from(extent.width * extent.height * 3).expect("a small image");
    (0..bytes)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn resized(source: Extent, target: Extent, window: Window) -> Vec<u8> {
    let mut out = vec![0; window.extent.width * window.extent.height * 3];
    Bilinear::new(source, target, window).run(&image(source), &mut out);
    out
}

fn whole(target: Extent) -> Window {
    Window {
        left: 0,
        top: 0,
        extent: target,
    }
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn cases() -> impl Iterator<Item = (Extent, Extent, u64)> {
    GOLDEN.lines().map(|line| {
        let parts: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| parts[i].parse::<usize>().expect("a number");
        let extent = |i| Extent {
            width: number(i),
            height: number(i + 1),
        };
        (
            extent(0),
            extent(2),
            u64::from_str_radix(parts[4], 16).expect("a hash"),
        )
    })
}

#[test]
fn every_size_is_equal_to_opencv_to_the_bit() {
    assert_eq!(cases().count(), 22);
    for (source, target, expected) in cases() {
        let found = fnv1a64(&resized(source, target, whole(target)));
        assert_eq!(found, expected, "{source:?} to {target:?}");
    }
}

#[test]
fn a_window_is_that_part_of_the_whole() {
    for (source, target, _) in cases() {
        let all = resized(source, target, whole(target));
        let extent = Extent {
            width: target.width.div_ceil(2),
            height: target.height.div_ceil(3),
        };
        let window = Window {
            left: target.width - extent.width,
            top: (target.height - extent.height) / 2,
            extent,
        };
        let part = resized(source, target, window);
        for (y, row) in part.chunks_exact(extent.width * 3).enumerate() {
            let start = ((window.top + y) * target.width + window.left) * 3;
            assert_eq!(
                row,
                &all[start..start + extent.width * 3],
                "{source:?} to {target:?}, row {y}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "does not lie in")]
fn a_window_beyond_the_target_is_refused() {
    let extent = Extent { width: 4, height: 4 };
    Bilinear::new(
        extent,
        extent,
        Window {
            left: 1,
            top: 0,
            extent,
        },
    );
}
