//! The shipped manifest, and what is refused in others.

use std::path::Path;

use registry::{EMBEDDED, Interpolation, Known, Metric, Preprocess, Profile, Resampler, Zoo};

fn parse(text: &str) -> Result<Zoo, String> {
    Zoo::parse(text, Path::new("zoo.toml")).map_err(|error| error.to_string())
}

fn shipped() -> Zoo {
    parse(EMBEDDED).expect("the shipped manifest is valid")
}

/// The error for the shipped manifest with one piece of text replaced.
fn refused(from: &str, to: &str) -> String {
    assert!(EMBEDDED.contains(from), "{from} is not in the manifest");
    parse(&EMBEDDED.replacen(from, to, 1)).expect_err("refused")
}

#[test]
fn the_ten_rows_of_the_page_are_declared() {
    let zoo = shipped();
    let of_page = zoo
        .variants
        .iter()
        .filter(|variant| variant.claim("page-top1").is_some());
    let names: Vec<&str> = of_page.map(|variant| variant.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "HRNet_W18_C",
            "HRNet_W18_C_ssld",
            "HRNet_W30_C",
            "HRNet_W32_C",
            "HRNet_W40_C",
            "HRNet_W44_C",
            "HRNet_W48_C",
            "HRNet_W48_C_ssld",
            "HRNet_W64_C",
            "SE_HRNet_W64_C_ssld"
        ]
    );
    for variant in zoo
        .variants
        .iter()
        .filter(|variant| names.contains(&variant.name.as_str()))
    {
        assert_eq!(variant.artifacts[0].id, "paddle");
        assert_eq!(
            variant.artifacts[0].known,
            Known::Nothing,
            "no digest of a Paddle file is published"
        );
        assert_eq!(
            (variant.preprocess.resize_short, variant.preprocess.crop),
            (256, 224)
        );
        let latencies = variant.claims.iter().filter(|claim| {
            let column = zoo.column(&claim.column).expect("a column");
            column.source == "page" && matches!(column.metric, Metric::Latency { .. })
        });
        assert_eq!(
            latencies.count(),
            if variant.name.starts_with("SE_") { 6 } else { 7 },
            "{}",
            variant.name
        );
    }
    let distinct: Vec<&str> = zoo
        .variants
        .iter()
        .filter(|variant| zoo.network_of(variant).name == variant.name)
        .map(|variant| variant.name.as_str())
        .filter(|name| names.contains(name))
        .collect();
    assert_eq!(distinct.len(), 8, "{distinct:?}");
}

#[test]
fn an_ssld_row_takes_its_network_from_its_base_and_has_its_own_weights() {
    let zoo = shipped();
    let (base, ssld) = (
        zoo.find("HRNet_W48_C").expect("W48"),
        zoo.find("HRNet_W48_C_ssld").expect("W48 ssld"),
    );
    assert_eq!((&base.spec, &base.preprocess), (&ssld.spec, &ssld.preprocess));
    assert_ne!(base.artifacts[0].url, ssld.artifacts[0].url);
    let prefix = |known: &Known| match known {
        Known::Prefix(prefix) => prefix.to_string(),
        other => panic!("expected a prefix, found {other:?}"),
    };
    assert_eq!(prefix(&base.artifacts[1].known), "abd2e6ab");
    assert_eq!(base.artifacts[1].bytes, Some(310_603_710));
    assert_eq!(
        (prefix(&ssld.artifacts[1].known).as_str(), ssld.artifacts[1].bytes),
        ("d0459c38", None)
    );
    let reference = ssld
        .claim("page-reference-top1")
        .expect("a reference")
        .weights
        .clone()
        .expect("weights");
    assert_eq!(
        (reference.variant.as_str(), reference.artifact.as_str()),
        ("HRNet_W48_C", "ms")
    );
}

