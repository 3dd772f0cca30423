//! `zoo quantize`, and what other commands make of its files.

#[path = "../common/mod.rs"]
mod common;

mod measures;
mod networks;
mod ranges;
mod warnings;

use common::{Place, manifest, photo};
use serde_json::Value;

const PHOTOS: u8 = 6;

/// A folder with the manifest and photos of coloured blocks, the later the brighter.
fn place() -> Place {
    let place = Place::new();
    place.write("zoo.toml", &manifest(&[("tiny", 8), ("wider", 16)]));
    std::fs::create_dir(place.path().join("photos")).expect("made");
    for index in 0..PHOTOS {
        photo(&place.path().join(format!("photos/{index}.png")), |x, y| {
            let block = (x / 10 + 3 * (y / 8) + usize::from(index)) % 5;
            [40 * block as u8, 40 * index, 200 - 40 * block as u8]
        });
    }
    place
}

const QUANTIZE: [&str; 6] = ["quantize", "tiny", "--photos", "photos", "--weights", "seeded:5"];

fn quantize(place: &Place, output: &str, more: &[&str]) -> Value {
    place.zoo(&[&QUANTIZE[..], &["-o", output], more].concat()).good();
    read(place, output)
}

fn read(place: &Place, file: &str) -> Value {
    let text = std::fs::read_to_string(place.path().join(file)).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The ends of what a layer was chosen to be kept in.
fn ends(calibration: &Value, layer: &str) -> (f64, f64) {
    let range = &calibration["layers"][layer]["range"];
    let end = |name: &str| range[name].as_f64().expect("a number");
    (end("lo"), end("hi"))
}
