//! `zoo eval` of classifiers.

use std::collections::BTreeSet;

use harness::eval::{Answer, Shard, Summary};
use hrnet::Precision;
use registry::Location;

use super::{Eval, bad_images, tell_found, tell_pace, write_summary};
use crate::context::Context;
use crate::eval::classes::{self, Ask, Points, Undecided, claims, evaluate, other_images, summary};
use crate::eval::data::{Folders, Images};
use crate::eval::{Evaluated, Subject};
use crate::model::WeightsArg;
use crate::{Exit, Failure};

impl Eval {
    /// Evaluates one classifier, or two and compares them.
    pub(super) fn classes(
        &self,
        cx: &Context,
        data: &Location,
        weights: Option<&WeightsArg>,
    ) -> Result<(), Failure> {
        let folders = Folders::of(cx.variant(&self.names[0])?)?;
        let images = Images::open(data, self.root.as_ref(), self.labels.as_ref(), &folders)?;
        let doubtful = tell_found(cx, images.passed_over.told(), &images.incomplete);
        let mut done = Vec::new();
        // Both runs are of the same images, so that one image is counted once.
        let mut unreadable = BTreeSet::new();
        for (name, precision) in self.runs() {
            let evaluated = evaluate(cx, &self.ask(cx, name, precision, weights, &images)?)?;
            self.tell(cx, &evaluated)?;
            let broken = evaluated.answers.iter().filter(|answer| answer.error.is_some());
            unreadable.extend(broken.map(|answer| answer.image));
            done.push((format!("{name} {precision}"), evaluated));
        }
        if let [(one, first), (two, second)] = &done[..] {
            let both = harness::eval::mcnemar(&first.answers, &second.answers);
            match self.json {
                true => cx.out.json(&both)?,
                false => cx.out.data(&classes::comparison([one, two], &both))?,
            }
        }
        bad_images(unreadable.len(), doubtful)
    }

    fn ask<'a>(
        &'a self,
        cx: &'a Context,
        name: &str,
        precision: Precision,
        weights: Option<&WeightsArg>,
        images: &'a Images,
    ) -> Result<Ask<'a>, Failure> {
        let network = self.network(cx, cx.classifier(name)?, precision, weights)?;
        let subject = Subject {
            variant: network.variant,
            source: network.source,
            preprocess: &network.preparation.profile.id,
            precision,
        };
        let until = self
            .until_decided
            .map(|points| self.undecided(cx, &subject, images, points))
            .transpose()?;
        Ok(Ask {
            network,
            keeping: self.keeping(),
            images,
            restrict: self.restrict,
            until,
        })
    }

    fn undecided(
        &self,
        cx: &Context,
        subject: &Subject,
        images: &Images,
        points: Points,
    ) -> Result<Undecided, Failure> {
        if self.shard != Shard::WHOLE {
            let what = "--until-decided with --shard: a shard alone does not decide about the whole";
            return Err(Failure::new(Exit::Usage, what));
        }
        let claims = claims(subject, cx.zoo()?);
        // The first of those that are most about this evaluation: a source may have claims for several preprocessings.
        let top1 = claims.iter().filter(|claimed| claimed.top == 1);
        let nearest = top1.min_by_key(|claimed| claimed.reasons.len());
        let claimed = nearest.ok_or_else(|| {
            let what = format!(
                "--until-decided: {} has no claimed top-1 accuracy",
                subject.variant.name
            );
            Failure::new(Exit::Usage, what).help("`zoo show NAME` lists its claims")
        })?;
        let about = &images.about;
        let candidates = match self.restrict {
            true => about.classes,
            false => subject.variant.spec.classes(),
        };
        let others = other_images(about.images, about.classes, candidates);
        let reasons = [&claimed.reasons[..], &others].concat();
        let column = &claimed.claim.column;
        if !reasons.is_empty() {
            cx.out.warn(&format!(
                "--until-decided: the claim {column} is not about this evaluation, so nothing is concluded about it: {}",
                reasons.join("; ")
            ));
        }
        let accuracy = cx.zoo()?.accuracy(subject.variant, column);
        let figure = accuracy.map_or_else(
            || claimed.claim.printed.clone(),
            |accuracy| accuracy.in_all_digits(),
        );
        Ok(Undecided {
            claim: format!("the claim of {figure} ({column})"),
            claimed: claimed.printed,
            within: points.0,
            comparable: reasons.is_empty(),
        })
    }

    /// Prints the result of an evaluation and writes its summary beside the answers.
    fn tell(&self, cx: &Context, evaluated: &Evaluated<Answer>) -> Result<(), Failure> {
        tell_pace(cx, evaluated);
        let Evaluated {
            header,
            answers,
            pace,
            ..
        } = evaluated;
        let variant = cx.recorded(&header.key.variant)?;
        let claims = claims(&Subject::of(variant, header), cx.zoo()?);
        let summary = summary(header.clone(), answers, *pace, &claims);
        write_summary(cx, evaluated, &summary)?;
        tell(cx, &summary, answers, self.json)
    }
}

/// Prints the result of an evaluation.
pub(super) fn tell(cx: &Context, summary: &Summary, answers: &[Answer], json: bool) -> Result<(), Failure> {
    if json {
        return cx.out.json(summary);
    }
    let unreadable: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer.error.as_deref())
        .collect();
    cx.out.data(&classes::text(cx.zoo()?, summary, &unreadable))
}
