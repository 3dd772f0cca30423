//! Nights that are made up.

use std::path::{Path, PathBuf};

use harness::eval::{
    Agreement, Boxes, DataSet, Estimate, Figure, Header, Held, Key, Pace, PeopleClaim, PeopleSummary,
    PeopleTally, Protocol, Shard, Share, Summary, Tally,
};
use harness::{
    Canary, Conditions, Fidelity, LayerTimes, Machine, Provenance, Race, Record, StepTimes, WarmUp,
};
use hrnet::{Op, Precision, Shape};
use registry::{EMBEDDED, Zoo};
use report::{EVALUATIONS, Input, Shelf, earlier, evaluations, render, verdicts};

pub const PEERS: &[&str] = &["openvino", "onnxruntime", "mnn", "ncnn"];

/// Networks with milliseconds at batch 1.
const NETWORKS: [(&str, f64); 9] = [
    ("HRNet_W18_C", 53.0),
    ("HRNet_W30_C", 84.0),
    ("HRNet_W32_C", 92.0),
    ("HRNet_W40_C", 125.0),
    ("HRNet_W44_C", 141.0),
    ("HRNet_W48_C", 154.0),
    ("HRNet_W60_C", 231.0),
    ("HRNet_W64_C", 250.0),
    ("SE_HRNet_W64_C_ssld", 268.0),
];

/// Pose networks with their sizes and milliseconds.
const POSES: [(&str, &str, f64); 5] = [
    ("pose_hrnet_w32_256x192", "256x192", 121.0),
    ("pose_hrnet_w32_384x288", "384x288", 265.0),
    ("pose_hrnet_w48_256x192", "256x192", 232.0),
    ("pose_hrnet_w48_384x288", "384x288", 515.0),
    ("pose_hrnet_w32_ap10k_256x256", "crop256", 158.0),
];

pub fn zoo() -> Zoo {
    Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the shipped manifest")
}

/// Numbers that look random and are always the same.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) + 1)
    }

    /// 0 to 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// A record with samples around a time, as a machine with other work makes them.
pub fn record(case: &str, day: &str, ms: f64, samples: usize, dice: &mut Dice) -> Record {
    let mut sample = || {
        let slow = if dice.roll() > 0.93 { 0.2 } else { 0.0 };
        (ms * 1e6 * (1.0 + 0.03 * dice.roll() + slow)) as u64
    };
    let samples = (0..samples).map(|_| sample()).collect();
    let provenance = Provenance {
        weights: "seeded:0".into(),
        weights_check: None,
        zoo: "0.1.0".into(),
        build: "rustc 1.95.0, x86_64-unknown-linux-gnu, release".into(),
        features: Vec::new(),
        backend: "hrnet-zoo 0.1.0's own engine, with Winograd, on avx512".into(),
        commit: None,
        machine: Machine {
            cpu: "AMD EPYC".into(),
            threads: 2,
            memory_bytes: 25_276_514_304,
            os: "linux x86_64".into(),
            cpu_features: ["avx2", "fma", "avx512f"].map(str::to_owned).into(),
            governor: Some("performance".into()),
            processors: Some("0-1".into()),
        },
    };
    let case = case.parse().expect("a case");
    let mut record = Record::new(case, format!("{day}T03:00:00Z"), Ok(samples), provenance);
    let canary = |dice: &mut Dice| Canary {
        macs_per_s: 118e9 * (1.0 - 0.08 * dice.roll()),
        tile_macs_per_s: None,
        bytes_per_s: 21e9 * (1.0 - 0.08 * dice.roll()),
        handover_ns: None,
    };
    record.conditions = Some(Conditions {
        canary: [canary(dice), canary(dice)],
        load: Some(dice.roll()),
        steal: Some(0.02 * dice.roll()),
        peak_resident_bytes: Some(300 << 20),
    });
    record.warm_up = Some(WarmUp {
        runs: 4,
        steady: dice.roll() > 0.1,
    });
    record.fidelity = record.case.network().map(|case| {
        let fidelity = fidelity(case.precision, dice);
        match case.variant.starts_with("pose_") {
            false => fidelity,
            true => Fidelity {
                largest_error: fidelity.largest_error,
                ..Fidelity::default()
            },
        }
    });
    record
}

