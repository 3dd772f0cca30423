use std::hint::black_box;

use harness::Suite;
use hrnet_zoo::PoseModel;
use pose::{BLUR_TAPS, Cropper, Decoder, Levels, PersonBox, Scored, Size};
use preprocess::RgbImage;

use crate::context::Context;

/// The network whose whole way is measured.
const NETWORK: &str = "pose_hrnet_w32_256x192";
const PHOTO: Size = Size::new(640, 480);
const INPUT: Size = Size::new(192, 256);
const MAP: Size = Size::new(48, 64);
const KEYPOINTS: usize = 17;

/// The pose benchmarks, as `cargo bench --bench pose` runs them: from a decoded photo of 640 x 480 pixels with one box to keypoints,
/// without a flip test, and the steps of it that are not the network.
///
/// # Panics
/// If the network cannot be prepared.
pub fn pose() {
    let cx = Context::embedded();
    cx.use_costs();
    let mut suite = Suite::from_args();
    for (id, unbiased) in [("pose/crop-msra", false), ("pose/crop-udp", true)] {
        suite.step(id, || crop(unbiased));
    }
    let taps = BLUR_TAPS;
    for decoder in [
        Decoder::Msra,
        Decoder::Dark { taps },
        Decoder::Udp { taps },
        Decoder::UdpOffsets { taps },
    ] {
        suite.step(&format!("pose/decode-{decoder}"), || decode(decoder));
    }
    suite.step("pose/whole-w32-256x192", || {
        let (photo, person) = (photo(), person());
        let mut model = model();
        move || {
            black_box(model.find(&photo, &[person]).expect("keypoints"));
        }
    });
    suite.finish();
}

/// Warps a person's crop and normalises it.
fn crop(unbiased: bool) -> impl FnMut() {
    let (photo, placement) = (photo(), person().person.place(INPUT));
    let mut cropper = Cropper::new(INPUT, unbiased, Levels::imagenet());
    let mut tensor = vec![0.0; 3 * INPUT.pixels()];
    move || {
        cropper.tensor(black_box(&photo), &placement, &mut tensor);
        black_box(&tensor);
    }
}

/// Decodes the heatmaps of one person.
fn decode(decoder: Decoder) -> impl FnMut() {
    let maps = heatmaps(KEYPOINTS * decoder.maps());
    let placements = [person().person.place(INPUT)];
    move || {
        let people = decoder.people(black_box(&maps), MAP, INPUT, KEYPOINTS, &placements);
        black_box(people.expect("as many maps as keypoints take"));
    }
}

fn model() -> PoseModel {
    let builder = PoseModel::builder(NETWORK).seeded(0).flip_test(false);
    builder.build_pose().expect("a variant of the built-in manifest")
}

/// A photo of smooth colours.
fn photo() -> RgbImage {
    let pixel = |at: usize| {
        let (x, y) = (at % PHOTO.width, at / PHOTO.width);
        [x % 256, y % 256, (x * y / 97) % 256].map(|value| value as u8)
    };
    RgbImage {
        width: PHOTO.width,
        height: PHOTO.height,
        pixels: (0..PHOTO.pixels()).flat_map(pixel).collect(),
    }
}

/// A person of two thirds of the photo's height.
fn person() -> Scored {
    let person = PersonBox::detected([200.5, 60.25, 150.0, 320.0], PHOTO).expect("a box on the photo");
    Scored { person, score: 1.0 }
}

/// Maps with a peak each, as those of a trained network have.
fn heatmaps(maps: usize) -> Vec<f32> {
    let map = |index: usize| {
        let (cx, cy) = (6.3 + (index * 7 % 36) as f32, 5.8 + (index * 11 % 52) as f32);
        (0..MAP.pixels()).map(move |at| {
            let (x, y) = ((at % MAP.width) as f32 - cx, (at / MAP.width) as f32 - cy);
            (-(x * x + y * y) / 8.0).exp()
        })
    };
    (0..maps).flat_map(map).collect()
}
