//! Classifies a photo from a Rust program: `cargo run --release --example classify -- WEIGHTS PHOTO [VARIANT]`.
//!
//! `WEIGHTS` is a file as `zoo fetch` downloads it, `.pdparams`, `.pth` or `.safetensors`; the variant is `HRNet_W18_C`
//! unless named.

use std::error::Error;
use std::io::{Write, stdout};

use hrnet_zoo::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [weights, photo, name @ ..] = args.as_slice() else {
        return Err("usage: classify WEIGHTS PHOTO [VARIANT]".into());
    };
    let name = name.first().map_or("HRNet_W18_C", String::as_str);

    // Photos are prepared as the publisher of the weights does: tensor names tell who that is.
    let mut model = Model::builder(name).weights(weights).build()?;
    for class in model.classify(&std::fs::read(photo)?)? {
        let percent = 100.0 * class.probability;
        writeln!(stdout(), "{percent:5.1} %  {:>4}  {}", class.index, class.name)?;
    }
    Ok(())
}
