//! The catalogue of the manifest, and the names that people write.

use serde_json::Value;

use crate::PHOTO;
use crate::common::{Place, arrays};

#[test]
fn the_built_in_manifest_is_listed_in_any_folder() {
    let place = Place::new();
    let list = place.zoo(&["list", "--json"]).json();
    let rows = list.as_array().expect("rows");
    let (people, photos): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(|row| row["task"] == "pose");
    assert_eq!((people.len(), photos.len()), (21, 15));
    assert_eq!(rows[0]["name"], "HRNet_W18_C");
    assert_eq!(rows[0]["parameters"], 21_295_164);
    assert_eq!(rows[0]["macs"], 4_283_537_072_u64);
    let text = place.zoo(&["list"]).good();
    assert!(
        text.contains("SE_HRNet_W64_C_ssld") && text.contains("128.99"),
        "{text}"
    );
    // One accuracy a variant in one unit, whichever publication states it and in which.
    let claimed = |line: &str| line.contains(" % ");
    let (photos, people) = text.split_once("\n\n").expect("two tables");
    assert!(photos.lines().skip(1).all(claimed), "{text}");
    assert!(
        people.starts_with("variant") && people.contains("AP (claimed)"),
        "{text}"
    );
    for (name, shown, share) in [
        ("HRNet_W18_C", "76.9 %", 0.769),
        ("hrnet_w18_small", "72.3 %", 0.723),
    ] {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.is_some_and(|line| line.contains(shown)), "{text}");
        let row = rows.iter().find(|row| row["name"] == name).expect(name);
        assert_eq!(row["top1"], share);
        assert!(row["top1_column"].is_string());
        let show = place.zoo(&["show", name]).good();
        assert!(show.contains(&format!("{shown} claimed (")), "{show}");
    }
}

#[test]
fn pose_variants_are_listed_shown_run_and_refused_where_classes_are_needed() {
    let place = Place::new();
    let name = "pose_hrnet_w32_256x192";
    let list = place.zoo(&["list", "--json"]).json();
    let row = list
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["name"] == name)
        .expect(name);
    let texts = [("input", "256x192"), ("keypoints", "coco"), ("decoder", "msra")];
    for (field, text) in texts {
        assert_eq!(row[field], text, "{row}");
    }
    assert!(row["ap"] == 0.749 && row["parameters"] == 28_536_113, "{row}");
    let text = place.zoo(&["show", name]).good();
    for part in [
        "a person's box to 256x192, as msra",
        "pose        17 keypoints of coco, decoded as msra",
        "AP          74.9 claimed (mmpose-ap)",
        "Counted from the network, 1x3x256x192",
        "AP of pose_hrnet_w32_256x192's ms weights on COCO val2017, boxes of a detector",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let seeded = ["--weights", "seeded:0"];
    for arguments in [
        &["classify", PHOTO, "--model", name, "--weights", "seeded:0"][..],
        &["quantize", name, "--photos", PHOTO, "--weights", "seeded:0"],
        &["preprocess", PHOTO, "--model", name, "-o", "x.npy"],
    ] {
        let error = place.zoo(arguments).failed(2);
        assert!(
            error.contains(&format!(
                "`{name}` finds the keypoints of a person: it has no classes"
            )),
            "{arguments:?}: {error}"
        );
    }
    arrays::write(&place.path().join("x.npy"), &[2, 3, 64, 32]);
    place.infer(name, ["x.npy", "y.npy"], &seeded).good();
    let (shape, maps) = arrays::read(&place.path().join("y.npy"));
    assert_eq!(shape, [2, 17, 16, 8]);
    assert!(maps.iter().all(|value| value.is_finite()));
    let export = ["export", name, "--weights", "seeded:0", "-o", "p.onnx"];
    let told = place.zoo(&export).good();
    assert!(place.path().join("p.onnx").exists(), "{told}");
    // Weights of another head.
    place
        .zoo(&["export", name, "--weights", "seeded:0", "-o", "p.safetensors"])
        .good();
    let classes = ["classify", PHOTO, "--model", "W32", "--weights", "p.safetensors"];
    let error = place.zoo(&classes).failed(1);
    assert!(
        error.contains(
            "weights of a pose network with 17 heatmaps; expected those of a classifier with 1000 classes"
        ) && error.contains("the file has the tensors of pose_hrnet_w32_256x192 and"),
        "{error}"
    );
    let error = place
        .infer(
            "pose_hrnet_w32_wholebody_256x192",
            ["x.npy", "z.npy"],
            &["--weights", "p.safetensors"],
        )
        .failed(1);
    assert!(
        error.contains("expected those of a pose network with 133 heatmaps"),
        "{error}"
    );
}

