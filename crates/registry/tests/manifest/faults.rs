//! Faults of a manifest are refused, with line and column.

use registry::{EMBEDDED, Frame, Interpolation, Preprocess, Profile, Resampler};

use crate::{parse, refused, shipped};

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
            error.contains(&format!("`{bad}` is not a SHA-256 prefix")),
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
    assert!(refused("page-top1 = \"0.769\"", "page-top1 = \"77 %\"").contains("`77 %` is not a number"));
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
            frame: Frame::Centre { resize_short, crop },
            interpolation,
            ..
        } = &zoo.preprocess[id]
        else {
            panic!("{id} crops persons")
        };
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
