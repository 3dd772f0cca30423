use std::path::Path;

use harness::{Budget, Case, NetworkCase, Race, Ratio, Record, Summary, append};
use hrnet::{Precision, Shape};

use super::{Workshop, canary, provenance};
use crate::Failure;
use crate::output::table;

/// The backend that others are compared with.
const OURS: &str = "cpu";

/// Stock operations: slow enough that more than one image a batch is not waited for unless asked.
const STOCK: &str = "candle";

/// One question that several engines are timed on in turns: a network in f32, a batch, a number of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heat {
    pub(crate) variant: String,
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    /// Backends and peers, by name; all are compared with the first.
    pub(crate) engines: Vec<String>,
}

/// How a heat ended.
pub(crate) struct Standing {
    heat: Heat,
    /// One an engine, in the heat's order.
    pub(crate) records: Vec<Record>,
    /// Multiply-accumulates of a batch.
    macs: u64,
}

/// Our backend, stock operations for single images, and these peers.
pub(crate) fn engines(batch: usize, peers: &[&str]) -> Vec<String> {
    let ours = &[OURS, STOCK][..if batch == 1 { 2 } else { 1 }];
    [ours, peers].concat().into_iter().map(str::to_owned).collect()
}

impl Heat {
    /// What the heat is known by; ids of its cells are this with the engine in it.
    pub(crate) fn id(&self) -> String {
        let Self {
            variant,
            batch,
            threads,
            ..
        } = self;
        format!("{variant}/f32/bs{batch}/t{threads}")
    }

    /// Prepares every engine, checks its answer, and times those with right answers in turns, with a loop of fused
    /// multiply-adds among them. Each record is appended to the file, if there is one.
    ///
    /// # Errors
    /// If the network is unknown or the file cannot be written; an engine that fails has a record of its error.
    pub(crate) fn run(
        &self,
        workshop: &Workshop,
        budget: Budget,
        file: Option<&Path>,
    ) -> Result<Standing, Failure> {
        let variant = workshop.cx.variant(&self.variant)?;
        let crop = variant.preprocess.crop;
        let macs = variant.spec.graph(Shape::square(1, crop))?.profile().macs().0;
        let started = Record::now();
        let common = provenance();
        let isa = runtime::unit()?;
        let (canary, canary_macs) = canary::cell(isa, self.threads);
        let mut cells = vec![canary];
        let mut prepared = Vec::with_capacity(self.engines.len());
        for engine in &self.engines {
            let case = NetworkCase {
                variant: self.variant.clone(),
                precision: Precision::F32,
                batch: self.batch,
                crop,
                backend: engine.clone(),
                threads: self.threads,
            };
            let ready = workshop.network(&case).map(|ready| {
                cells.push(ready.cell);
                (cells.len() - 1, ready.about)
            });
            prepared.push((Case::Network(case), ready));
        }
        let samples = budget.race(&mut cells);
        let race = Race {
            id: format!("{started} {}", self.id()),
            // The best round's: one in which two threads woke on one core is no peak.
            peak_macs_per_s: samples[0]
                .as_deref()
                .ok()
                .and_then(Summary::of)
                .map(|summary| canary_macs / (summary.min_ns / 1e9)),
        };
        let mut records = Vec::with_capacity(prepared.len());
        for (case, ready) in prepared {
            let started = started.clone();
            let mut record = match ready {
                Ok((place, about)) => about.record(&case, started, samples[place].clone(), &common),
                Err(failure) => Record::new(case, started, Err(failure.message), common.clone()),
            };
            record.race = Some(race.clone());
            if let Some(file) = file {
                append(file, &record)?;
            }
            records.push(record);
        }
        Ok(Standing {
            heat: self.clone(),
            records,
            macs: macs * self.batch as u64,
        })
    }
}

impl Standing {
    /// Whether our own engine gave no time.
    pub(crate) fn ours_failed(&self) -> bool {
        self.records[0].summary().is_none()
    }

    /// The fastest peer's record: neither of ours nor stock operations.
    fn fastest_peer(&self) -> Option<&Record> {
        let peers = self
            .records
            .iter()
            .filter(|record| crate::peers::names().any(|name| name == engine(record)));
        let measured = peers.filter_map(|record| Some((record, record.summary()?.median_ns)));
        let fastest = measured.min_by(|(_, a), (_, b)| a.total_cmp(b));
        fastest.map(|(record, _)| record)
    }

    /// How many times as long an engine takes as the first.
    fn ratio(&self, record: &Record) -> Option<Ratio> {
        Ratio::of(&record.samples_ns, &self.records[0].samples_ns)
    }

