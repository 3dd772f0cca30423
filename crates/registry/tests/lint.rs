//! The findings of lint on the shipped manifest; each goes when its cause does.

use std::path::Path;

use registry::lint::{Finding, Severity, lint};
use registry::{EMBEDDED, Zoo};

fn findings(text: &str) -> Vec<Finding> {
    lint(&Zoo::parse(text, Path::new("zoo.toml")).expect("a valid manifest"))
}

fn of<'a>(findings: &'a [Finding], rule: &str, severity: Severity) -> Vec<&'a Finding> {
    findings
        .iter()
        .filter(|finding| finding.rule == rule && finding.severity == severity)
        .collect()
}

/// Those that are not about pose networks.
fn classes(found: Vec<&Finding>) -> Vec<&Finding> {
    let of_classes = |finding: &&Finding| !finding.subject.starts_with("pose_");
    found.into_iter().filter(of_classes).collect()
}

fn only<'a>(findings: &[&'a Finding]) -> &'a Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings[0]
}

#[test]
fn w18_is_no_count_of_any_rule_while_the_others_agree() {
    let found = findings(EMBEDDED);
    let wrong = only(&of(&found, "counts", Severity::Error));
    assert_eq!(wrong.subject, "HRNet_W18_C, HRNet_W18_C_ssld page-flops");
    assert!(
        wrong
            .message
            .contains("The table prints 4.140 G, but the network has 8.583 G"),
        "{}",
        wrong.message
    );
    assert!(wrong.message.contains("7 other networks"), "{}", wrong.message);
    assert!(
        wrong.message.contains("No rule known here gives 4.140"),
        "{}",
        wrong.message
    );
    assert!(
        wrong
            .message
            .contains("macs gives 4.284 (3.989 in units of 2^30)"),
        "{}",
        wrong.message
    );

    let agree = of(&found, "counts", Severity::Ok);
    let line = |column: &str| {
        &agree
            .iter()
            .find(|finding| finding.subject == column)
            .expect(column)
            .message
    };
    assert!(
        line("page-flops").starts_with("7 of 8 distinct networks")
            && line("page-flops").ends_with("; HRNet_W18_C does not."),
        "{}",
        line("page-flops")
    );
    assert!(
        line("page-params").starts_with("8 of 8 distinct networks"),
        "{}",
        line("page-params")
    );
    assert!(
        line("readme-params").starts_with("8 of 8 distinct networks"),
        "{}",
        line("readme-params")
    );
    assert!(
        line("ms-macs").starts_with("9 of 9 distinct networks"),
        "{}",
        line("ms-macs")
    );
    // OpenMMLab prints every digit.
    for column in ["mmpretrain-flops", "mmpretrain-params"] {
        let line = line(column);
        assert!(line.starts_with("7 of 7 distinct networks"), "{line}");
    }
    assert!(
        line("mmpretrain-flops").contains("counted by the rule `openmmlab-flops` and rounded"),
        "{}",
        line("mmpretrain-flops")
    );
}

#[test]
fn a_corrected_figure_is_no_longer_found_and_a_broken_one_is() {
    let fixed = findings(&EMBEDDED.replace("page-flops = \"4.140\"", "page-flops = \"8.580\""));
    assert!(of(&fixed, "counts", Severity::Error).is_empty(), "{fixed:#?}");
    assert!(
        of(&fixed, "counts", Severity::Ok)
            .iter()
            .any(|f| f.subject == "page-flops" && f.message.starts_with("8 of 8 distinct networks"))
    );
    let other = findings(&EMBEDDED.replace("page-flops = \"4.140\"", "page-flops = \"4.320\""));
    let known = only(&of(&other, "counts", Severity::Error));
    assert!(
        known
            .message
            .contains("The figure is what `paddle-flops` counts in units of G"),
        "{}",
        known.message
    );
    let broken = findings(&EMBEDDED.replace("page-params = \"41.230\"", "page-params = \"14.230\""));
    assert!(
        of(&broken, "counts", Severity::Error)
            .iter()
            .any(|f| f.subject == "HRNet_W32_C page-params")
    );
}

#[test]
fn a_column_declared_by_the_wrong_rule_is_one_finding() {
    let found = findings(&EMBEDDED.replace("rule = \"model-stat-flops\"", "rule = \"conv-macs\""));
    let wrong = only(&of(&found, "counts", Severity::Error));
    assert_eq!(wrong.subject, "page-flops");
    assert!(
        wrong.message.contains("None of 8 distinct networks")
            && wrong.message.contains("7 do by `model-stat-flops` in units of G"),
        "{}",
        wrong.message
    );
    assert!(
        of(&found, "counts", Severity::Ok)
            .iter()
            .all(|f| f.subject != "page-flops")
    );
}