#[test]
fn digits_are_kept_as_printed() {
    let zoo = shipped();
    let w18 = zoo.find("HRNet_W18_C").expect("W18");
    let flops = w18.claim("page-flops").expect("a figure");
    assert_eq!(
        (flops.printed.as_str(), flops.decimals(), flops.value),
        ("4.140", 3, 4.14)
    );
    let se = zoo.find("SE_HRNet_W64_C_ssld").expect("SE");
    assert_eq!(
        se.claim("page-t4-fp32-bs1").expect("a figure").printed,
        "31.69770"
    );
    assert!(se.claim("page-v100-fp32-bs1").is_none());
}

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
    let weights = zoo
        .find("hrnet_w18.ms_aug_in1k")
        .expect_err("not in the manifest");
    assert_eq!(weights.weights_of.as_deref(), Some("HRNet_W18_C"));
    assert_eq!(weights.candidates, ["hrnet_w18.ms_in1k"]);
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
        ("hrnet_w48_ssld.paddle_in1k", "HRNet_W48_C_ssld", Some("paddle")),
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
    assert_eq!(aliases.flat_map(|artifact| &artifact.aliases).count(), 11);
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
fn faults_are_refused_with_line_and_column() {
    let line = |needle: &str| {
        EMBEDDED
            .lines()
            .position(|line| line.contains(needle))
            .expect(needle)
            + 1
    };
    let name = r#"name = "HRNet_W30_C""#;
    let at = line(name);

    let error = refused(
        name,
        r#"name = "HRNet_W30_C" # c"#.replace("# c", "\ncolour = 1").as_str(),
    );
    assert!(
        error.starts_with(&format!("zoo.toml:{}:1: unknown field `colour`", at + 1)),
        "{error}"
    );
    let error = refused(name, r#"name = "hrnet_w18_c""#);
    assert!(
        error.starts_with(&format!("zoo.toml:{at}:8: ")) && error.contains("declared twice"),
        "{error}"
    );
    for bad in ["../W30", "a/b", "CON", ""] {
        let error = refused(name, &format!("name = {bad:?}"));
        assert!(
            error.starts_with(&format!("zoo.toml:{at}:8: the name `{bad}`")),
            "{error}"
        );
    }
    assert!(refused("schema = 1", "schema = 2").starts_with("zoo.toml:6:10: schema 2"));
    assert!(refused("schema = 1", "schema = ").starts_with("zoo.toml:6:"));
    assert!(refused("schema = 1", "schema = \"1\"").contains("invalid type"));
    assert!(refused("licence = \"Apache-2.0\"\n", "").contains("`HRNet_W18_C` lacks `licence`"));
    let misspelt = refused("licence = \"Apache-2.0\"", "licens = \"Apache-2.0\"");
    assert!(misspelt.ends_with("did you mean `license`?"), "{misspelt}");
}

/// How a manifest begins that has two ways to prepare photos.
const SMALL: &str = r#"schema = 1
[preprocess.p]
resize_short = 256
crop = 224
interpolation = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
"#;

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
    assert_eq!(zoo.variants[0].spec.head.classes, 10);
    assert_eq!(
        zoo.variants[0].spec.head.features, 2048,
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
fn bad_urls_and_digests_are_refused() {
    let url = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-hrnet/hrnetv2_w18-8cb57bb9.pth";
    for (bad, why) in [
        ("ftp://host/w.pth", "is not https"),
        ("http://host/w.pth", "is not https"),
        ("w.pth", "cannot be read"),
        ("https://user:secret@host/w.pth", "credentials"),
        ("https://host/dir/", "ends in ``"),
        ("https://host/a b/w.pth", "white space"),
        (
            "https://host/\\u001b]0;P/w.pth",
            "white space or a control character",
        ),
        ("https://host/\\n/w.pth", "white space or a control character"),
        ("https://host/%2e%2e", "ends in `%2e%2e`"),
        ("https://host/w.pth?token=1", "ends in"),
    ] {
        let error = refused(url, bad);
        assert!(error.contains(why), "{bad}: {error}");
        assert!(!error.contains("secret") && !error.contains("token"), "{error}");
    }
    assert!(parse(&EMBEDDED.replacen(url, "http://127.0.0.1:8000/w.pth", 1)).is_ok());
    let prefix = r#"sha256_prefix = "8cb57bb9""#;
    for bad in ["8cb57bb", "8CB57BB9", "8cb57bbg"] {
        let error = refused(prefix, &format!("sha256_prefix = {bad:?}"));
        assert!(
            error.contains(&format!("`{bad}` is no SHA-256 prefix")),
            "{error}"
        );
    }
    assert!(refused(prefix, r#"sha256 = "8cb57bb9""#).contains("64 lower-case hex digits"));
    let both = format!("{prefix}\nsha256 = \"{}\"", "0".repeat(64));
    assert!(refused(prefix, &both).contains("drop `sha256_prefix`"));
}

#[test]
fn references_and_networks_are_checked() {
    assert!(refused(r#"base = "HRNet_W18_C""#, r#"base = "HRNet_W64_C""#).contains("declared above"));
    assert!(
        refused(r#"preprocess = "paddle-224""#, r#"preprocess = "x""#)
            .contains("expected one of openmmlab-224, paddle-224")
    );
    assert!(refused("page-top1 = \"0.769\"", "page-top2 = \"0.769\"").contains("unknown column `page-top2`"));
    assert!(refused("page-top1 = \"0.769\"", "page-top1 = \"77 %\"").contains("`77 %` is no number"));
    assert!(refused("source = \"page\"", "source = \"pages\"").contains("unknown source"));
    assert!(refused("widths = [18, 36, 72, 144]", "widths = [18, 36, 0, 144]").contains("positive"));
    assert!(refused("widths = [18, 36, 72, 144]", "widths = [18, 36]").contains("branch widths"));
    assert!(refused("crop = 224", "crop = 230").contains("multiples of 32"));
    assert!(refused("crop = 224", "crop = 288").contains("crop <= resize_short"));
    assert!(refused("rule = \"model-stat-flops\"\n", "").contains("needs the `rule`"));
    assert!(refused("rule = \"model-stat-flops\"", "rule = \"trainable\"").contains("counts something else"));
    assert!(refused("unit = \"ms\"", "unit = \"G\"").contains("does not fit"));
    assert!(refused("weights = \"paddle\"\n", "").contains("needs the `weights`"));
    assert!(refused("id = \"ms\"", "id = \"paddle\"").contains("twice"));
    assert!(refused("id = \"ms\"", "id = \"Paddle\"").contains("twice"));
    assert!(refused("base = \"HRNet_W18_C\"", "base = \"HRNet_W18_C_ssld\"").contains("declared above"));
    assert!(refused("std = [0.229,", "std = [inf,").contains("finite, positive std"));
}

#[test]
fn preprocessing_has_a_profile_and_timms_has_a_rule() {
    let zoo = shipped();
    let of = |id: &str| {
        let Preprocess {
            id: own,
            profile,
            resize_short,
            crop,
            interpolation,
            ..
        } = &zoo.preprocess[id];
        assert_eq!(own, id);
        (*profile, *resize_short, *crop, *interpolation)
    };
    let (timm, bilinear) = (Profile::Timm, Interpolation::Bilinear);
    assert_eq!(of("paddle-224"), (Profile::Paddle, 256, 224, bilinear));
    assert_eq!(of("timm-224-bilinear-0.875"), (timm, 256, 224, bilinear));
    assert_eq!(
        of("timm-224-bicubic-0.875"),
        (timm, 256, 224, Interpolation::Bicubic)
    );
    assert_eq!(of("timm-224-bilinear-0.95"), (timm, 235, 224, bilinear));
    assert_eq!(of("timm-288-bilinear-1.0"), (timm, 288, 288, bilinear));
    let small = zoo.find("hrnet_w18_small").expect("a variant");
    assert_eq!(small.preprocess.id, "timm-224-bilinear-0.875");
    assert_eq!(
        zoo.column("timm-top1")
            .and_then(|column| column.preprocess.as_deref()),
        Some("timm-224-bilinear-0.875")
    );

    let older = EMBEDDED.replacen("profile = \"paddle\"\n", "", 1);
    assert_eq!(
        parse(&older).expect("a manifest of before").preprocess,
        zoo.preprocess
    );
    let resampler = |id: &str| zoo.preprocess[id].resampler;
    assert_eq!(resampler("paddle-224"), Resampler::OpenCv4);
    assert_eq!(
        resampler("timm-224-bicubic-0.875"),
        Resampler::Pillow12,
        "timm's figures are of before 13"
    );
    let newer = EMBEDDED.replace("resampler = \"pillow-12\"", "resampler = \"pillow-13\"");
    let newer = parse(&newer).expect("a manifest").preprocess;
    assert_eq!(newer["timm-224-bilinear-0.875"].resampler, Resampler::Pillow13);
    let unnamed = EMBEDDED.replace("resampler = \"pillow-12\"\n", "");
    assert_eq!(
        parse(&unnamed).expect("a manifest of before").preprocess,
        zoo.preprocess
    );
    assert!(refused("resampler = \"opencv-4\"", "resampler = \"pillow-13\"").contains("`resampler` is"));
    assert!(refused("resampler = \"pillow-12\"", "resampler = \"opencv-4\"").contains("`resampler` is"));
    assert!(refused("\"bilinear\"", "\"bicubic\"").contains("add `profile = \"timm\"`"));
    assert!(refused("crop_pct = 0.875\n", "").contains("either `resize_short` or timm's `crop_pct`"));
    assert!(refused("crop_pct = 0.875", "crop_pct = 87.5").contains("at most 1"));
    assert!(refused("resize_short = 256", "crop_pct = 0.875").contains("expected `resize_short`"));
    assert!(refused("profile = \"timm\"", "profile = \"torch\"").contains("torch"));
    let column = "weights = \"ms\"\npreprocess = \"timm-224-bilinear-0.875\"";
    assert!(refused(column, "weights = \"ms\"\npreprocess = \"x\"").contains("unknown preprocess `x`"));
    let of_source = |name: &str, source: &str| {
        let variant = zoo.find(name).expect("a variant");
        variant.artifact(source).expect("a source").preprocess.id.as_str()
    };
    assert_eq!(of_source("HRNet_W18_C", "paddle"), "paddle-224", "the variant's");
    assert_eq!(of_source("HRNet_W18_C", "ms"), "timm-224-bilinear-0.875");
    assert_eq!(
        of_source("hrnet_w18_small", "ms"),
        "timm-224-bilinear-0.875",
        "the variant's"
    );
    assert_eq!(of_source("HRNet_W48_C_ssld", "openmmlab"), "openmmlab-224");
    let own = "preprocess = \"timm-224-bilinear-0.875\"\nformat";
    assert!(refused(own, "preprocess = \"x\"\nformat").contains("unknown preprocess `x`"));
    let odd = "[preprocess.odd]\nresize_short = 100\ncrop = 100\ninterpolation = \"bilinear\"\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n";
    let of_odd = EMBEDDED.replacen("preprocess = \"openmmlab-224\"", "preprocess = \"odd\"", 1) + odd;
    let error = parse(&of_odd).expect_err("no crop of a network").to_string();
    assert!(
        error.contains("on images prepared as odd") && error.contains("multiples of 32"),
        "{error}"
    );
    let latency = "device = \"NVIDIA V100\"";
    let both = format!("{latency}\npreprocess = \"paddle-224\"");
    assert!(refused(latency, &both).contains("only an accuracy"));
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
