//! `zoo nightly` on a data set whose accuracy is known beforehand.

mod common;

use common::{Place, SMALL, photo, variant};
use faultd::{Content, Server};
use serde_json::Value;

/// Images, of which so many have another label than the network's first class: of these the second is right for some, and
/// none for the others.
const IMAGES: usize = 24;
const SECOND: usize = 3;
const NONE: usize = 3;

/// A network whose weights the server has, and one whose weights nobody has.
fn manifest(server: &Server) -> String {
    let network = |name: &str| {
        let [elsewhere, here] = [
            format!("https://example.org/{name}.pth"),
            server.url(&format!("{name}.safetensors")),
        ];
        let weights = [("elsewhere", &*elsewhere, "pth"), ("here", &here, "safetensors")];
        variant(name, 8, &weights)
    };
    let column = "[source.s]\ntitle = \"S\"\n[column.claimed]\nsource = \"s\"\nmetric = \"top1\"\n\
                  unit = \"fraction\"\nweights = \"here\"\n";
    let claims = "[variant.claims]\nclaimed = \"0.200\"\n";
    let (tiny, absent) = (network("tiny"), network("absent"));
    format!("{SMALL}{column}{tiny}{claims}{absent}")
}

/// Writes images, and a list of them with labels that are right but for stated counts.
fn label(place: &Place) {
    let folder = place.path().join("images");
    std::fs::create_dir(&folder).expect("made");
    let mut rng = fastrand::Rng::with_seed(1);
    for index in 0..IMAGES {
        let colours: Vec<[u8; 3]> = (0..25).map(|_| [rng.u8(..), rng.u8(..), rng.u8(..)]).collect();
        let file = folder.join(format!("{index:04}.png"));
        photo(&file, |x, y| colours[y / 8 * 5 + x / 10]);
    }
    let told = place
        .zoo(&["classify", "images", "--model", "tiny", "--json", "-q"])
        .good();
    let mut list = String::new();
    for (index, line) in told.lines().enumerate() {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        let class = |place: usize| answer["classes"][place]["index"].as_u64().expect("a class");
        let label = match index {
            index if index < SECOND => class(1),
            index if index < SECOND + NONE => (0..1000)
                .find(|label| (0..5).all(|place| class(place) != *label))
                .expect("a class that is not among the five"),
            _ => class(0),
        };
        list.push_str(&format!(
            "{} {label}\n",
            answer["image"].as_str().expect("a path")
        ));
    }
    place.write("list.txt", &list);
}

/// The text of a file of the night that a run printed.
fn file(place: &Place, page: &str, name: &str) -> String {
    let folder = place.path().join(page.trim());
    std::fs::read_to_string(folder.with_file_name(name)).expect("a file of the night")
}

#[test]
fn a_night_with_a_data_set_measures_the_known_accuracy() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("www")).expect("made");
    let server = Server::start(
        "127.0.0.1:0",
        Content::Folder(place.path().join("www")),
        Vec::new(),
    );
    let server = server.expect("a port");
    place.write("zoo.toml", &manifest(&server));
    let export = [
        "export",
        "tiny",
        "--weights",
        "seeded:5",
        "-o",
        "www/tiny.safetensors",
        "-q",
    ];
    place.zoo(&export).good();
    place.zoo(&["fetch", "tiny", "--source", "here", "-q"]).good();
    label(&place);

    let error = place.zoo(&["nightly", "--data", "nowhere"]).failed(7);
    assert!(error.contains("nowhere: no such file or folder"), "{error}");
    assert!(
        !place.path().join("reports").exists(),
        "nothing was measured before"
    );

    // A variable that is set to nothing names no data set. Hardly a cell fits into the time, if any: the nights after it go
    // without it.
    let none = place.zoo_with(&[("ZOO_DATA", "")], &["nightly", "--budget", "1s"]);
    assert!(
        none.stderr().contains("no data set, so no accuracy is measured"),
        "{}",
        none.stderr()
    );
    assert_eq!(
        none.stderr().matches("warning: this is a debug build").count(),
        usize::from(cfg!(debug_assertions)),
        "{}",
        none.stderr()
    );
    let page = file(&place, &none.stdout(), "index.md");
    assert!(
        page.contains("No accuracy was measured: no data set was given"),
        "{page}"
    );
    assert!(!page.contains("Accuracy, measured here"));

    let alone = place
        .zoo(&["eval", "tiny", "--data", "list.txt", "--json", "-q"])
        .json();
    assert_eq!(alone["source"], "here", "the source that is in the cache");
    let claim = &alone["claims"][0];
    assert_eq!(claim["agreement"], "not_comparable", "its claim: {alone}");
    assert_eq!(
        claim["reasons"][0], "24 images, not the 50 000 of the validation set",
        "{claim}"
    );

    let night = ["nightly", "--budget", "6s"];
    let first = place.zoo(&[&night[..], &["--data", "list.txt"]].concat());
    let said = first.stderr();
    assert!(
        said.contains("accuracy will be measured on 24 of 24 images"),
        "{said}"
    );
    assert!(said.contains("tiny f32 on 24 images: top-1 75.00 %"), "{said}");
    assert!(
        said.contains("no accuracy of 1 network: the weights are not in the cache"),
        "{said}"
    );
    // Whether a cell is called slower than the night before is the machine's affair, and so is the exit code.
    let printed = first.stdout();
    let table = file(&place, &printed, "accuracy.csv");
    assert!(
        table.contains(&format!("{},0.75,", IMAGES - SECOND - NONE)),
        "{table}"
    );
    assert!(table.contains(&format!(",{},0.875,", IMAGES - NONE)), "{table}");
    let page = file(&place, &printed, "index.md");
    let verdict =
        "| top-1 20.0 % | not comparable: 24 images, not the 50 000 of the validation set; images of";
    assert!(page.contains(verdict), "{page}");
    assert!(
        page.contains("**note** absent: no weights in the cache"),
        "{page}"
    );

    let again = place.zoo_with(&[("ZOO_DATA", "list.txt")], &night).stdout();
    let page = file(&place, &again, "index.md");
    assert!(
        page.contains(verdict) && page.contains("classes, not of 1000 | same |"),
        "{page}"
    );
}