/// About what each precision costs.
fn fidelity(precision: Precision, dice: &mut Dice) -> Fidelity {
    let error = match precision {
        Precision::F32 => 4e-5,
        Precision::F16 => 3e-3,
        Precision::I16 => 8e-3,
        Precision::Bf16 => 2e-2,
        Precision::Int8 => 2e-1,
    };
    let error = error * (1.0 + dice.roll());
    Fidelity {
        largest_error: error / 4.0,
        top1_agreement: Some(if error > 0.3 { 0.75 } else { 1.0 }),
        error_in_deviations: Some(error),
        divergence: Some(error * error / 4.0),
    }
}

/// The times of every convolution and sum of W18.
pub fn layers(day: &str) -> LayerTimes {
    let mut dice = Dice::new(18);
    let graph = zoo().variants[0]
        .spec
        .graph(Shape::square(1, 224))
        .expect("a network");
    let steps = graph.node_profiles().filter_map(|(_, node, profile)| {
        let per_ns = match node.op {
            Op::Conv(conv) if conv.kernel == 3 => 180.0,
            Op::Conv(_) | Op::Linear(_) => 90.0,
            Op::Upsample(_) | Op::Add => 1.0,
            _ => return None,
        };
        let work = profile.macs.0.max(node.shape.elements() as u64 / 4);
        Some(StepTimes {
            layer: node.name(),
            kind: node.op.name().into(),
            macs: profile.macs.0,
            operands: (profile.macs.0 > 0).then_some(Precision::F32),
            on_tiles: false,
            weight_bytes: 4 * profile.trainable.0 as usize,
            samples_ns: (0..9)
                .map(|_| (work as f64 / per_ns * (1.0 + 0.1 * dice.roll())) as u64)
                .collect(),
        })
    });
    let steps = steps.collect();
    let case = "HRNet_W18_C/f32/bs1/crop224/cpu/t2";
    LayerTimes {
        schema: LayerTimes::SCHEMA,
        case: case.parse().expect("a case"),
        started: format!("{day}T04:00:00Z"),
        peak_macs_per_s: 118e9,
        peaks_macs_per_s: [(Precision::F32, 118e9)].into(),
        tile_peaks_macs_per_s: std::collections::BTreeMap::new(),
        provenance: record(case, day, 1.0, 1, &mut dice).provenance,
        steps,
    }
}

/// Everything that a full night measures: preprocessing, the matrix, races.
pub fn night(day: &str, seed: u64) -> Vec<Record> {
    let mut dice = Dice::new(seed);
    let mut records = vec![record("preprocess/decode", day, 2.1, 60, &mut dice)];
    for (resize, crop) in [(256, 224), (320, 288), (384, 352)] {
        for (precision, batch) in [("f32", 1), ("f32", 4), ("f16", 4)] {
            let case = format!("preprocess/resize{resize}-crop{crop}/{precision}/bs{batch}");
            let ms = f64::from(batch) * 0.9 * f64::from(crop * crop) / 50_176.0;
            records.push(record(&case, day, ms, 40, &mut dice));
        }
    }
    for (network, ms) in NETWORKS {
        for batch in [1_u32, 4, 8] {
            let ms = ms * 0.55 * f64::from(batch).powf(0.93);
            let case = format!("{network}/f32/bs{batch}/crop224/cpu/t2");
            records.push(record(&case, day, ms, 24, &mut dice));
            let others = [
                ("f16", "candle", 5.0),
                ("bf16", "cpu", 0.8),
                ("i16", "cpu", 0.62),
                ("int8", "cpu", 0.5),
            ];
            for (precision, backend, slower) in others {
                let case = format!("{network}/{precision}/bs{batch}/crop224/{backend}/t2");
                records.push(record(&case, day, ms * slower, 7, &mut dice));
            }
        }
    }
    for (network, size, ms) in POSES {
        for (precision, slower) in [("f32", 1.0), ("bf16", 0.8), ("i16", 0.62), ("int8", 0.5)] {
            let case = format!("{network}/{precision}/bs1/{size}/cpu/t2");
            records.push(record(&case, day, ms * 0.55 * slower, 14, &mut dice));
        }
    }
    let engines = [
        ("cpu", 1.0),
        ("openvino", 1.8),
        ("onnxruntime", 2.0),
        ("mnn", 1.4),
        ("ncnn", 1.45),
    ];
    for (network, ms) in [NETWORKS[0], NETWORKS[2], NETWORKS[5], NETWORKS[7]] {
        for (engine, slower) in engines {
            let case = format!("{network}/f32/bs1/crop224/{engine}/t1");
            let mut raced = record(&case, day, ms * slower, 12, &mut dice);
            raced.conditions = None;
            raced.provenance.backend = format!("{engine} 1.2");
            raced.race = Some(Race {
                id: format!("{day} {network}"),
                peak_macs_per_s: Some(59e9),
            });
            records.push(raced);
        }
    }
    let [(network, size, ms), ..] = POSES;
    for (engine, slower) in engines {
        let case = format!("{network}/f32/bs1/{size}/{engine}/t1");
        let mut raced = record(&case, day, ms * slower, 12, &mut dice);
        raced.conditions = None;
        raced.provenance.backend = format!("{engine} 1.2");
        raced.race = Some(Race {
            id: format!("{day} {network}"),
            peak_macs_per_s: Some(59e9),
        });
        records.push(raced);
    }
    for size in ["256x192", "384x288"] {
        let case = format!("preprocess/person-{size}");
        records.push(record(&case, day, 0.7, 40, &mut dice));
    }
    if let Some(record) = records.iter_mut().find(|record| record.case.images() == 8) {
        record.error = Some("wrong answer: the largest logit is off by 12 % <of the reference's>".into());
        record.samples_ns.clear();
    }
    records
}