#[test]
fn one_published_count_is_off_by_a_little() {
    let found = findings(EMBEDDED);
    let off = only(&of(&found, "counts", Severity::Warning));
    assert_eq!(off.subject, "SE_HRNet_W64_C_ssld readme-flops");
    assert!(
        off.message
            .contains("The table prints 29.00 G, but the network has 28.982 G"),
        "{}",
        off.message
    );
}

#[test]
fn figures_of_the_same_weights_must_round_to_each_other() {
    let found = findings(EMBEDDED);
    let wrong = only(&classes(of(&found, "second-figures", Severity::Error)));
    assert_eq!(wrong.subject, "HRNet_W18_C_ssld page-top1");
    assert!(
        wrong.message.contains("0.816") && wrong.message.contains("0.81162"),
        "{}",
        wrong.message
    );
    let cut = only(&of(&found, "second-figures", Severity::Note));
    assert_eq!(cut.subject, "SE_HRNet_W64_C_ssld page-top1");
    assert!(
        cut.message
            .contains("0.8475 is printed as 0.847, cut off, while HRNet_W48_C's 0.7895 is printed as 0.790")
    );

    let fixed = findings(&EMBEDDED.replace("page-top1 = \"0.816\"", "page-top1 = \"0.812\""));
    assert!(classes(of(&fixed, "second-figures", Severity::Error)).is_empty());
    let error = findings(&EMBEDDED.replace("ms-top1-error = \"23.2\"", "ms-top1-error = \"23.4\""));
    assert!(
        of(&error, "second-figures", Severity::Error)
            .iter()
            .any(|f| f.subject.starts_with("HRNet_W18_C "))
    );
}

#[test]
fn mmpose_prints_its_results_in_two_ways_and_counts_agree_to_the_unit() {
    let found = findings(EMBEDDED);
    let wrong = of(&found, "second-figures", Severity::Error);
    let wrong: Vec<&&Finding> = wrong
        .iter()
        .filter(|finding| finding.subject.starts_with("pose_"))
        .collect();
    let subjects: Vec<&str> = wrong.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "pose_hrnet_w32_256x192 mmpose-ap, mmpose-ap50, mmpose-ap75, mmpose-ar",
            "pose_hrnet_w32_384x288 mmpose-ap, mmpose-ap50, mmpose-ap75, mmpose-ar",
            "pose_hrnet_w48_256x192 mmpose-ap50, mmpose-ap75, mmpose-ar",
            "pose_hrnet_w48_384x288 mmpose-ap50, mmpose-ap75, mmpose-ar",
        ]
    );
    assert!(
        wrong[0]
            .message
            .contains("0.749 (mmpose-ap) and 0.746 (mmpose-yml-ap)")
            && wrong[0].message.contains("up to 0.50 percentage points apart"),
        "{}",
        wrong[0].message
    );
    let agree = of(&found, "counts", Severity::Ok);
    for column in ["pose-ms-params", "pose-ms-macs"] {
        let line = agree
            .iter()
            .find(|finding| finding.subject == column)
            .expect(column);
        assert!(
            line.message.starts_with("4 of 4 distinct networks"),
            "{}",
            line.message
        );
    }
    let other = findings(&EMBEDDED.replace("pose-ms-macs = \"16.0\"", "pose-ms-macs = \"17.1\""));
    let known = other
        .iter()
        .find(|finding| finding.subject == "pose_hrnet_w32_384x288 pose-ms-macs");
    assert!(known.is_some_and(|finding| finding.severity == Severity::Error));
}

