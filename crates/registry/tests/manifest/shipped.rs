//! The shipped manifest declares the published variants.

use registry::{Frame, Known, Metric};

use crate::shipped;

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
            variant.preprocess.frame,
            Frame::Centre {
                resize_short: 256,
                crop: 224
            }
        );
        let latencies = variant.claims.iter().filter(|claim| {
            let column = zoo.column(&claim.column).expect("a column");
            column.source == "page" && matches!(column.metric, Metric::Latency { .. })
        });
        assert_eq!(
            latencies.count(),
            match variant.name.as_str() {
                "SE_HRNet_W64_C_ssld" => 6,
                "HRNet_W48_C" => 9,
                _ => 7,
            },
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
