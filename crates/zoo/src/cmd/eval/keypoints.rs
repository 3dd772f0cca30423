//! `zoo eval` of networks that find keypoints.

use std::collections::BTreeSet;

use harness::eval::PeopleSummary;
use registry::{Keypoints, Location};

use super::{Eval, bad_images, tell_found, tell_pace, write_summary};
use crate::context::Context;
use crate::eval::data::{PeopleFiles, PeopleSet};
use crate::eval::keypoints::{self, Ask, PeopleAnswer, difference, evaluate, results_file, summary};
use crate::eval::{Evaluated, Subject};
use crate::model::WeightsArg;
use crate::{Exit, Failure};

impl Eval {
    /// Evaluates one network that finds keypoints, or two on the same people and compares them.
    pub(super) fn keypoints(
        &self,
        cx: &Context,
        data: &Location,
        annotations: &Location,
        weights: Option<&WeightsArg>,
    ) -> Result<(), Failure> {
        let files = PeopleFiles {
            images: data,
            annotations,
            boxes: self.boxes.as_ref(),
        };
        let set = PeopleSet::open(&files, self.count(cx)?)?;
        let passed_over = set.passed_over.join("; ");
        let passed_over = (!passed_over.is_empty()).then_some(passed_over);
        let doubtful = tell_found(cx, passed_over, &set.incomplete);
        let mut done = Vec::new();
        let mut unreadable = BTreeSet::new();
        for (name, precision) in self.runs() {
            let ask = Ask {
                network: self.network(cx, cx.pose(name)?, precision, weights)?,
                keeping: self.keeping(),
                set: &set,
                flip: !self.no_flip,
            };
            let evaluated = evaluate(cx, &ask)?;
            self.tell_people(cx, &evaluated)?;
            let broken = evaluated.answers.iter().filter(|answer| answer.error.is_some());
            unreadable.extend(broken.map(|answer| answer.image));
            done.push((format!("{name} {precision}"), evaluated));
        }
        if let [(one, first), (two, second)] = &done[..] {
            let headers = [&first.header, &second.header];
            let both = difference(headers, [&first.answers, &second.answers])?;
            match self.json {
                true => cx.out.json(&both)?,
                false => cx.out.data(&both.text([one, two]))?,
            }
        }
        bad_images(unreadable.len(), doubtful)
    }

    /// Returns the number of keypoints, which must be those of all networks.
    fn count(&self, cx: &Context) -> Result<usize, Failure> {
        let keypoints = |name: &String| Ok(cx.pose(name)?.variant.pose().map(|pose| pose.keypoints));
        let all: Vec<Option<Keypoints>> = self.names.iter().map(keypoints).collect::<Result<_, Failure>>()?;
        let all: Vec<Keypoints> = all.into_iter().flatten().collect();
        match &all[..] {
            [one, other] if one != other => {
                let what = format!("{} finds {one}, and {} {other}", self.names[0], self.names[1]);
                Err(Failure::new(Exit::Usage, what)
                    .help("evaluate them one by one, on their own annotations"))
            }
            all => Ok(all.first().map_or(0, |keypoints| keypoints.count())),
        }
    }

    /// Prints the result of an evaluation and writes its summary beside the answers.
    fn tell_people(&self, cx: &Context, evaluated: &Evaluated<PeopleAnswer>) -> Result<(), Failure> {
        tell_pace(cx, evaluated);
        let Evaluated {
            header,
            answers,
            pace,
            ..
        } = evaluated;
        let variant = cx.recorded(&header.key.variant)?;
        let subject = Subject::of(variant, header);
        let summary = summary(header.clone(), answers, *pace, &subject, cx.zoo()?)?;
        write_summary(cx, evaluated, &summary)?;
        if let Some(file) = &self.results {
            file.write(results_file(answers).as_bytes())?;
        }
        tell(cx, &summary, answers, self.json)
    }
}

/// Prints the result of an evaluation.
pub(super) fn tell(
    cx: &Context,
    summary: &PeopleSummary,
    answers: &[PeopleAnswer],
    json: bool,
) -> Result<(), Failure> {
    if json {
        return cx.out.json(summary);
    }
    let unreadable: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer.error.as_deref())
        .collect();
    let faults = answers.iter().flat_map(|answer| &answer.faults);
    let faults: Vec<&str> = faults.map(String::as_str).collect();
    cx.out.data(&keypoints::text(summary, &unreadable, &faults))
}
