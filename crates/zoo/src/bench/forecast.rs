use std::cell::RefCell;
use std::collections::HashMap;

use harness::{Budget, Case, NetworkCase, Record};
use hrnet::{Precision, Shape, Size};
use registry::Zoo;

/// Time in ns to start a process, decode the photo and run two canaries, if no preprocessing cell was measured.
const START_NS: f64 = 0.5e9;

/// Making weights up, or reading them, and laying them out, ns a parameter.
const WEIGHT_NS: f64 = 12.0;

/// Share of the machine's multiply-add rate that stock operations reach; our own engine reaches about all of it.
const STOCK_SHARE: f64 = 0.1;

/// The same in f16, which they multiply in f32: to and fro costs more than the products.
const STOCK_F16_SHARE: f64 = 0.04;

/// One preprocessing run where nothing better is known, ns.
const PREPROCESS_NS: f64 = 10e6;

/// Expected times of cells: those measured before, else by the rate of their backend on other networks, else a guess.
pub(crate) struct Forecast<'a> {
    zoo: &'a Zoo,
    /// Multiply-accumulates a second that the machine reaches.
    peak: f64,
    known: HashMap<Case, Known>,
    /// Multiply-accumulates a second, by backend, precision and threads.
    rates: HashMap<(String, Precision, usize), Vec<f64>>,
    /// Time of preprocessing cells outside of their runs, in ns.
    starts: Vec<f64>,
    /// Multiply-accumulates of one image and parameters, by variant and crop.
    sizes: RefCell<HashMap<(String, Size), (f64, f64)>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    run_ns: f64,
    /// All but warm-up and samples; none in records that do not tell.
    around_ns: Option<f64>,
}

/// The expected time of one process of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) run_ns: f64,
    /// Samples it will take.
    pub(crate) samples: usize,
    /// From its start to its end.
    pub(crate) all_ns: f64,
    pub(crate) basis: Basis,
}

/// The basis of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Basis {
    /// The cell was measured before.
    Measured,
    /// Its backend was, on another network.
    Rate,
    /// Neither was.
    Guess,
}

impl<'a> Forecast<'a> {
    pub(crate) fn new(zoo: &'a Zoo, peak: f64) -> Self {
        Self {
            zoo,
            peak,
            known: HashMap::new(),
            rates: HashMap::new(),
            starts: Vec::new(),
            sizes: RefCell::default(),
        }
    }

    /// Learns from a record of this machine.
    pub(crate) fn learn(&mut self, record: &Record) {
        let Some(summary) = record.summary() else { return };
        let run_ns = summary.median_ns;
        let warm_up = record.warm_up.map_or(0, |warm_up| warm_up.runs) as f64 * run_ns;
        let timed = record.samples_ns.iter().sum::<u64>() as f64 + warm_up;
        let around_ns = record.spent_ns.map(|spent| (spent as f64 - timed).max(0.0));
        self.known
            .insert(record.case.clone(), Known { run_ns, around_ns });
        if record.case.network().is_none() {
            self.starts.extend(around_ns);
        }
        if let Some(case) = record.case.network()
            && let Some((macs, _)) = self.size(case)
        {
            self.rates.entry(key(case)).or_default().push(macs * 1e9 / run_ns);
        }
    }

    /// Returns the expected time of one process of the cell within this budget.
    pub(crate) fn of(&self, case: &Case, budget: &Budget) -> Expected {
        let (run_ns, basis) = self.run(case);
        let known = self.known.get(case).and_then(|known| known.around_ns);
        let around_ns = known.unwrap_or_else(|| self.around(case));
        let by_time = (budget.time.as_nanos() as f64 / run_ns) as usize + 1;
        let samples = by_time.clamp(budget.min_samples, budget.max_samples.max(budget.min_samples));
        let warm_up = budget.warm_up.max(3);
        Expected {
            run_ns,
            samples,
            all_ns: around_ns + (samples + warm_up) as f64 * run_ns,
            basis,
        }
    }

