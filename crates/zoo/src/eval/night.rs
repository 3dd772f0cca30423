use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use clap::Args;
use harness::counted;
use harness::eval::{Answer, Summary};
use registry::{Artifact, Location, Variant};
use report::{EVALUATIONS, LEFT_OUT, LeftOut};

use super::classes;
use super::data::{Folders, Images};
use super::kept::part;
use crate::bench::provenance;
use crate::context::Context;
use crate::files::{location, write_whole};
use crate::{Exit, Failure, aside};

/// Options that choose the data set of a night.
#[derive(Debug, Default, Args)]
pub(crate) struct NightEvalArgs {
    /// Also measure the accuracy, on these labelled images as `zoo eval` takes them, of networks whose weights are in the cache
    // No location yet: a variable that is set to nothing names none.
    #[arg(long, value_name = "PATH|URL", env = "ZOO_DATA", hide_env_values = true)]
    data: Option<OsString>,
    /// Base folder for the paths in a list [default: the list's own folder]
    #[arg(long, value_name = "DIR|URL", requires = "data", value_parser = location())]
    root: Option<Location>,
    /// Replacement labels: a JSON list of the right classes of each image by its number
    #[arg(long, value_name = "FILE|URL", requires = "data", value_parser = location())]
    labels: Option<Location>,
    /// Images per network, a random sample that is the same each night [default: 1000, with --quick 100]
    #[arg(long, value_name = "N", requires = "data")]
    eval_limit: Option<usize>,
}

/// The evaluations of a night, each network in a separate process.
#[derive(Debug)]
pub(crate) struct NightEval<'a> {
    args: &'a NightEvalArgs,
    data: Location,
    limit: usize,
}

impl NightEvalArgs {
    /// Returns the requested evaluation after opening the data set, so that hours of measuring do not end at a wrong path.
    /// `usual` is the default limit.
    pub(crate) fn plan(&self, cx: &Context, usual: usize) -> Result<Option<NightEval<'_>>, Failure> {
        let Some(data) = self.data.clone().filter(|data| !data.is_empty()) else {
            cx.out
                .note("no data set, so no accuracy is measured; --data or $ZOO_DATA names one");
            return Ok(None);
        };
        let data = Location::parse(data).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let classifiers = cx.zoo()?.classifiers();
        let classes = classifiers.map(|variant| variant.spec.classes()).max();
        let images = Images::open(
            &data,
            self.root.as_ref(),
            self.labels.as_ref(),
            &Folders::new(classes.unwrap_or_default()),
        )?;
        let all = images.about.images;
        let limit = self.eval_limit.unwrap_or(usual).min(all);
        cx.out.note(&format!(
            "accuracy will be measured on {limit} of {all} images in {data}"
        ));
        Ok(Some(NightEval {
            args: self,
            data,
            limit,
        }))
    }
}

impl NightEval<'_> {
    /// Evaluates each network whose weights are in the cache, writes the results into the night's folder, and returns the
    /// number of networks that failed.
    pub(crate) fn run(&self, cx: &Context, reports: &Path, night: &Path) -> Result<usize, Failure> {
        let folder = night.join(EVALUATIONS);
        fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, &error))?;
        take_over(reports, night)?;
        let mut left_out: Vec<LeftOut> = Vec::new();
        for variant in cx.zoo()?.classifiers() {
            let Some(artifact) = trained(cx, variant)? else {
                left_out.push(LeftOut::new(&variant.name, "no weights in the cache"));
                continue;
            };
            match self.one(cx, variant, artifact, &folder) {
                Ok(summary) => cx.out.note(&classes::line(cx.zoo()?, &summary)),
                Err(failure) => {
                    cx.out.failure(&failure);
                    left_out.push(LeftOut::failed(&variant.name, reason(&failure)));
                }
            }
        }
        let failed = left_out.iter().filter(|left| left.failed).count();
        let untrained = left_out.len() - failed;
        if untrained > 0 {
            cx.out.note(&format!(
                "no accuracy of {}: the weights are not in the cache; `zoo fetch all` downloads them",
                counted(untrained, "network")
            ));
        }
        let text = serde_json::to_string_pretty(&left_out).expect("our types have string keys");
        write_whole(&folder.join(LEFT_OUT), (text + "\n").as_bytes())?;
        Ok(failed)
    }

    /// Evaluates one network in a separate process; unreadable images are not a failure.
    fn one(
        &self,
        cx: &Context,
        variant: &Variant,
        artifact: &Artifact,
        folder: &Path,
    ) -> Result<Summary, Failure> {
        // A path need not be UTF-8, and another one would be another data set.
        let place = |location: &Location| match location.on_disk() {
            Some(path) => OsString::from(path),
            None => location.to_string().into(),
        };
        let mut arguments = cx.arguments();
        arguments.extend(
            [
                "eval",
                &variant.name,
                "--source",
                &artifact.id,
                "--aside",
                "--json",
            ]
            .map(OsString::from),
        );
        arguments.extend(["--data".into(), place(&self.data), "--out".into(), folder.into()]);
        arguments.extend(["--limit".into(), self.limit.to_string().into()]);
        let options = [("--root", &self.args.root), ("--labels", &self.args.labels)];
        for (option, path) in options {
            if let Some(path) = path {
                arguments.extend([option.into(), place(path)]);
            }
        }
        let good = [0, i32::from(Exit::Some.code())];
        let told = aside::run(&aside::program()?, &arguments, "", &good)?;
        serde_json::from_str(&told).map_err(|error| {
            let what = format!("the evaluation of {} printed no summary: {error}", variant.name);
            Failure::new(Exit::Other, what)
        })
    }
}

