//! Manifests of one's own: what they must say, and what they may name.

use std::path::Path;

use hrnet::{Classifier, Head};
use registry::{EMBEDDED, Zoo};

use crate::common::SMALL;
use crate::{parse, refused, shipped};

#[test]
fn all_that_a_variant_lacks_is_told_at_once() {
    let text =
        format!("{SMALL}[[variant]]\nname = \"mine\"\n[[variant.weights]]\nurl = \"https://host/w\"\n");
    let error = parse(&text).expect_err("incomplete");
    assert!(
        error.starts_with("zoo.toml:9:8: `mine` lacks `licence`, "),
        "{error}"
    );
    for field in ["network", "preprocess", "id", "format"] {
        assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
    }
    assert!(!error.contains("`naming`"), "the names themselves tell: {error}");
    let empty = parse(&format!("{SMALL}[[variant]]\n")).expect_err("empty");
    assert!(empty.contains("this variant lacks `name`, `licence`"), "{empty}");
}

#[test]
fn a_licence_is_spelt_either_way_and_once() {
    let american = EMBEDDED.replace("licence = ", "license = ");
    let licences = |zoo: &Zoo| -> Vec<String> {
        let of = |variant: &registry::Variant| {
            variant
                .artifacts
                .iter()
                .map(|one| one.licence.clone())
                .collect::<Vec<_>>()
        };
        zoo.variants.iter().flat_map(of).collect()
    };
    assert_eq!(licences(&parse(&american).expect("valid")), licences(&shipped()));
    let both = refused("licence = \"MIT\"", "licence = \"MIT\"\nlicense = \"MIT\"");
    assert!(both.contains("the same field: drop one"), "{both}");
}

#[test]
fn weights_may_be_files_of_this_machine_or_missing() {
    let variant = |weights: &str| {
        let network = "network = { widths = [18, 36, 72, 144], head = { classes = 10 } }";
        format!(
            "{SMALL}[[variant]]\nname = \"v\"\nlicence = \"MIT\"\npreprocess = \"p\"\n{network}\n{weights}"
        )
    };
    let zoo = parse(&variant("")).expect("no weights");
    assert!(zoo.variants[0].artifacts.is_empty());
    assert_eq!(zoo.variants[0].spec.classes(), 10);
    let usual = Classifier {
        classes: 10,
        ..Classifier::imagenet()
    };
    assert_eq!(
        zoo.variants[0].spec.head,
        Head::Classifier(usual),
        "what is left out is usual"
    );
    let zoo = parse(&variant("[[variant.weights]]\npath = \"runs/w20.pth\"")).expect("a path");
    let artifact = &zoo.variants[0].artifacts[0];
    assert_eq!(
        (
            artifact.id.as_str(),
            artifact.url.as_str(),
            artifact.file_name.as_str()
        ),
        ("local", "./runs/w20.pth", "w20.pth")
    );
    assert_eq!(
        artifact.local.as_ref().expect("local").path(),
        Path::new("./runs/w20.pth")
    );
    let refused =
        |weights: &str| parse(&variant(&format!("[[variant.weights]]\n{weights}"))).expect_err(weights);
    for (weights, why) in [
        ("path = \"../w.pth\"", "leaves the folder of the manifest"),
        ("path = \"runs/../../w.pth\"", "leaves the folder of the manifest"),
        (
            "path = \"/etc/passwd\"\nformat = \"pth\"",
            "is outside the folder of the manifest",
        ),
        (
            "id = \"x\"\nurl = \"file:///etc/w.pth\"",
            "is outside the folder of the manifest",
        ),
        ("path = \"w\"", "lacks `format`"),
        (
            "path = \"a.pth\"\n[[variant.weights]]\npath = \"b.pth\"",
            "`local` twice",
        ),
        ("path = \"a.pth\"\nurl = \"https://host/a.pth\"", "drop `path`"),
        (
            "path = \"a.pth\"\nmirrors = [\"https://host/a.pth\"]",
            "`mirrors` go with the URL",
        ),
    ] {
        let error = refused(weights);
        assert!(error.contains(why), "{weights}: {error}");
    }
    #[cfg(unix)]
    {
        let text = variant("[[variant.weights]]\npath = \"/data/w.pth\"");
        let folders = [std::path::PathBuf::from("/data")];
        let zoo = Zoo::parse_with(&text, Path::new("zoo.toml"), &folders).expect("allowed");
        assert_eq!(zoo.variants[0].artifacts[0].url, "/data/w.pth");
    }
}

#[test]
fn a_manifest_may_add_to_the_built_in_one() {
    let own = r#"schema = 1
extends = "builtin"
[[variant]]
name = "mine"
base = "HRNet_W18_C"
licence = "MIT"
"#;
    let zoo = parse(own).expect("valid");
    let builtin = shipped();
    assert_eq!(zoo.extends, registry::Extends::Builtin);
    assert_eq!(zoo.variants.len(), builtin.variants.len() + 1);
    assert_eq!(zoo.columns.len(), builtin.columns.len());
    assert_eq!(
        zoo.find("mine").expect("own").spec,
        builtin.find("W18").expect("built in").spec
    );
    for (from, to, why) in [
        (
            "\"mine\"",
            "\"hrnet_w18_c\"",
            "`HRNet_W18_C` is built in, and `extends` keeps it",
        ),
        (
            "\"builtin\"",
            "\"built-in\"",
            "expected \"builtin\", or \"nothing\"",
        ),
        (
            "[[variant]]",
            "[source.page]\ntitle = \"Mine\"\n[[variant]]",
            "the source `page` is built in",
        ),
        (
            "[[variant]]",
            "[preprocess.paddle-224]\nresize_short = 8\ncrop = 8\ninterpolation = \"bilinear\"\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n[[variant]]",
            "the preprocess `paddle-224` is built in",
        ),
    ] {
        let error = parse(&own.replacen(from, to, 1)).expect_err(to);
        assert!(error.contains(why), "{error}");
    }
    let alone = parse(&own.replace("\"builtin\"", "\"nothing\"")).expect_err("no base");
    assert!(alone.contains("unknown base"), "{alone}");
}