#[test]
fn a_variant_is_shown_as_the_weights_that_its_name_stands_for() {
    let place = Place::new();
    let zoo = registry::Zoo::builtin();
    for variant in &zoo.variants {
        for source in &variant.artifacts {
            for alias in &source.aliases {
                let shown = place.zoo(&["show", alias, "--json"]).json();
                let found = (&shown["preprocess"]["id"], &shown["licence"], &shown["name"]);
                let expected = [&source.preprocess.id, &source.licence, &variant.name];
                let expected = expected.map(|text| text.as_str().into());
                assert_eq!(found, (&expected[0], &expected[1], &expected[2]), "{alias}");
            }
        }
    }
    let shown = place.zoo(&["show", "hrnet_w18_ssld.paddle_in1k"]).good();
    assert!(
        shown.contains("preprocess  timm-224-bilinear-0.95: ")
            && shown.contains("(profile of the source timm)"),
        "{shown}"
    );
    let shown = place.zoo(&["show", "HRNet_W18_C_ssld"]).good();
    assert!(shown.contains("preprocess  paddle-224: "), "{shown}");
}

#[test]
fn a_manifest_here_takes_the_place_of_the_built_in_one() {
    let place = Place::new();
    place.write("zoo.toml", "schema = 1\nvariants = []\n");
    let error = place.zoo(&["list"]).failed(3);
    assert!(
        error.contains("zoo.toml:2:1") && error.contains("variants"),
        "{error}"
    );
    let error = place.zoo(&["list", "--manifest", "none.toml"]).failed(3);
    assert!(error.contains("none.toml"), "{error}");
}

#[test]
fn an_unknown_name_gets_its_nearest_and_exit_code_4() {
    let place = Place::new();
    for arguments in [
        &["show", "HRNet_W18C"][..],
        &["fetch", "HRNet_W18C"],
        &[
            "classify",
            PHOTO,
            "--model",
            "HRNet_W18C",
            "--weights",
            "seeded:0",
        ],
    ] {
        let error = place.zoo(arguments).failed(4);
        assert!(error.contains("did you mean `HRNet_W18_C`?"), "{error}");
    }
}

#[test]
fn names_that_people_have_are_found_by_every_command() {
    let place = Place::new();
    for name in ["W18", "hrnet_w18", "hrnet_w18.ms_in1k", "HRNet-W18-C"] {
        let shown = place.zoo(&["show", name, "--json"]).json();
        assert_eq!(shown["name"], "HRNet_W18_C", "{name}");
    }
    let plan = place
        .zoo(&["fetch", "w48", "hrnet_w18.MS_in1k", "*_V2", "--dry-run"])
        .good();
    let chosen: Vec<&str> = plan
        .lines()
        .map(|line| line["download  ".len()..].split(':').next().unwrap_or_default())
        .collect();
    assert_eq!(
        chosen,
        ["HRNet_W18_C ms", "HRNet_W48_C paddle", "hrnet_w18_small_v2 ms"]
    );
    let source = ["fetch", "hrnet_w18.ms_in1k", "--source", "paddle", "--dry-run"];
    assert!(
        place.zoo(&source).good().contains("HRNet_W18_C paddle"),
        "--source says more"
    );
    let missing = place
        .zoo(&["export", "hrnet_w18.ms_in1k", "-o", "w.onnx"])
        .failed(7);
    assert!(
        missing.contains("the ms weights of HRNet_W18_C")
            && missing.contains("`zoo fetch HRNet_W18_C --source ms` downloads them"),
        "{missing}"
    );
    let error = place.zoo(&["show", "ssld"]).failed(4);
    let three = "did you mean `HRNet_W18_C_ssld`, `HRNet_W48_C_ssld` or `SE_HRNet_W64_C_ssld`?";
    assert!(error.contains(three), "{error}");
    let error = place.zoo(&["fetch", "hrnet_w18.a1_in1k"]).failed(4);
    assert!(
        error.contains("no weights of HRNet_W18_C that are named"),
        "{error}"
    );
    let plan = place.zoo(&[
        "bench",
        "-m",
        "w18,W18,*w18_c",
        "--precision",
        "FP32,half",
        "--plan",
        "--json",
    ]);
    let cases: Vec<String> = plan
        .json()
        .as_array()
        .expect("cells")
        .iter()
        .map(|row| {
            row["case"]
                .as_str()
                .expect("an id")
                .split("/bs")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(cases, ["HRNet_W18_C/f32", "HRNet_W18_C/f16"]);
}

#[test]
fn show_lists_layers_that_add_up() {
    let shown = Place::new()
        .zoo(&["show", "HRNet_W48_C", "--layers", "--json"])
        .json();
    let layers = shown["layers"].as_array().expect("layers");
    let sum = |field: &str| {
        layers
            .iter()
            .map(|layer| layer[field].as_u64().expect("a count"))
            .sum::<u64>()
    };
    assert_eq!((sum("parameters"), sum("macs")), (77_567_400, 17_277_996_032));
}

#[test]
fn the_plan_of_a_network_is_shown() {
    let plan = Place::new().zoo(&["show", "hrnet_w18_small", "--plan"]).good();
    // 91 convolutions, each one step with all that follows it.
    assert_eq!(plan.matches("conv").count(), 91, "{plan}");
    assert!(
        plan.starts_with("load -> 1x3x224x224") && plan.contains("store 1x1000"),
        "{plan}"
    );
}

#[test]
fn lint_finds_what_is_wrong_with_the_page() {
    let place = Place::new();
    let text = place.zoo(&["lint"]).good();
    for said in ["HRNet_W18_C", "4.140", "0.816", "models"] {
        assert!(text.contains(said), "no {said} in {text}");
    }
    place.zoo(&["lint", "--strict"]).failed(1);
}