/// The result of an evaluation on a sample of 1000 images with this many right answers.
fn evaluation(variant: &str, day: &str, top1: usize, claims: Vec<Held>) -> Summary {
    let tally = Tally {
        counted: 999,
        top1,
        top5: top1 + (999 - top1) * 3 / 4,
        unreadable: usize::from(variant == "HRNet_W30_C"),
        ..Tally::default()
    };
    let share = |right| {
        tally.share(right).map(|share| Share {
            share,
            interval: tally.interval(right),
        })
    };
    Summary {
        header: Header {
            eval: Header::SCHEMA,
            key: Key {
                variant: variant.into(),
                weights: "e1ba4b4e7a4d8c0f".repeat(4),
                calibration: None,
                preprocess: "paddle".into(),
                precision: Precision::F32,
                backend: "hrnet-zoo 0.1.0's own engine, with Winograd, on avx512, plan 1a2b3c4d".into(),
                batch: 8,
                data: DataSet {
                    images: 50_000,
                    classes: 1000,
                    digest: "5a1c".repeat(16),
                },
                candidates: 1000,
                keypoints: None,
            },
            shard: Shard::WHOLE,
            source: Some("paddle".into()),
            preprocess: "paddle-224".into(),
            started: format!("{day}T05:00:00Z"),
            weights_check: None,
            provenance: Provenance::default(),
        },
        top1: share(tally.top1),
        top5: share(tally.top5),
        tally,
        images_sha256: None,
        pace: Some(Pace {
            images: 1000,
            seconds: 50.0,
            network_seconds: 48.0,
            threads: 2,
            decoders: 2,
        }),
        claims,
    }
}

/// The result of an evaluation of keypoints on all images of a set.
fn people(day: &str, ap: f64) -> PeopleSummary {
    let Summary { mut header, pace, .. } = evaluation("pose_hrnet_w32_256x192", day, 0, Vec::new());
    header.key.data = DataSet {
        images: 5000,
        classes: 0,
        digest: "6b2d".repeat(16),
    };
    header.key.candidates = 0;
    header.key.keypoints = Some(Protocol {
        keypoints: "coco".into(),
        annotations: "7c3e".repeat(16),
        category: 1,
        boxes: Some(Boxes {
            file: "COCO_val2017_detections_AP_H_56_person.json".into(),
            sha256: "8d4f".repeat(16),
        }),
        flip: true,
        rules: "OKS-NMS 0.9".into(),
    });
    let estimate = |value: f64, interval: Option<harness::Interval>| Estimate { value, interval };
    let around = |value: f64| harness::Interval {
        low: value - 0.01,
        high: value + 0.01,
    };
    PeopleSummary {
        header,
        tally: PeopleTally {
            images: 5000,
            people: 6000,
            ignored: 5000,
            boxes: 100_000,
            found: 70_000,
            ..PeopleTally::default()
        },
        figures: [
            (Figure::Ap, estimate(ap, Some(around(ap)))),
            (Figure::Ap50, estimate(0.905, Some(around(0.905)))),
            (Figure::ApMedium, estimate(0.7, None)),
            (Figure::Ar, estimate(0.798, Some(around(0.798)))),
        ]
        .into(),
        images_sha256: None,
        pace,
        claims: vec![PeopleClaim {
            column: "pose-ms-ap".into(),
            printed: "0.744".into(),
            figure: Figure::Ap,
            agreement: Agreement::Agrees,
            reasons: Vec::new(),
        }],
    }
}

