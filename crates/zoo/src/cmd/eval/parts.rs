//! `zoo eval merge` and `zoo eval compare`: files of answers.

use clap::Args;
use harness::eval::{Answer, Answered, Header, Part, Shard, mcnemar, merge};
use registry::Location;

use super::{bad_images, check_offline, classes, keypoints};
use crate::context::Context;
use crate::eval::classes::{claims, comparison, summary};
use crate::eval::keypoints::{PeopleAnswer, difference, results_file};
use crate::eval::{self, Subject, are_of_keypoints, parts};
use crate::files::location;
use crate::{Exit, Failure};

/// Combine shards, and prove that each image is there exactly once
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files of answers of all shards, or folders with such files
    #[arg(required = true, value_name = "FILE|DIR|URL", value_parser = location())]
    files: Vec<Location>,
    /// Also write the people that were found as COCO's results, which pycocotools evaluates; of keypoints
    #[arg(long, value_name = "FILE|URL", value_parser = location())]
    results: Option<Location>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compare two evaluations on the same images: of classes by McNemar's exact test, of keypoints by a bootstrap interval
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// First file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    first: Location,
    /// Second file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    second: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
}
impl Merge {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, self.files.iter().chain(&self.results))?;
        match self.files.first().map(are_of_keypoints).transpose()? {
            Some(true) => self.keypoints(cx),
            _ => self.classes(cx),
        }
    }

    fn classes(&self, cx: &Context) -> Result<(), Failure> {
        if let Some(file) = &self.results {
            let what =
                format!("--results {file}: the answers are classes, and COCO's results are of keypoints");
            return Err(Failure::new(Exit::Usage, what).help("drop --results"));
        }
        let Whole { header, answers } = self.whole::<Answer>()?;
        let claims = claims(
            &Subject::of(cx.recorded(&header.key.variant)?, &header),
            cx.zoo()?,
        );
        let summary = summary(header.clone(), &answers, None, &claims);
        classes::tell(cx, &summary, &answers, self.json)?;
        bad_images(summary.tally.unreadable, 0)
    }

    fn keypoints(&self, cx: &Context) -> Result<(), Failure> {
        let Whole { header, answers } = self.whole::<PeopleAnswer>()?;
        let subject = Subject::of(cx.recorded(&header.key.variant)?, &header);
        let summary = eval::keypoints::summary(header.clone(), &answers, None, &subject, cx.zoo()?)?;
        if let Some(file) = &self.results {
            file.write(results_file(&answers).as_bytes())?;
        }
        keypoints::tell(cx, &summary, &answers, self.json)?;
        bad_images(summary.tally.unreadable, 0)
    }

    /// Puts the shards together.
    fn whole<A: Answered>(&self) -> Result<Whole<A>, Failure> {
        let parts = parts(&self.files)?;
        let answers = merge(&parts).map_err(|error| {
            Failure::new(Exit::Some, error)
                .help("run each shard as `zoo eval … --shard I/N` with the same options")
        })?;
        let mut header = parts[0].header.clone();
        header.shard = Shard::WHOLE;
        Ok(Whole { header, answers })
    }
}

/// An evaluation of all shards.
struct Whole<A> {
    header: Header,
    answers: Vec<A>,
}

impl Compare {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, [&self.first, &self.second])?;
        match [are_of_keypoints(&self.first)?, are_of_keypoints(&self.second)?] {
            [true, true] => self.keypoints(cx),
            [false, false] => self.classes(cx),
            _ => {
                let what = format!(
                    "{} and {}: one has classes, the other keypoints",
                    self.first, self.second
                );
                Err(Failure::new(Exit::Usage, what).help("compare two evaluations of one task"))
            }
        }
    }

    fn keypoints(&self, cx: &Context) -> Result<(), Failure> {
        let [first, second]: [Part<PeopleAnswer>; 2] = self.both()?;
        let headers = [&first.header, &second.header];
        let both = difference(headers, [&first.answers, &second.answers])?;
        match self.json {
            true => cx.out.json(&both),
            false => cx.out.data(&both.text([&name(&first), &name(&second)])),
        }
    }

    /// Reads both files.
    fn both<A: Answered>(&self) -> Result<[Part<A>; 2], Failure> {
        parts(&[self.first.clone(), self.second.clone()])?
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "expected two files of answers, not folders"))
    }

    fn classes(&self, cx: &Context) -> Result<(), Failure> {
        let [first, second]: [Part; 2] = self.both()?;
        let data = [&first, &second].map(|part| &part.header.key.data);
        if data[0] != data[1] {
            let what = format!(
                "{} and {} have different images: {} and {}",
                self.first, self.second, data[0].digest, data[1].digest
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        let both = mcnemar(&first.answers, &second.answers);
        if self.json {
            return cx.out.json(&both);
        }
        cx.out.data(&comparison([&name(&first), &name(&second)], &both))
    }
}

/// Returns the name of an evaluation: its network and precision.
fn name<A>(part: &Part<A>) -> String {
    format!("{} {}", part.header.key.variant, part.header.key.precision)
}
