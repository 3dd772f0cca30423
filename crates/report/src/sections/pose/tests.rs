use super::*;
use crate::sections::claims::NONE;
use crate::testing::{record, with};

/// A record of a pose network on seeded weights, with the error of its heatmaps.
fn measured(case: &str, ms: u64, largest_error: f64) -> harness::Record {
    let mut record = record(case, &[ms; 8]);
    record.provenance.weights = "seeded:0".into();
    record.fidelity = Some(harness::Fidelity {
        largest_error,
        ..harness::Fidelity::default()
    });
    record
}

fn texts(blocks: &[Block]) -> Vec<&str> {
    let texts = blocks.iter().filter_map(|block| match block {
        Block::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn rows<'b>(blocks: &'b [Block], title: &str) -> Vec<Vec<&'b str>> {
    let mut tables = blocks.iter().filter_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    let table = tables.find(|table| table.columns.iter().any(|column| column.title == title));
    let rows = table.expect(title).rows.iter();
    rows.map(|row| row.iter().map(|entry| entry.text.as_str()).collect())
        .collect()
}

#[test]
fn a_page_of_pose_cells_has_their_choices_times_errors_and_claims_and_mixes_them_with_no_classifier() {
    let records = [
        measured("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2", 80, 1e-5),
        measured("pose_hrnet_w32_256x192/int8/bs1/256x192/cpu/t2", 40, 0.02),
        measured("pose_hrnet_w48_384x288/f32/bs1/384x288/cpu/t2", 400, 1e-5),
        // At the size of classifiers.
        measured("pose_hrnet_w48_384x288/f32/bs4/crop224/cpu/t2", 300, 1e-5),
        record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 8]),
    ];
    with(&records, |model| {
        let section = pose(model, Vec::new()).expect("a section");
        let texts = texts(&section.blocks);
        assert!(
            texts[0].contains("4 cells ran on seeded (random) weights"),
            "{}",
            texts[0]
        );
        assert!(
            texts
                .iter()
                .any(|text| text.starts_with("Not measured here: pose_hrnet_w32_256x192_udp_regress, ")),
            "{texts:?}"
        );
        assert!(
            texts
                .iter()
                .any(|text| text.ends_with("2 threads, 256 x 192 pixels:")),
            "{texts:?}"
        );
        let choices = rows(&section.blocks, "worth it");
        assert_eq!(
            choices[0][..4],
            [
                "pose_hrnet_w32_256x192_udp",
                "256x192",
                "76.2\nCOCO val2017",
                "int8"
            ]
        );
        let errors = rows(&section.blocks, "largest error,\nof the largest value");
        assert_eq!(
            errors[1][1..],
            ["int8", "1", "2", "40.00", "2.00\n[2.00, 2.00]", "2.0e-2"]
        );
        let claims = rows(&section.blocks, "AP50");
        assert_eq!(
            claims[0][..9],
            [
                "pose_hrnet_w32_256x192",
                "256x192",
                "17",
                "plain",
                "74.9",
                "90.6",
                "82.1",
                "80.4",
                "COCO val2017"
            ]
        );
        let mpii = claims
            .iter()
            .find(|row| row[0] == "pose_hrnet_w32_mpii_256x256")
            .expect("there");
        assert_eq!(mpii[4..8], [NONE; 4], "PCKh is no AP");

        let latency = super::super::latency::latencies(model, Vec::new()).expect("of classifiers");
        let of_classes = serde_json::to_string(&latency.blocks).expect("JSON");
        assert!(!of_classes.contains("pose_"), "{of_classes}");
        assert!(
            texts.iter().any(|text| text.contains(", 224 x 224 pixels:")),
            "the pose cell at that size"
        );
        for figure in crate::figures(model).expect("drawn") {
            let is_pose = figure.id.starts_with("pose.");
            assert_eq!(figure.svg.contains("pose_"), is_pose, "{}", figure.id);
        }
    });
}

#[test]
fn a_page_without_pose_cells_says_what_measures_them_and_a_manifest_without_them_has_no_section() {
    with(&[], |model| {
        let section = pose(model, Vec::new()).expect("published figures");
        let texts = texts(&section.blocks);
        assert_eq!(
            texts[1],
            "No pose network was measured here: `zoo bench -m poses` measures all of them."
        );
        assert!(!texts[0].contains("seeded"), "{}", texts[0]);
        let mut zoo = model.input.zoo.clone();
        zoo.variants.retain(registry::Variant::is_classifier);
        let input = crate::testing::input(&zoo, &[]);
        assert!(pose(&Model::new(&input), Vec::new()).is_none());
    });
}