/// Writes what a night's evaluations came to into its folder: of the last night one network answers otherwise than before.
pub fn evaluate(folder: &Path, day: &str) {
    let held = |column: &str, printed: &str, top, agreement, reasons: &[&str]| Held {
        column: column.into(),
        printed: printed.into(),
        top,
        agreement,
        reasons: reasons.iter().map(ToString::to_string).collect(),
    };
    let few = ["1000 images, not the 50 000 of the validation set"];
    let w18 = vec![
        held("page-top1", "0.769", 1, Agreement::NotComparable, &few),
        held("page-top5", "0.934", 5, Agreement::NotComparable, &few),
    ];
    let w30 = vec![held("page-top1", "0.780", 1, Agreement::Differs, &[])];
    let summaries = [
        evaluation("SE_HRNet_W64_C_ssld", day, 850, Vec::new()),
        evaluation(
            "HRNet_W18_C",
            day,
            if day.ends_with("24") { 768 } else { 771 },
            w18,
        ),
        evaluation("HRNet_W30_C", day, 640, w30),
    ];
    let folder = folder.join(EVALUATIONS);
    std::fs::create_dir_all(&folder).expect("made");
    for summary in summaries {
        let name = format!("{}.f32.0a1b2c3d.json", summary.header.key.variant);
        let text = serde_json::to_string_pretty(&summary).expect("JSON");
        std::fs::write(folder.join(name), text).expect("written");
    }
    let summary = people(day, if day.ends_with("24") { 0.7441 } else { 0.7446 });
    let text = serde_json::to_string_pretty(&summary).expect("JSON");
    std::fs::write(folder.join("pose_hrnet_w32_256x192.f32.1b2c3d4e.json"), text).expect("written");
    let left_out = r#"[{"variant": "HRNet_W40_C", "reason": "no weights in the cache", "failed": false},
        {"variant": "HRNet_W44_C", "reason": "no weights in the cache", "failed": false},
        {"variant": "HRNet_W48_C", "reason": "the file is <damaged>", "failed": true}]"#;
    std::fs::write(folder.join("left-out.json"), left_out).expect("written");
}

/// Writes the page of a night among the reports.
pub fn write(reports: &Path, records: &[Record], verdict: Option<&str>) -> PathBuf {
    let zoo = zoo();
    let machine = &records[0].provenance.machine;
    let day = records[0].started.split('T').next().expect("a day");
    let shelf = Shelf::open(reports).expect("opened");
    let aside = shelf.aside().expect("made");
    let folder = aside.path();
    if let Some(text) = verdict {
        std::fs::write(folder.join("verdicts.json"), text).expect("written");
    }
    evaluate(folder, day);
    let history = earlier(reports, machine, &records[0].started).expect("read");
    let findings = registry::lint::lint(&zoo);
    let layers = layers(day);
    let input = Input {
        zoo: &zoo,
        findings: &findings,
        records,
        layers: Some(&layers),
        evaluations: &evaluations(folder).expect("read"),
        peers: PEERS,
        history: &history,
        verdicts: &verdicts(folder).expect("read"),
        command: "zoo nightly --quick",
    };
    render(&input, folder).expect("written");
    let folder = shelf.place(aside, day, machine).expect("placed");
    shelf.update("2027-01-01T00:00:00Z").expect("written");
    folder
}

/// Five nights of one machine, the last with verdicts; gives the last one's folder.
pub fn nights(reports: &Path) -> PathBuf {
    let verdicts = r#"{"command": "zoo nightly", "aa": null, "comparison": {"verdicts": [
        {"case": "HRNet_W18_C/f32/bs1/crop224/cpu/t2", "answer": "regressed"},
        {"case": "HRNet_W30_C/f32/bs1/crop224/cpu/t2", "answer": "improved"},
        {"case": "HRNet_W32_C/f32/bs1/crop224/cpu/t2", "answer": "same"},
        {"case": "HRNet_W48_C/f32/bs1/crop224/cpu/t2", "answer": "incomparable",
            "why": "hand-over between cores: 55 ns before, 217 ns now"}]}}"#;
    let mut last = PathBuf::new();
    for day in 20..25_u64 {
        let records = night(&format!("2026-11-{day}"), day);
        last = write(reports, &records, (day == 24).then_some(verdicts));
    }
    last
}
