mod markdown;

use std::path::Path;

use harness::{Budget, Case, NetworkCase, Race, Ratio, Record, Summary, append, counted};
use hrnet::Precision;

pub(crate) use self::markdown::markdown;
use super::{Workshop, canary, provenance};
use crate::Failure;
use crate::output::table;
use crate::peers::runs;

/// The backend that others are compared with.
const OURS: &str = "cpu";

/// Stock operations: slow enough that more than one image a batch is not waited for unless asked.
const STOCK: &str = "candle";

/// One question that several engines are timed on in turns: a network, a batch, a number of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heat {
    pub(crate) variant: String,
    /// The number format of the first engine; others may answer in another.
    pub(crate) precision: Precision,
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    /// All are compared with the first.
    pub(crate) engines: Vec<Entrant>,
}

/// A backend or a peer, by name, in one precision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entrant {
    name: String,
    precision: Precision,
}

impl Entrant {
    fn new(name: &str, precision: Precision) -> Self {
        Self {
            name: name.to_owned(),
            precision,
        }
    }

    /// Its name, and its precision where it is not the usual one.
    pub(crate) fn label(&self) -> String {
        match self.precision {
            Precision::F32 => self.name.clone(),
            precision => format!("{} {precision}", self.name),
        }
    }
}

/// The engines of a race in a precision: our engine, our own f32 beside it, and others in each precision that answers the same
/// question.
///
/// # Errors
/// If nobody knows one of the others.
pub(crate) fn entrants<S: AsRef<str>>(precision: Precision, others: &[S]) -> Result<Vec<Entrant>, Failure> {
    let mut entrants = vec![Entrant::new(OURS, precision), Entrant::new(OURS, Precision::F32)];
    entrants.dedup();
    let theirs: &[Precision] = match precision {
        Precision::F32 => &[Precision::F32],
        Precision::I16 | Precision::F16 | Precision::Bf16 => &Precision::FLOATS,
        Precision::Int8 => &[Precision::Int8],
    };
    for name in others.iter().map(AsRef::as_ref).filter(|name| *name != OURS) {
        for precision in theirs {
            if runs(name, *precision)? {
                entrants.push(Entrant::new(name, *precision));
            }
        }
    }
    Ok(entrants)
}

/// Who is raced where nobody is named: these peers, and in f32 stock operations on single images.
pub(crate) fn usual<'a>(precision: Precision, batch: usize, peers: &[&'a str]) -> Vec<&'a str> {
    let stock = (precision, batch) == (Precision::F32, 1);
    let stock = stock.then_some(STOCK);
    stock.into_iter().chain(peers.iter().copied()).collect()
}

/// Returns whether our engine runs a precision on this machine.
pub(crate) fn is_ours(precision: Precision) -> bool {
    matches!(runs(OURS, precision), Ok(true))
}

/// The result of a heat.
pub(crate) struct Standing {
    heat: Heat,
    /// One an engine, in the heat's order.
    pub(crate) records: Vec<Record>,
    /// Multiply-accumulates of a batch.
    macs: u64,
}