/// Returns the first weight source of a variant that is in the cache.
pub(crate) fn trained<'a>(cx: &Context, variant: &'a Variant) -> Result<Option<&'a Artifact>, Failure> {
    for artifact in &variant.artifacts {
        if cx.cached(artifact)?.is_some() {
            return Ok(Some(artifact));
        }
    }
    Ok(None)
}

/// Returns the error that the process printed, without its command line.
fn reason(failure: &Failure) -> &str {
    let said = failure.message.lines().rev();
    let error = said.filter_map(|line| line.strip_prefix("error: ")).next();
    error.unwrap_or(&failure.message)
}

/// Takes over the answers of nights that ended before their page was written, if this program computed them on this machine;
/// the evaluation continues with them.
fn take_over(reports: &Path, night: &Path) -> Result<(), Failure> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Failure::file(&path, &error)
    };
    let this = provenance();
    for entry in fs::read_dir(reports).map_err(disk(reports))? {
        let other = entry.map_err(disk(reports))?.path();
        let answers = other.join(EVALUATIONS);
        if other == night || other.join("index.html").exists() || !answers.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&answers).map_err(disk(&answers))? {
            let file = entry.map_err(disk(&answers))?.path();
            let is_ours = file.extension().is_some_and(|ending| ending == "jsonl")
                && part::<Answer>(&file.clone().into()).is_ok_and(|part| part.header.provenance == this);
            let target = night.join(EVALUATIONS).join(file.file_name().unwrap_or_default());
            // Who writes it holds a lock on it.
            let is_free = is_ours && File::open(&file).is_ok_and(|open| open.try_lock().is_ok());
            if is_free && !target.exists() {
                fs::rename(&file, &target).map_err(disk(&file))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::eval::{Book, DataSet, Header, Key, Shard};
    use hrnet::Precision;

    fn header(build: &str) -> Header {
        let mut provenance = provenance();
        provenance.build.push_str(build);
        Header {
            eval: Header::SCHEMA,
            key: Key {
                variant: "V".into(),
                weights: "00".into(),
                calibration: None,
                preprocess: "p".into(),
                precision: Precision::F32,
                backend: "cpu".into(),
                batch: 8,
                data: DataSet {
                    images: 3,
                    classes: 2,
                    digest: "ff".into(),
                },
                candidates: 2,
                keypoints: None,
            },
            shard: Shard::WHOLE,
            source: None,
            preprocess: "p".into(),
            started: "2026-11-24T03:00:00Z".into(),
            weights_check: None,
            provenance,
        }
    }

    #[test]
    fn a_night_goes_on_with_what_this_program_answered_in_one_that_was_killed() {
        let place = tempfile::tempdir().expect("a folder");
        let reports = place.path();
        let night = |name: &str, build: &str| {
            let file = reports.join(name).join("eval/V.jsonl");
            let mut book = Book::open(&file, &header(build)).expect("begun");
            book.add(vec![Answer::default()]).expect("written");
            (file, book)
        };
        let tonight = reports.join("2026-11-25");
        fs::create_dir_all(tonight.join(EVALUATIONS)).expect("made");
        let taken = tonight.join("eval/V.jsonl");

        let (finished, _) = night("2026-11-22", "");
        fs::write(reports.join("2026-11-22/index.html"), "a page").expect("written");
        let (older, _) = night("2026-11-23", ", another build");
        let (killed, book) = night("2026-11-24", "");
        take_over(reports, &tonight).expect("looked at");
        assert!(killed.exists() && !taken.exists(), "it is still being written");
        drop(book);
        take_over(reports, &tonight).expect("taken over");
        assert!(!killed.exists() && finished.exists() && older.exists());
        let part = part::<Answer>(&taken.into()).expect("answers");
        assert_eq!(part.answers.len(), 1);
    }

    #[test]
    fn the_reason_is_what_the_process_said_last() {
        let failure = Failure::new(
            Exit::Other,
            "/bin/zoo eval V: exit status: 2\nerror: no class\n help: none",
        );
        assert_eq!(reason(&failure), "no class");
        assert_eq!(reason(&Failure::new(Exit::Other, "killed")), "killed");
    }
}