    /// Every engine's times, and what they come to.
    pub(crate) fn text(&self) -> String {
        let Heat { batch, threads, .. } = self.heat;
        let rounds = self
            .records
            .iter()
            .map(|record| record.samples_ns.len())
            .max()
            .unwrap_or(0);
        let first = engine(&self.records[0]);
        let rows = self.records.iter().map(|record| {
            let mut row = vec![engine(record).to_owned()];
            match record.summary() {
                None => {
                    row.extend(["failed".into(), String::new(), String::new(), String::new()]);
                    row.push(record.error.clone().unwrap_or_default());
                }
                Some(summary) => {
                    row.extend([
                        format!("{:.2}", summary.median_ms()),
                        format!("{:.2}", summary.mad_ns / 1e6),
                    ]);
                    row.extend(words(self.ratio(record)));
                    row.push(record.provenance.backend.clone());
                }
            }
            row
        });
        let over = format!(">over {first}");
        let titles = ["engine", ">median ms", ">±", &over, "95 %", "what"];
        let mut text = format!(
            "{}, batch {batch}, {threads} thread{}, {rounds} round{}\n{}",
            self.heat.variant,
            if threads == 1 { "" } else { "s" },
            if rounds == 1 { "" } else { "s" },
            table(&titles, rows)
        );
        if let [_, _, ours, peer, peer_ms, ratio, interval, rate, of_peak] = &self.summary()[..]
            && !ours.is_empty()
        {
            let peak = self.peak_gmacs().map_or(String::new(), |peak| {
                format!(", {of_peak} of the {peak:.1} GMAC/s that fused multiply-adds reach here")
            });
            text.push_str(&format!("{first}: {rate} GMAC/s{peak}\n"));
            if !peer.is_empty() {
                let line = format!(
                    "fastest peer: {peer}, {peer_ms} ms, {ratio} times as long as {first} {interval}"
                );
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    fn peak_gmacs(&self) -> Option<f64> {
        self.records[0]
            .race
            .as_ref()?
            .peak_macs_per_s
            .map(|peak| peak / 1e9)
    }

    /// The heat as one row of [`SUMMARY`].
    pub(crate) fn summary(&self) -> Vec<String> {
        let ours = self.records[0].summary();
        let rate = ours.map(|summary| self.macs as f64 / summary.median_ns);
        let peer = self.fastest_peer();
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or(String::new(), |value| format!("{value:.decimals$}"))
        };
        let of_peak = rate
            .zip(self.peak_gmacs())
            .map(|(rate, peak)| format!("{:.0} %", 100.0 * rate / peak));
        let mut row = vec![
            self.heat.variant.clone(),
            format!("{}, {}", self.heat.batch, self.heat.threads),
            number(ours.map(|summary| summary.median_ms()), 2),
            peer.map_or(String::new(), |record| engine(record).to_owned()),
            number(
                peer.and_then(Record::summary).map(|summary| summary.median_ms()),
                2,
            ),
        ];
        row.extend(words(peer.and_then(|record| self.ratio(record))));
        row.extend([number(rate, 1), of_peak.unwrap_or_default()]);
        row
    }
}

/// The columns of [`Standing::summary`].
const SUMMARY: [&str; 9] = [
    "network",
    "batch, threads",
    ">cpu ms",
    "fastest peer",
    ">its ms",
    ">over cpu",
    "95 %",
    ">GMAC/s",
    ">of peak",
];

/// One row a heat: our time, the fastest peer's, and our share of the machine's peak.
pub(crate) fn overview(standings: &[Standing]) -> String {
    table(&SUMMARY, standings.iter().map(Standing::summary))
}

fn engine(record: &Record) -> &str {
    record.case.network().map_or("", |case| &case.backend)
}

/// A ratio and its interval.
fn words(ratio: Option<Ratio>) -> [String; 2] {
    let interval = ratio.and_then(|ratio| ratio.interval);
    [
        ratio.map_or(String::new(), |ratio| format!("{:.2}", ratio.median)),
        interval.map_or(String::new(), |interval| {
            format!("[{:.2}, {:.2}]", interval.low, interval.high)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::Provenance;

    fn standing(engines: &[(&str, Result<Vec<u64>, String>)]) -> Standing {
        let record = |(engine, result): &(&str, Result<Vec<u64>, String>)| {
            let case = format!("HRNet_W18_C/f32/bs2/crop224/{engine}/t1");
            let mut record = Record::new(
                case.parse().expect("a case"),
                Record::now(),
                result.clone(),
                Provenance::default(),
            );
            record.race = Some(Race {
                id: "one".into(),
                peak_macs_per_s: Some(80e9),
            });
            record
        };
        Standing {
            heat: Heat {
                variant: "HRNet_W18_C".into(),
                batch: 2,
                threads: 1,
                engines: engines.iter().map(|(name, _)| (*name).to_owned()).collect(),
            },
            records: engines.iter().map(record).collect(),
            macs: 4_000_000_000,
        }
    }

    #[test]
    fn the_fastest_peer_is_neither_ours_nor_stock() {
        let ms = |ms: u64| Ok(vec![ms * 1_000_000; 7]);
        let standing = standing(&[
            ("cpu", ms(40)),
            ("candle", ms(30)),
            ("openvino", ms(72)),
            ("mnn", ms(100)),
            ("tract", Err("wrong".into())),
        ]);
        let row = standing.summary();
        assert_eq!(
            row[2..],
            [
                "40.00",
                "openvino",
                "72.00",
                "1.80",
                "[1.80, 1.80]",
                "100.0",
                "125 %"
            ]
        );
        let text = standing.text();
        assert!(text.contains("batch 2, 1 thread, 7 rounds"), "{text}");
        assert!(text.contains("failed") && text.contains("wrong"), "{text}");
        assert!(text.contains("125 % of the 80.0 GMAC/s"), "{text}");
        assert!(
            text.contains("openvino, 72.00 ms, 1.80 times as long as cpu [1.80, 1.80]"),
            "{text}"
        );
    }

    #[test]
    fn a_heat_without_peers_or_without_us_still_has_its_rows() {
        let alone = standing(&[("cpu", Ok(vec![40_000_000])), ("candle", Ok(vec![400_000_000]))]);
        assert!(alone.text().contains("1 round\n") && !alone.text().contains("fastest peer"));
        assert!(alone.text().contains("10.00"), "{}", alone.text());
        let broken = standing(&[
            ("cpu", Err("no memory".into())),
            ("openvino", Ok(vec![40_000_000])),
        ]);
        assert!(broken.ours_failed() && broken.text().contains("no memory"));
        assert_eq!(broken.summary().len(), SUMMARY.len());
    }

    #[test]
    fn stock_operations_run_single_images_only() {
        assert_eq!(engines(1, &["openvino"]), ["cpu", "candle", "openvino"]);
        assert_eq!(engines(8, &["openvino"]), ["cpu", "openvino"]);
    }
}
