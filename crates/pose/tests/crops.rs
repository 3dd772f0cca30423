//! Boxes, matrices, crops and values of the input, to the bit those of mmpose 1.3.2 on OpenCV 4.14.

mod common;

use common::{bytes, fixed, json, list, numbers};
use pose::{Affine, Cropper, Levels, PersonBox, Placement, Size, warp};
use preprocess::RgbImage;
use serde_json::Value;

fn photo() -> RgbImage {
    preprocess::decode(&bytes("photo.png")).expect("a photo")
}

fn size(value: &Value) -> Size {
    let [width, height] = fixed(value);
    Size::new(width as usize, height as usize)
}

fn matrix(value: &Value) -> Affine {
    let [a, b, c, d, e, f] = fixed(value);
    Affine([[a, b, c], [d, e, f]])
}

fn fnv1a64(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
    format!("{hash:016x}")
}

#[test]
fn every_person_is_placed_and_cropped_to_the_bit() {
    let photo = photo();
    let golden = json("crops.json");
    let mut wrong = Vec::new();
    for row in list(&golden["crops"]) {
        let input = size(&row["size"]);
        let person = PersonBox::detected(fixed(&row["box"]), Size::new(photo.width, photo.height));
        let placement = person.expect("a box").place(input);
        let expected = Placement {
            center: fixed(&row["center"]).map(|value| value as f32),
            scale: fixed(&row["scale"]).map(|value| value as f32),
        };
        assert_eq!(placement, expected, "box {}", row["box"]);
        for (kind, unbiased) in [("msra", false), ("udp", true)] {
            let mut cropper = Cropper::new(input, unbiased, Levels::imagenet());
            assert_eq!(
                cropper.matrix(&placement),
                matrix(&row[kind]),
                "{kind} of box {}",
                row["box"]
            );
            if fnv1a64(cropper.crop(&photo, &placement)) != row[format!("{kind}_crop")] {
                wrong.push(format!("{kind} of box {}", row["box"]));
            }
        }
    }
    assert_eq!(list(&golden["crops"]).len(), 20);
    assert!(wrong.is_empty(), "other pixels: {wrong:#?}");
}

#[test]
fn turned_and_sheared_crops_are_opencvs_to_the_bit() {
    let photo = photo();
    for row in list(&json("warps.json")) {
        let size = size(&row["size"]);
        let mut crop = vec![0; 3 * size.pixels()];
        warp(&photo, &matrix(&row["matrix"]), size, &mut crop);
        assert_eq!(fnv1a64(&crop), row["crop"], "matrix {}", row["matrix"]);
    }
}

#[test]
fn every_byte_becomes_the_value_that_mmpose_gives_it() {
    let golden = json("crops.json");
    let crop: Vec<u8> = (0..=255).flat_map(|byte| [byte; 3]).collect();
    let mut tensor = vec![0.0; 768];
    Levels::imagenet().tensor(&crop, &mut tensor);
    let expected: Vec<f32> = list(&golden["levels"])
        .iter()
        .flat_map(numbers)
        .map(|v| v as f32)
        .collect();
    assert_eq!(tensor, expected);
}
