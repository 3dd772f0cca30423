//! Names of variants, and which of them a name of a user stands for.

use registry::EMBEDDED;

use crate::{parse, refused, shipped};

#[test]
fn a_name_that_is_almost_right_is_suggested() {
    let zoo = shipped();
    let candidates = |name: &str| zoo.find(name).expect_err(name).candidates;
    assert_eq!(candidates("HRNet_W49_C"), ["HRNet_W48_C"]);
    assert_eq!(candidates("se_w64"), ["SE_HRNet_W64_C_ssld"]);
    assert_eq!(
        candidates("ssld"),
        ["HRNet_W18_C_ssld", "HRNet_W48_C_ssld", "SE_HRNet_W64_C_ssld"]
    );
    assert_eq!(candidates("vgg16"), Vec::<String>::new());
    let weights = zoo.find("hrnet_w18.a1_in1k").expect_err("not in the manifest");
    assert_eq!(weights.weights_of.as_deref(), Some("HRNet_W18_C"));
    assert_eq!(
        weights.candidates,
        [
            "hrnet_w18.ms_in1k",
            "hrnet_w18_ssld.paddle_in1k",
            "hrnet_w18.ms_aug_in1k"
        ]
    );
}

#[test]
fn names_that_people_have_stand_for_one_variant() {
    let zoo = shipped();
    for (name, variant, source) in [
        ("HRNet_W18_C", "HRNet_W18_C", None),
        ("W18", "HRNet_W18_C", None),
        ("w18", "HRNet_W18_C", None),
        ("hrnet_w18", "HRNet_W18_C", None),
        ("HRNet-W18-C", "HRNet_W18_C", None),
        ("hrnetv2_w18", "HRNet_W18_C", None),
        ("hrnet_w48_ssld", "HRNet_W48_C_ssld", None),
        ("HRNET_W18_SMALL_V2", "hrnet_w18_small_v2", None),
        ("hrnet_w18.ms_in1k", "HRNet_W18_C", Some("ms")),
        ("HRNet_W18.MS_in1k", "HRNet_W18_C", Some("ms")),
        ("hrnet_w18_small.ms_in1k", "hrnet_w18_small", Some("ms")),
        ("hrnet_w48_ssld.paddle_in1k", "HRNet_W48_C_ssld", Some("timm")),
        (
            "hrnet_w18_small.gluon_in1k",
            "hrnet_w18_small_gluon",
            Some("timm"),
        ),
        ("hrnet_w18.ms_aug_in1k", "HRNet_W18_C_aug", Some("timm")),
    ] {
        let named = zoo.named(name).expect(name);
        let artifact = named.artifact.map(|artifact| artifact.id.as_str());
        assert_eq!(
            (named.variant.name.as_str(), artifact),
            (variant, source),
            "{name}"
        );
    }
    let aliases = zoo.variants.iter().flat_map(|variant| &variant.artifacts);
    assert_eq!(aliases.flat_map(|artifact| &artifact.aliases).count(), 14);
}

#[test]
fn an_exact_name_wins_and_a_name_of_several_lists_them() {
    let own = EMBEDDED.replacen("name = \"HRNet_W30_C\"", "name = \"w18\"", 1);
    let zoo = parse(&own).expect("valid");
    assert_eq!(zoo.find("w18").expect("exact").name, "w18");
    assert_eq!(zoo.find("W18").expect("its name in another case").name, "w18");
    assert_eq!(
        zoo.find("hrnet_w18").expect_err("either of two").candidates,
        ["HRNet_W18_C", "w18"]
    );
    assert!(zoo.variant("HRNet-W18-C").is_none(), "records have one spelling");
}

#[test]
fn an_alias_stands_for_one_thing() {
    let alias = "aliases = [\"hrnet_w18.ms_in1k\"]";
    for taken in ["HRNet-W18-C", "hrnet_w30.ms_in1k"] {
        let told = refused(
            "aliases = [\"hrnet_w32.ms_in1k\"]",
            &format!("aliases = [\"{taken}\"]"),
        );
        assert!(told.contains("is the name of something else"), "{taken}: {told}");
    }
    assert!(refused(alias, "aliases = [\"../x\"]").contains("the name `../x`"));
    let told = refused("name = \"HRNet_W30_C\"", "name = \"HRNet_W18.ms_in1k\"");
    assert!(told.contains("is an alias of weights of `HRNet_W18_C`"), "{told}");
}

#[test]
fn ids_that_are_no_file_names_are_refused() {
    for (table, rest) in [
        ("source", "title = \"S\""),
        (
            "preprocess",
            "resize_short = 8\ncrop = 8\ninterpolation = \"bilinear\"\nmean = [0, 0, 0]\nstd = [1, 1, 1]",
        ),
        (
            "column",
            "source = \"page\"\nrule = \"paddle-flops\"\nmetric = \"flops\"\nunit = \"G\"",
        ),
    ] {
        for id in ["../x", "a/b", "\\u001b[2J", "CON", ""] {
            let text = format!("{EMBEDDED}\n[{table}.\"{id}\"]\n{rest}\n");
            let error = parse(&text).expect_err(id).to_string();
            assert!(error.contains("the name `"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
}

#[test]
fn names_that_would_leave_their_folder_are_refused() {
    let name = "name = \"HRNet_W30_C\"";
    for bad in [
        "..",
        "../x",
        "/etc/passwd",
        "C:x",
        "C:\\\\x",
        "a\\u0000b",
        "nul",
        "COM1.pth",
        "a/b",
        "",
    ] {
        let told = refused(name, &format!("name = \"{bad}\""));
        assert!(told.contains("the name `"), "{bad}: {told}");
    }
    let url = "hrnetv2_w30-8d7f8dab.pth";
    for bad in ["..", "", "nul", "C:", ".hidden", "a%2f..%2fb", "x?y", "a b"] {
        let told = refused(url, bad);
        assert!(told.contains("the URL `"), "{bad}: {told}");
    }
}

#[test]
fn names_that_differ_only_in_case_are_refused() {
    let told = refused("name = \"HRNet_W30_C\"", "name = \"hrnet_w18_c\"");
    assert!(
        told.contains("is declared twice: `HRNet_W18_C` stands above"),
        "{told}"
    );
}
