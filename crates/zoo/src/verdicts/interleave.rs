use std::ffi::OsString;
use std::path::{Path, PathBuf};

use harness::verdict::{Answer, Comparison, History, Repeat, Rule, Verdict, compare};
use harness::{Case, NetworkCase, counted, read};

use crate::context::Context;
use crate::scratch::Scratch;
use crate::verdicts::percent;
use crate::{Exit, Failure, aside};

/// Two programs that are measured in turns, in fresh processes.
pub(crate) struct Duel<'a> {
    pub(crate) cx: &'a Context,
    /// The old program, then the new one.
    pub(crate) programs: [PathBuf; 2],
    /// Options of `zoo bench` that pick the cells.
    pub(crate) cells: Vec<String>,
    /// Time for each cell's samples in each process, seconds.
    pub(crate) time: f64,
    /// Blocks of old, new, new, old.
    pub(crate) blocks: usize,
    pub(crate) rule: Rule,
}

impl Duel<'_> {
    /// Measures all cells, measures those that look changed once more, and judges.
    ///
    /// The second measurement decides alone over the cells that went into it, and p-values are adjusted for their number:
    /// a cell that chance picked the first time is as likely as any other to be picked the second time.
    pub(crate) fn run(&self) -> Result<Comparison, Failure> {
        let [before, now] = self.measure(std::slice::from_ref(&self.cells))?;
        let mut comparison = compare(&before, &now, &History::default(), self.rule);
        let again: Vec<Case> = comparison
            .verdicts
            .iter()
            .filter(|verdict| looks_changed(verdict, self.rule))
            .map(|verdict| verdict.case.clone())
            .collect();
        if again.is_empty() {
            return Ok(comparison);
        }
        self.cx.out.note(&format!(
            "{} of {} looks changed: measuring again",
            again.len(),
            counted(comparison.family, "cell")
        ));
        let picked: Vec<Vec<String>> = again.iter().filter_map(Case::network).map(options).collect();
        let [before, now] = self.measure(&picked)?;
        confirm(
            &mut comparison,
            compare(&before, &now, &History::default(), self.rule),
        );
        Ok(comparison)
    }

    /// Both programs' repeats of the cells that each of these lists of options picks.
    fn measure(&self, picked: &[Vec<String>]) -> Result<[Vec<Repeat>; 2], Failure> {
        let folder = Scratch::new()?;
        let mut sets = [Vec::new(), Vec::new()];
        for block in 0..self.blocks {
            for (turn, program) in [0, 1, 1, 0].into_iter().enumerate() {
                for (index, cells) in picked.iter().enumerate() {
                    let file = folder.path().join(format!("{block}-{turn}-{index}.jsonl"));
                    sets[program].extend(self.bench(&self.programs[program], cells, &file)?);
                }
            }
            self.cx.out.note(&format!(
                "block {} of {}: old, new, new, old",
                block + 1,
                self.blocks
            ));
        }
        Ok(sets)
    }

    fn bench(&self, program: &Path, cells: &[String], file: &Path) -> Result<Vec<Repeat>, Failure> {
        let mut arguments: Vec<OsString> = vec!["bench".into(), "--quiet".into()];
        let fixed: [(&str, OsString); 3] = [
            ("--cache-dir", self.cx.cache().root().into()),
            ("--time", self.time.to_string().into()),
            ("--out", file.into()),
        ];
        arguments.extend(fixed.into_iter().flat_map(|(name, value)| [name.into(), value]));
        arguments.extend(cells.iter().map(OsString::from));
        // Cells that fail are records, too.
        let failed = [Exit::Some, Exit::NoData].map(|exit| i32::from(exit.code()));
        aside::run(program, &arguments, "", &[0, failed[0], failed[1]])?;
        Ok(Repeat::of(&read(file)?))
    }
}

/// Returns whether a cell changed, without regard to the number of other cells.
fn looks_changed(verdict: &Verdict, rule: Rule) -> bool {
    let beyond = verdict
        .decisive()
        .zip(verdict.threshold)
        .is_some_and(|(estimate, threshold)| estimate.ratio.ln().abs() > threshold.share.ln_1p());
    beyond && verdict.p.is_some_and(|p| p <= rule.alpha)
}

/// The options of `zoo bench` that pick one cell.
fn options(case: &NetworkCase) -> Vec<String> {
    let options = [
        ("--model", case.variant.clone()),
        ("--precision", case.precision.to_string()),
        ("--batch", case.batch.to_string()),
        ("--size", case.crop.to_string()),
        ("--backend", case.backend.clone()),
        ("--threads", case.threads.to_string()),
    ];
    options
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// Puts the second measurement's verdicts in place of the first's.
fn confirm(first: &mut Comparison, second: Comparison) {
    for verdict in &mut first.verdicts {
        let Some(again) = second.of(&verdict.case) else {
            continue;
        };
        let before = verdict.decisive().map_or(1.0, |estimate| estimate.ratio);
        let changed = matches!(again.answer, Answer::Regressed | Answer::Improved);
        let word = if changed { "confirmed" } else { "not confirmed" };
        let why = format!("{}; {word}: {} the first time", again.why, percent(before));
        *verdict = Verdict { why, ..again.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::{Provenance, Record};

    const CASE: &str = "HRNet_W18_C/f16/bs4/crop224/candle/t2";

    fn set(ms: impl IntoIterator<Item = u64>) -> Vec<Repeat> {
        let case: Case = CASE.parse().expect("a case");
        let record = |ms: u64| Record::new(case.clone(), String::new(), Ok(vec![ms]), Provenance::default());
        let records: Vec<Record> = ms.into_iter().map(record).collect();
        Repeat::of(&records)
    }

    fn judged(before: &[Repeat], now: &[Repeat]) -> Comparison {
        compare(before, now, &History::default(), Rule::default())
    }

    #[test]
    fn only_the_second_measurement_counts_for_what_looked_changed() {
        let slow = judged(&set(1000..1008), &set(1100..1108));
        let still = judged(&set(1000..1008), &set(1000..1008));
        assert!(looks_changed(&slow.verdicts[0], Rule::default()));
        assert!(!looks_changed(&still.verdicts[0], Rule::default()));

        let mut comparison = slow.clone();
        confirm(&mut comparison, slow.clone());
        assert_eq!(comparison.count(Answer::Regressed), 1);
        assert!(
            comparison.verdicts[0]
                .why
                .contains("; confirmed: +10.0 % the first time"),
            "{comparison:?}"
        );
        confirm(&mut comparison, still);
        assert_eq!(comparison.count(Answer::Same), 1);
        assert!(
            comparison.verdicts[0].why.contains("not confirmed: +10.0 %"),
            "{comparison:?}"
        );
    }

    #[test]
    fn the_options_of_a_cell_pick_it() {
        let case: Case = CASE.parse().expect("a case");
        let text = options(case.network().expect("a network")).join(" ");
        assert_eq!(
            text,
            "--model HRNet_W18_C --precision f16 --batch 4 --size 224 --backend candle --threads 2"
        );
    }
}