impl Heat {
    /// Returns the heat's id; ids of its cells are this id with the engine in it.
    pub(crate) fn id(&self) -> String {
        let Self {
            variant,
            precision,
            batch,
            threads,
            ..
        } = self;
        format!("{variant}/{precision}/bs{batch}/t{threads}")
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
        let crop = variant.preprocess.size();
        let macs = variant.graph().profile().macs().0;
        let started = Record::now();
        let common = provenance();
        let isa = runtime::unit()?;
        let (canary, canary_macs) = canary::cell(isa, self.threads);
        let mut cells = vec![canary];
        let mut prepared = Vec::with_capacity(self.engines.len());
        for engine in &self.engines {
            let case = NetworkCase {
                variant: self.variant.clone(),
                precision: engine.precision,
                batch: self.batch,
                crop,
                backend: engine.name.clone(),
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
    /// Returns whether our own engine failed.
    pub(crate) fn ours_failed(&self) -> bool {
        self.records[0].summary().is_none()
    }

    /// The fastest peer's record: neither of ours nor stock operations.
    fn fastest_peer(&self) -> Option<&Record> {
        let peers = self
            .records
            .iter()
            .filter(|record| crate::peers::names().any(|name| name == engine(record).name));
        let measured = peers.filter_map(|record| Some((record, record.summary()?.median_ns)));
        let fastest = measured.min_by(|(_, a), (_, b)| a.total_cmp(b));
        fastest.map(|(record, _)| record)
    }

    /// The record of our own f32, in a race of another precision.
    fn our_f32(&self) -> Option<&Record> {
        let ours = Entrant::new(OURS, Precision::F32);
        self.records[1..].iter().find(|record| engine(record) == ours)
    }

    /// Returns the ratio of an engine's time to the first engine's.
    fn ratio(&self, record: &Record) -> Option<Ratio> {
        Ratio::of(&record.samples_ns, &self.records[0].samples_ns)
    }

    /// Every engine's times and errors, and what they come to.
    pub(crate) fn text(&self) -> String {
        let over = self.over();
        let rows = self.records.iter().map(|record| self.row(record));
        let mut text = format!("{}\n{}", self.title(), table(&titles(&over), rows));
        for line in self.remarks() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// The network, the batch, the threads and how many rounds were run.
    fn title(&self) -> String {
        let Heat { batch, threads, .. } = self.heat;
        let rounds = self.records.iter().map(|record| record.samples_ns.len()).max();
        format!(
            "{}, batch {batch}, {}, {}",
            self.heat.variant,
            counted(threads, "thread"),
            counted(rounds.unwrap_or(0), "round")
        )
    }

    /// The title of the column of ratios.
    fn over(&self) -> String {
        format!(">over {}", self.heat.engines[0].label())
    }

    /// Our rate, and our own f32 and the fastest peer beside it, a sentence each; none if our engine failed.
    fn remarks(&self) -> Vec<String> {
        let Some(summary) = self.records[0].summary() else {
            return Vec::new();
        };
        let first = self.heat.engines[0].label();
        let mut rate = format!("{first}: {:.1} GMAC/s", self.rate(summary));
        if let (Some(peak), Some(of_peak)) = (self.peak_gmacs(), self.of_peak()) {
            rate.push_str(&format!(
                ", {of_peak} of the {peak:.1} GMAC/s that fused multiply-adds of f32 reach here"
            ));
        }
        let mut lines = vec![rate];
        let beside = [
            ("our own f32", self.our_f32()),
            ("fastest peer", self.fastest_peer()),
        ];
        for (who, record) in beside {
            let Some((record, summary)) = record.and_then(|record| Some((record, record.summary()?))) else {
                continue;
            };
            let [ratio, interval] = words(self.ratio(record));
            let (label, ms) = (engine(record).label(), summary.median_ms());
            let line = format!("{who}: {label}, {ms:.2} ms, {ratio} times as long as {first} {interval}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// A record as a row of the heat's table.
    fn row(&self, record: &Record) -> Vec<String> {
        let Entrant { name, precision } = engine(record);
        let mut row = vec![name, precision.to_string()];
        match record.summary() {
            None => {
                row.push("failed".into());
                row.extend(std::iter::repeat_n(String::new(), 5));
                row.push(record.error.clone().unwrap_or_default());
            }
            Some(summary) => {
                row.extend([
                    format!("{:.2}", summary.median_ms()),
                    format!("{:.2}", summary.mad_ns / 1e6),
                ]);
                row.extend(words(self.ratio(record)));
                row.extend(errors(record));
                row.push(record.provenance.backend.clone());
            }
        }
        row
    }

    /// Multiply-accumulates of the definition, 10^9 a second.
    fn rate(&self, summary: Summary) -> f64 {
        self.macs as f64 / summary.median_ns
    }

    fn peak_gmacs(&self) -> Option<f64> {
        self.records[0]
            .race
            .as_ref()?
            .peak_macs_per_s
            .map(|peak| peak / 1e9)
    }

    /// Our rate as a share of the machine's.
    fn of_peak(&self) -> Option<String> {
        let rate = self.rate(self.records[0].summary()?);
        Some(format!("{:.0} %", 100.0 * rate / self.peak_gmacs()?))
    }

    /// The heat as one row of [`SUMMARY`].
    pub(crate) fn summary(&self) -> Vec<String> {
        let ours = &self.records[0];
        let ms = |record: Option<&Record>| {
            let summary = record.and_then(Record::summary);
            summary.map_or(String::new(), |summary| format!("{:.2}", summary.median_ms()))
        };
        let error = |record: Option<&Record>| {
            let timed = record.filter(|record| record.summary().is_some());
            timed.map_or(String::new(), |record| errors(record)[0].clone())
        };
        let ratio = |record: Option<&Record>| words(record.and_then(|record| self.ratio(record)));
        let (f32, peer) = (self.our_f32(), self.fastest_peer());
        let mut row = vec![
            self.heat.variant.clone(),
            format!("{}, {}", self.heat.batch, self.heat.threads),
            self.heat.engines[0].label(),
            ms(Some(ours)),
            error(Some(ours)),
            ms(f32),
        ];
        row.extend(ratio(f32));
        row.push(peer.map_or(String::new(), |record| engine(record).label()));
        row.push(ms(peer));
        row.extend(ratio(peer));
        row.push(error(peer));
        let rate = ours.summary().map(|summary| format!("{:.1}", self.rate(summary)));
        row.extend([rate.unwrap_or_default(), self.of_peak().unwrap_or_default()]);
        row
    }
}

/// The columns of a heat's table, with the title of the ratios.
fn titles(over: &str) -> [&str; 9] {
    [
        "engine",
        "precision",
        ">median ms",
        ">±",
        over,
        "95 %",
        ">error / std",
        ">of largest",
        "what",
    ]
}

/// The columns of [`Standing::summary`].
const SUMMARY: [&str; 15] = [
    "network",
    "batch, threads",
    "ours",
    ">ms",
    ">error / std",
    ">f32 ms",
    ">over ours",
    "95 %",
    "fastest peer",
    ">its ms",
    ">over ours",
    "95 %",
    ">its error",
    ">GMAC/s",
    ">of peak",
];

/// One row a heat: our time, our own f32's and the fastest peer's, the errors of both, and our share of the machine's peak in
/// f32. Columns that nothing stands in are left out.
pub(crate) fn overview(standings: &[Standing]) -> String {
    let (titles, rows) = summaries(standings);
    table(&titles, rows)
}

/// The titles and rows of [`overview`].
fn summaries(standings: &[Standing]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let rows: Vec<Vec<String>> = standings.iter().map(Standing::summary).collect();
    let filled: Vec<usize> = (0..SUMMARY.len())
        .filter(|column| rows.iter().any(|row| !row[*column].is_empty()))
        .collect();
    let titles = filled.iter().map(|column| SUMMARY[*column]).collect();
    let pick = |row: &Vec<String>| filled.iter().map(|column| row[*column].clone()).collect();
    (titles, rows.iter().map(pick).collect())
}

/// Who answered, and in which precision.
fn engine(record: &Record) -> Entrant {
    let case = record.case.network().expect("races are of networks");
    Entrant::new(&case.backend, case.precision)
}

/// The largest error: of logits in their standard deviations, and of any output as a share of the largest value.
fn errors(record: &Record) -> [String; 2] {
    let fidelity = record.fidelity;
    let small = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1e}"));
    [
        small(fidelity.and_then(|fidelity| fidelity.error_in_deviations)),
        small(fidelity.map(|fidelity| fidelity.largest_error)),
    ]
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
mod tests;
