//! Keypoints and flip tests beside those of mmpose 1.3.2 on the same maps.

mod common;

use common::{bytes, fixed, json, list, numbers};
use pose::{Decoder, Heatmaps, Size, flip_mean, skeleton};
use serde_json::Value;

/// Maps 0 to 13 are smooth; 14 is zero, 15 negative, 16 flat; those from 17 on are noisy.
const ABSENT: [usize; 2] = [14, 15];
const FLAT: usize = 16;

/// The stored maps `[23, height, width]`, or with `offsets` the three maps per keypoint.
fn maps(size: Size, offsets: bool) -> Vec<f32> {
    let file = bytes(&format!("pose/maps_{}x{}.npy", size.width, size.height));
    let stored: Vec<i16> = npyz::NpyFile::new(&file[..])
        .expect("a npy file")
        .into_vec()
        .expect("int16");
    let scores = stored.iter().map(|value| f32::from(*value) / 8192.0);
    if !offsets {
        return scores.collect();
    }
    let scores: Vec<f32> = scores.collect();
    let mut all = Vec::new();
    for (k, map) in scores.chunks_exact(size.pixels()).enumerate() {
        all.extend_from_slice(map);
        for axis in 0..2 {
            for at in 0..size.pixels() {
                let (x, y) = (at % size.width, at / size.width);
                let value = (k * 31 + axis * 17 + y * 7 + x * 13) % 64;
                all.push((value as f32 - 32.0) / 64.0);
            }
        }
    }
    all
}

/// Compares one decoder with mmpose's answers, to these pixels of the input on smooth maps and on noisy ones.
fn compare(name: &str, decoder: Decoder, smooth: f64, noisy: f64) {
    for size in [Size::new(24, 32), Size::new(36, 48)] {
        let values = maps(size, decoder.maps() == 3);
        let heatmaps = Heatmaps::new(&values, size).expect("maps");
        let input = Size::new(4 * size.width, 4 * size.height);
        let found = decoder.decode(&heatmaps, input, 23).expect("23 keypoints");
        let answers = &json(&format!("answers_{}x{}.json", size.width, size.height))[name];
        let scores = numbers(&answers["scores"]);
        let mut compared = 0;
        for (index, (found, answer)) in found.iter().zip(list(&answers["points"])).enumerate() {
            let at = format!("{name}, map {index} of {size:?}");
            assert_eq!(found.is_none(), ABSENT.contains(&index), "{at}");
            let Some(found) = found else { continue };
            let [x, y] = fixed::<2>(answer);
            let beyond = |place: f64, side: usize| place < -4.5 || place > 4.5 + side as f64;
            if beyond(x, input.width) || beyond(y, input.height) {
                assert!(
                    decoder.maps() == 3,
                    "{at}: only drawn offsets lead beyond the map"
                );
                continue;
            }
            let bound = if index < 17 { smooth } else { noisy };
            let far = (found.x - x).abs().max((found.y - y).abs());
            assert!(far <= bound, "{at}: ({}, {}) for ({x}, {y})", found.x, found.y);
            assert!((f64::from(found.score) - scores[index]).abs() <= 1e-6, "{at}");
            compared += 1;
        }
        assert!(compared >= 18, "{name}: {compared} of 23 maps compared");
        assert!(found[FLAT].is_some());
    }
}

#[test]
fn msra_is_mmposes_exactly() {
    compare("msra", Decoder::Msra, 0.0, 0.0);
}

#[test]
fn dark_is_mmposes_with_both_blurs() {
    compare("dark", Decoder::Dark { taps: 11 }, 1e-4, 5e-3);
    compare("dark17", Decoder::Dark { taps: 17 }, 1e-4, 5e-3);
}

#[test]
fn udp_is_mmposes_with_maps_and_with_offsets() {
    compare("udp", Decoder::Udp { taps: 11 }, 1e-4, 2e-2);
    compare("offsets", Decoder::UdpOffsets { taps: 11 }, 1e-4, 1e-4);
}

#[test]
fn flip_tests_are_mmposes_exactly() {
    let size = Size::new(5, 4);
    let golden = json("flips.json");
    for (name, decoder) in [
        ("msra", Decoder::Msra),
        ("udp", Decoder::Udp { taps: 11 }),
        ("offsets", Decoder::UdpOffsets { taps: 11 }),
    ] {
        let value = |at: usize| ((17 * (at / 20) + 5 * (at / 5 % 4) + (at % 5).pow(2)) % 64) as f32;
        let mirrored: Vec<f32> = (0..17 * decoder.maps() * 20).map(value).collect();
        let mut mean = vec![1.0; mirrored.len()];
        flip_mean(decoder, size, skeleton::COCO.partners, &mut mean, &mirrored).expect("17 keypoints");
        let expected: Vec<f32> = numbers(&golden[name])
            .iter()
            .map(|value| (*value as f32 + 1.0) * 0.5)
            .collect();
        assert_eq!(mean, expected, "{name}");
    }
}

#[test]
fn skeletons_are_mmposes_row_by_row() {
    let golden = json("skeletons.json");
    let rows = golden.as_object().expect("an object");
    assert_eq!(rows.len(), skeleton::ALL.len());
    for skeleton in skeleton::ALL {
        let row = &rows[skeleton.name];
        let names: Vec<&str> = list(&row["names"]).iter().filter_map(Value::as_str).collect();
        assert_eq!(skeleton.keypoints, names, "{}", skeleton.name);
        let partners: Vec<f64> = skeleton.partners.iter().map(|k| *k as f64).collect();
        assert_eq!(partners, numbers(&row["partners"]), "{}", skeleton.name);
        let links: Vec<[f64; 2]> = list(&row["links"]).iter().map(fixed).collect();
        let ours: Vec<[f64; 2]> = skeleton.links.iter().map(|link| link.map(|k| k as f64)).collect();
        assert_eq!(ours, links, "{}", skeleton.name);
        assert_eq!(
            skeleton.sigmas,
            numbers(&row["sigmas"])
                .iter()
                .map(|s| (s * 1e6).round() / 1e6)
                .collect::<Vec<_>>(),
            "{}",
            skeleton.name
        );
    }
}