    fn run(&self, case: &Case) -> (f64, Basis) {
        if let Some(known) = self.known.get(case) {
            return (known.run_ns, Basis::Measured);
        }
        let Some((network, (macs, _))) = case.network().and_then(|case| Some((case, self.size(case)?)))
        else {
            return (PREPROCESS_NS, Basis::Guess);
        };
        match self.rates.get(&key(network)) {
            Some(rates) => (macs * 1e9 / median(rates), Basis::Rate),
            None => {
                let ours = network.backend == runtime::BACKENDS[0].name();
                let share = match network.precision {
                    _ if ours => 1.0,
                    Precision::F16 if network.backend.starts_with("candle") => STOCK_F16_SHARE,
                    _ => STOCK_SHARE,
                };
                (macs * 1e9 / (self.peak * share), Basis::Guess)
            }
        }
    }

    /// Returns the time before and after the runs, which includes one run of the reference at about half the peak.
    fn around(&self, case: &Case) -> f64 {
        let start = match self.starts.as_slice() {
            [] => START_NS,
            starts => median(starts),
        };
        let network = case.network().and_then(|case| self.size(case));
        network.map_or(start, |(macs, parameters)| {
            start + WEIGHT_NS * parameters + 2e9 * macs / self.peak
        })
    }

    /// Multiply-accumulates of a run, and parameters.
    fn size(&self, case: &NetworkCase) -> Option<(f64, f64)> {
        let key = (case.variant.clone(), case.crop);
        if !self.sizes.borrow().contains_key(&key) {
            let variant = self.zoo.variant(&case.variant)?;
            let profile = variant.spec.graph(Shape::images(1, case.crop)).ok()?.profile();
            let size = (profile.macs().0 as f64, profile.trainable().0 as f64);
            self.sizes.borrow_mut().insert(key.clone(), size);
        }
        let (macs, parameters) = self.sizes.borrow()[&key];
        Some((macs * case.batch as f64, parameters))
    }
}

fn key(case: &NetworkCase) -> (String, Precision, usize) {
    (case.backend.clone(), case.precision, case.threads)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use harness::{Provenance, WarmUp};

    const W18: &str = "HRNet_W18_C/f32/bs1/crop224/openvino/t1";

    fn case(id: &str) -> Case {
        id.parse().expect("a case")
    }

    #[test]
    fn a_cell_takes_as_long_as_before_and_its_backend_as_long_on_as_much_work() {
        let cx = Context::embedded();
        let mut forecast = Forecast::new(cx.zoo().expect("valid"), 50e9);
        let budget = Budget::STANDARD;
        let guess = forecast.of(&case(W18), &budget);
        assert_eq!(guess.basis, Basis::Guess);

        let mut record = Record::new(
            case(W18),
            Record::now(),
            Ok(vec![100_000_000; 10]),
            Provenance::default(),
        );
        record.warm_up = Some(WarmUp {
            runs: 4,
            steady: true,
        });
        record.spent_ns = Some(3_400_000_000);
        forecast.learn(&record);
        let known = forecast.of(&case(W18), &budget);
        assert_eq!((known.run_ns, known.basis), (1e8, Basis::Measured));
        assert_eq!(known.samples, 51, "five seconds of them");
        // Two seconds of the 3.4 were neither warm-up nor samples.
        assert_eq!(known.all_ns, 2e9 + 54.0 * 1e8);

        let four = forecast.of(&case("HRNet_W18_C/f32/bs4/crop224/openvino/t1"), &budget);
        assert_eq!(four.basis, Basis::Rate);
        assert!((four.run_ns / 4e8 - 1.0).abs() < 1e-9, "{four:?}");
        let run_ns = |id: &str| forecast.of(&case(id), &budget).run_ns;
        let [ours, f16] = ["int8/bs1/crop224/cpu/t1", "f16/bs1/crop224/candle/t1"];
        assert!(
            20.0 * run_ns(&format!("HRNet_W18_C/{ours}")) < run_ns(&format!("HRNet_W18_C/{f16}")),
            "a guess knows our engine from stock operations in f16"
        );
        let other = forecast.of(&case("HRNet_W18_C/f32/bs4/crop224/openvino/t2"), &budget);
        assert_eq!(other.basis, Basis::Guess, "another thread count is another rate");
    }
}
