use toml::Spanned;

use super::Check;
use super::complete::Complete;
use crate::types::{Keypoints, Pose, Preprocess, Task, TaskKind, Variant};
use crate::{ManifestError, wire};

impl Check<'_> {
    /// The answers of a variant: what it does not say is its base's.
    pub(super) fn task(&self, written: &Complete<'_>, base: Option<&Variant>) -> Result<Task, ManifestError> {
        let wire = written.wire;
        let inherited = base.map(|base| base.task.kind());
        let kind = match (&wire.task, inherited) {
            (Some(kind), Some(base)) if *kind.get_ref() != base => {
                let message = format!("its base has the task \"{base}\", and so its network");
                return self.fail(kind.span(), message);
            }
            (Some(kind), _) => *kind.get_ref(),
            (None, base) => base.unwrap_or_default(),
        };
        match kind {
            TaskKind::Pose => self.pose(written, base.and_then(Variant::pose)),
            TaskKind::Classes => {
                let keypoints = wire.keypoints.as_ref().map(Spanned::span);
                match keypoints.or(wire.decoder.as_ref().map(Spanned::span)) {
                    None => Ok(Task::Classes),
                    Some(span) => self.fail(span, "`keypoints` and `decoder` go with `task = \"pose\"`"),
                }
            }
        }
    }

    fn pose(&self, written: &Complete<'_>, base: Option<Pose>) -> Result<Task, ManifestError> {
        let wire = written.wire;
        if let Some(labels) = &wire.labels {
            let message = "`labels` are names of classes: `keypoints` names a set of keypoints";
            return self.fail(labels.span(), message);
        }
        let keypoints = match &wire.keypoints {
            Some(keypoints) => Some(self.keypoints(keypoints)?),
            None => base.map(|base| base.keypoints),
        };
        let decoder = wire.decoder.as_ref().map(|decoder| *decoder.get_ref());
        let decoder = decoder.or(base.map(|base| base.decoder));
        if let (Some(keypoints), Some(decoder)) = (keypoints, decoder) {
            return Ok(Task::Pose(Pose { keypoints, decoder }));
        }
        let lacks = match (keypoints, decoder) {
            (None, None) => "`keypoints`, `decoder`",
            (None, Some(_)) => "`keypoints`",
            (Some(_), _) => "`decoder`",
        };
        let name = written.name.get_ref().escape_debug();
        let message = format!("`{name}` lacks {lacks}, which `task = \"pose\"` needs");
        self.fail(written.name.span(), message)
    }

    fn keypoints(&self, written: &Spanned<wire::Keypoints>) -> Result<Keypoints, ManifestError> {
        let name = match written.get_ref() {
            wire::Keypoints::Count(count) if *count > 0 => return Ok(Keypoints::Own(*count)),
            wire::Keypoints::Count(_) => {
                return self.fail(written.span(), "a pose has at least one keypoint");
            }
            wire::Keypoints::Name(name) => name,
        };
        let published = Keypoints::PUBLISHED.into_iter();
        let found = published.clone().find(|set| set.name() == Some(name));
        found.ok_or_else(|| {
            let names: Vec<&str> = published.filter_map(Keypoints::name).collect();
            let message = format!(
                "unknown keypoints `{}`: expected one of {}, or the number of your own",
                name.escape_debug(),
                names.join(", ")
            );
            self.error(written.span(), message)
        })
    }

    /// Refuses photos that are prepared for another task, or for another decoder.
    pub(super) fn fits_task(
        &self,
        written: &Spanned<String>,
        task: Task,
        preprocess: &Preprocess,
    ) -> Result<(), ManifestError> {
        let (id, profile) = (&preprocess.id, preprocess.profile);
        let own = profile.name();
        let fault = match task {
            Task::Classes if profile.is_of_persons() => {
                format!("{id} crops persons: `profile = \"{own}\"` goes with `task = \"pose\"`")
            }
            Task::Pose(_) if !profile.is_of_persons() => {
                format!("{id} crops whole photos: `task = \"pose\"` needs `profile = \"msra\"` or \"udp\"")
            }
            Task::Pose(pose) if pose.decoder.profile() != profile => {
                let (decoder, needed) = (pose.decoder.name(), pose.decoder.profile().name());
                format!("{id} has `profile = \"{own}\"`, but `decoder = \"{decoder}\"` needs \"{needed}\"")
            }
            Task::Classes | Task::Pose(_) => return Ok(()),
        };
        self.fail(written.span(), fault)
    }
}