#[test]
fn copied_and_odd_latencies_are_told() {
    let found = findings(EMBEDDED);
    let copied: Vec<&str> = of(&found, "copied", Severity::Warning)
        .iter()
        .map(|finding| finding.subject.as_str())
        .collect();
    assert_eq!(copied, ["HRNet_W18_C_ssld", "HRNet_W48_C_ssld"]);
    let slow = only(&of(&found, "precision-order", Severity::Warning));
    assert_eq!(slow.subject, "SE_HRNet_W64_C_ssld page-t4-fp16-bs1");
    assert!(
        slow.message
            .contains("32.33651 ms in f16 is slower than 31.69770 ms in f32"),
        "{}",
        slow.message
    );
    let batches = only(&of(&found, "batch-order", Severity::Warning));
    assert_eq!(batches.subject, "HRNet_W48_C page-v100-fp32-bs8");
    assert!(
        batches.message.starts_with(
            "15.53 ms at batch 8 is less than 15.67 ms at batch 4 on the same NVIDIA V100 in f32"
        ),
        "{}",
        batches.message
    );
    // What an earlier edition of the page prints.
    let earlier = findings(&EMBEDDED.replace("\"15.53\"", "\"27.28\""));
    assert!(of(&earlier, "batch-order", Severity::Warning).is_empty());
    let order = only(&of(&found, "size-order", Severity::Note));
    assert_eq!(order.subject, "HRNet_W30_C, HRNet_W32_C");
    let missing = only(&of(&found, "missing", Severity::Note));
    assert_eq!(missing.subject, "SE_HRNet_W64_C_ssld");
    assert!(missing.message.contains("NVIDIA V100"), "{}", missing.message);

    let measured =
        findings(&EMBEDDED.replace("page-t4-fp16-bs1 = \"32.33651\"", "page-t4-fp16-bs1 = \"30.0\""));
    assert!(of(&measured, "precision-order", Severity::Warning).is_empty());
    let odd = findings(&EMBEDDED.replace(
        "page-t4-fp16-bs8 = \"40.4198\"",
        "page-t4-fp16-bs8 = \"140.4198\"",
    ));
    assert!(
        of(&odd, "precision-order", Severity::Warning)
            .iter()
            .any(|f| f.subject == "HRNet_W64_C page-t4-fp16-bs8")
    );
}

/// The manifest with a text replaced in one variant alone.
fn in_variant(name: &str, from: &str, to: &str) -> String {
    let start = EMBEDDED.find(&format!("name = \"{name}\"")).expect(name);
    let (before, rest) = EMBEDDED.split_at(start);
    let end = rest.find("[[variant]]").unwrap_or(rest.len());
    let (own, after) = rest.split_at(end);
    assert!(own.contains(from), "{name} has no {from}");
    format!("{before}{}{after}", own.replace(from, to))
}

#[test]
fn findings_on_rows_go_when_their_cause_does() {
    let copied = findings(&in_variant(
        "HRNet_W18_C_ssld",
        "page-t4-fp16-bs4 = \"11.50986\"",
        "page-t4-fp16-bs4 = \"11.50987\"",
    ));
    let partly = &of(&copied, "copied", Severity::Warning)[0].message;
    assert!(
        partly.starts_with("6 of 7 latencies repeat those of HRNet_W18_C"),
        "{partly}"
    );

    let mut ordered = EMBEDDED.to_owned();
    for (w30, faster) in [("8.98077", "8.5"), ("21.23527", "21.1"), ("9.57594", "9.4")] {
        ordered = ordered.replace(&format!("\"{w30}\""), &format!("\"{faster}\""));
    }
    assert!(of(&findings(&ordered), "size-order", Severity::Note).is_empty());

    let se = "page-t4-fp32-bs8 = \"174.45766\"";
    let measured = in_variant(
        "SE_HRNet_W64_C_ssld",
        se,
        &format!("{se}\npage-v100-fp32-bs1 = \"20.0\""),
    );
    assert!(of(&findings(&measured), "missing", Severity::Note).is_empty());

    let own = in_variant("HRNet_W48_C_ssld", "page-reference-top1 = \"0.793\"\n", "");
    let own = findings(&own);
    let borrowed = of(&own, "borrowed", Severity::Note);
    assert_eq!(borrowed.len(), 2);
    assert!(
        borrowed[1].message.starts_with("page-reference-top5 "),
        "{}",
        borrowed[1].message
    );
}

#[test]
fn the_text_counts_seven_and_the_table_ten() {
    let found = findings(EMBEDDED);
    let text = only(&of(&found, "models-in-text", Severity::Warning));
    assert!(
        text.message.contains("speaks of 7 models; its tables list 10"),
        "{}",
        text.message
    );
    let fixed = findings(&EMBEDDED.replace("models_in_text = 7", "models_in_text = 10"));
    assert!(of(&fixed, "models-in-text", Severity::Warning).is_empty());
    let borrowed = of(&found, "borrowed", Severity::Note);
    assert_eq!(borrowed.len(), 2, "{borrowed:#?}");
}
