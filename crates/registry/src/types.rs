use std::collections::BTreeMap;
use std::fmt;

use hrnet::{CountingRule, Graph, HrnetSpec, Precision, Shape, Size};
use serde::{Deserialize, Serialize};

use crate::{Digest, DigestPrefix, HubFile, LocalFile};

/// The checked manifest.
#[derive(Clone, Debug)]
pub struct Zoo {
    /// The manifest that it adds to.
    pub extends: Extends,
    /// Who the figures come from, by id.
    pub sources: BTreeMap<String, Source>,
    /// The ways to prepare images, by id.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// The columns of the published tables, in the manifest's order.
    pub columns: Vec<Column>,
    /// The variants, in the manifest's order.
    pub variants: Vec<Variant>,
}

impl Zoo {
    /// The column of this id.
    pub fn column(&self, id: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// Returns whether a publication has a figure of this variant.
    pub fn lists(&self, source: &str, variant: &Variant) -> bool {
        let theirs = |claim: &Claim| {
            self.column(&claim.column)
                .is_some_and(|column| column.source == source)
        };
        variant.claims.iter().any(theirs)
    }

    /// The variants that answer with classes, in the manifest's order.
    pub fn classifiers(&self) -> impl Iterator<Item = &Variant> + Clone {
        self.variants.iter().filter(|variant| variant.is_classifier())
    }

    /// The first variant with the same network: variants that share one are measured once, under this name. A pose network for
    /// another size of crops is another one.
    pub fn network_of(&self, variant: &Variant) -> &Variant {
        let same = |other: &&Variant| {
            other.spec == variant.spec && (variant.is_classifier() || other.input() == variant.input())
        };
        let first = self.variants.iter().find(same);
        first.expect("a variant of the manifest has its own network")
    }
}

/// The manifest that a manifest adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extends {
    /// It does not say: it stands alone.
    Unsaid,
    /// It says that it stands alone.
    Nothing,
    /// The manifest that is built into the program.
    Builtin,
}

/// A publication that figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its title.
    pub title: String,
    /// The number of models that its text says it lists, if it says so.
    pub models_in_text: Option<usize>,
}

/// One column of a published table: what all its figures have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// The name that claims use.
    pub id: String,
    /// The id of the publication.
    pub source: String,
    /// The quantity of the figures.
    #[serde(flatten)]
    pub metric: Metric,
    /// The unit they are printed in.
    pub unit: Unit,
    /// Decimals that the table rounds to, where it pads with zeros; otherwise the digits printed tell.
    pub decimals: Option<usize>,
    /// The weight source that an accuracy belongs to.
    pub weights: Option<String>,
    /// The id of the preprocessing that an accuracy was measured with, where it is not that of its weight source.
    pub preprocess: Option<String>,
    /// The images of an accuracy; for one of classes, if they are not ImageNet's validation images.
    pub data: Option<String>,
    /// How an accuracy of keypoints was measured: whose boxes, and whether mirrored crops were run as well.
    pub protocol: Option<String>,
}

/// The quantity of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "metric", rename_all = "kebab-case")]
pub enum Metric {
    /// Share of the images, ImageNet's validation images unless the column names others, whose class comes first.
    Top1,
    /// Share whose class is among the first five.
    Top5,
    /// One minus [`Metric::Top1`].
    Top1Error,
    /// One minus [`Metric::Top5`].
    Top5Error,
    /// COCO's AP of keypoints: the mean over the thresholds 0.50 to 0.95 of object keypoint similarity.
    Ap,
    /// The same at the threshold 0.50 alone.
    Ap50,
    /// The same at the threshold 0.75 alone.
    Ap75,
    /// COCO's AR of keypoints, over the same thresholds as [`Metric::Ap`].
    Ar,
    /// Share of MPII's keypoints within half the length of the head.
    Pckh,
    /// Operations of one image, counted by a rule.
    Flops {
        /// The counting rule.
        rule: CountingRule,
    },
    /// Parameters, counted by a rule.
    Params {
        /// The counting rule.
        rule: CountingRule,
    },
    /// Time for one batch.
    Latency {
        /// The device.
        device: String,
        /// Number format.
        precision: Precision,
        /// Images in the batch.
        batch: usize,
    },
}

impl Metric {
    /// The rule of a count.
    pub fn rule(&self) -> Option<CountingRule> {
        match self {
            Self::Flops { rule } | Self::Params { rule } => Some(*rule),
            Self::Top1
            | Self::Top5
            | Self::Top1Error
            | Self::Top5Error
            | Self::Ap
            | Self::Ap50
            | Self::Ap75
            | Self::Ar
            | Self::Pckh
            | Self::Latency { .. } => None,
        }
    }

    /// Whether it is an accuracy, of classes or of keypoints: a figure of trained weights.
    pub fn is_accuracy(&self) -> bool {
        self.task().is_some()
    }

    /// The task that an accuracy is about.
    pub(crate) fn task(&self) -> Option<TaskKind> {
        match self {
            Self::Top1 | Self::Top5 | Self::Top1Error | Self::Top5Error => Some(TaskKind::Classes),
            Self::Ap | Self::Ap50 | Self::Ap75 | Self::Ar | Self::Pckh => Some(TaskKind::Pose),
            Self::Flops { .. } | Self::Params { .. } | Self::Latency { .. } => None,
        }
    }
}

/// The kind of a variant's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Classes of a photo.
    #[default]
    Classes,
    /// The keypoints of a person.
    Pose,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Classes => "classes",
            Self::Pose => "pose",
        })
    }
}

/// The answers of a variant, and what they need beside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "task")]
pub enum Task {
    /// Classes of a photo.
    Classes,
    /// The keypoints of a person.
    Pose(Pose),
}

impl Task {
    /// Its kind.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Classes => TaskKind::Classes,
            Self::Pose(_) => TaskKind::Pose,
        }
    }
}

/// How heatmaps become keypoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pose {
    /// The keypoints that were learned.
    pub keypoints: Keypoints,
    /// The way from heatmaps to places.
    pub decoder: Decoder,
}

/// The keypoints of a data set, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keypoints {
    /// The 17 of COCO.
    Coco,
    /// The 133 of COCO-WholeBody: body, feet, face and hands.
    CocoWholebody,
    /// The 16 of MPII.
    Mpii,
    /// The 17 of AP-10K, of animals.
    #[serde(rename = "ap-10k")]
    Ap10k,
    /// This number of keypoints of a data set of one's own.
    Own(usize),
}

impl Keypoints {
    /// The published sets.
    pub const PUBLISHED: [Self; 4] = [Self::Coco, Self::CocoWholebody, Self::Mpii, Self::Ap10k];

    /// The number of keypoints.
    pub const fn count(self) -> usize {
        match self {
            Self::Coco | Self::Ap10k => 17,
            Self::CocoWholebody => 133,
            Self::Mpii => 16,
            Self::Own(count) => count,
        }
    }

    /// Its name in the manifest; `None` for a set of one's own, which has a number alone.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Coco => Some("coco"),
            Self::CocoWholebody => Some("coco-wholebody"),
            Self::Mpii => Some("mpii"),
            Self::Ap10k => Some("ap-10k"),
            Self::Own(_) => None,
        }
    }
}

impl fmt::Display for Keypoints {
    /// `17 keypoints of coco`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keypoints", self.count())?;
        self.name().map_or(Ok(()), |name| write!(f, " of {name}"))
    }
}

/// The way from a heatmap to a place, which is a part of how a network was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// The largest value, moved a quarter of a pixel towards the larger neighbour: Microsoft's, and mmpose's plain ones.
    Msra,
    /// DARK: a parabola through the logarithms around the largest value.
    Dark,
    /// UDP: the same on crops that are placed by pixel centres.
    Udp,
    /// UDP with two maps of offsets beside each heatmap.
    UdpRegress,
}

impl Decoder {
    /// Its name in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Msra => "msra",
            Self::Dark => "dark",
            Self::Udp => "udp",
            Self::UdpRegress => "udp-regress",
        }
    }

    /// The maps of each keypoint.
    pub const fn maps(self) -> usize {
        match self {
            Self::Msra | Self::Dark | Self::Udp => 1,
            Self::UdpRegress => 3,
        }
    }

    /// The profile by which crops are made for it.
    pub const fn profile(self) -> Profile {
        match self {
            Self::Msra | Self::Dark => Profile::Msra,
            Self::Udp | Self::UdpRegress => Profile::Udp,
        }
    }
}

/// The unit of a printed figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// 0 to 1.
    #[serde(rename = "fraction")]
    Fraction,
    /// 0 to 100.
    #[serde(rename = "percent")]
    Percent,
    /// One: a count printed to the last digit.
    #[serde(rename = "1")]
    One,
    /// 10^6.
    M,
    /// 10^9.
    G,
    /// 2^30.
    Gi,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
}

impl Unit {
    /// The value of one of this unit: in fractions, operations, parameters or seconds.
    pub const fn scale(self) -> f64 {
        match self {
            Self::Fraction | Self::One => 1.0,
            Self::Percent => 0.01,
            Self::M => 1e6,
            Self::G => 1e9,
            Self::Gi => 1_073_741_824.0,
            Self::Milliseconds => 1e-3,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fraction | Self::One => "",
            Self::Percent => "%",
            Self::M => "M",
            Self::G => "G",
            Self::Gi => "Gi",
            Self::Milliseconds => "ms",
        })
    }
}

/// A trained network of the zoo.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name, fit for a file name.
    pub name: String,
    /// The variant whose network and preprocessing it takes over.
    pub base: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// The answers.
    pub task: Task,
    /// The network.
    pub spec: HrnetSpec,
    /// The licence of the weights, as an SPDX expression.
    pub licence: String,
    /// The preprocessing of images for weights that name none: that of the first published accuracy.
    pub preprocess: Preprocess,
    /// The file of the names of its classes, one per line, if the manifest names one.
    pub labels: Option<LocalFile>,
    /// The sources of weights; the first is the default. A network may have none.
    pub artifacts: Vec<Artifact>,
    /// The published figures, in the manifest's order.
    pub claims: Vec<Claim>,
}

impl Variant {
    /// Whether it answers with classes.
    pub fn is_classifier(&self) -> bool {
        self.task == Task::Classes
    }

    /// What its heatmaps need to become keypoints; `None` for a classifier.
    pub fn pose(&self) -> Option<Pose> {
        match self.task {
            Task::Classes => None,
            Task::Pose(pose) => Some(pose),
        }
    }

    /// The shape of one image, prepared as for the weights that name no other way.
    pub fn input(&self) -> Shape {
        Shape::images(1, self.preprocess.size())
    }

    /// The network for one such image.
    pub fn graph(&self) -> Graph {
        let graph = self.spec.graph(self.input());
        graph.expect("the manifest's networks are checked")
    }

    /// The figure of this column.
    pub fn claim(&self, column: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.column == column)
    }

    /// The weight source of this id.
    pub fn artifact(&self, id: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.id == id)
    }

    /// The profiles of the variant and of its weight sources, each once.
    pub fn profiles(&self) -> Vec<&Preprocess> {
        let mut profiles = vec![&self.preprocess];
        for artifact in &self.artifacts {
            if !profiles
                .iter()
                .any(|profile| profile.id == artifact.preprocess.id)
            {
                profiles.push(&artifact.preprocess);
            }
        }
        profiles
    }
}

/// From a photo to a network's input; an accuracy holds for one of these.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preprocess {
    /// Its id in the manifest.
    pub id: String,
    /// Whose decoding, resizing and rounding it is.
    pub profile: Profile,
    /// The part of the photo that is taken.
    #[serde(flatten)]
    pub frame: Frame,
    /// The interpolation of pixels.
    pub interpolation: Interpolation,
    /// Which library's version resizes, where versions differ.
    pub resampler: Resampler,
    /// The value that is subtracted from each channel of values in 0 to 1, red first.
    pub mean: [f32; 3],
    /// The divisor of each channel, after the subtraction.
    pub std: [f32; 3],
}

/// The part of a photo that becomes the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Frame {
    /// The centre of the resized photo.
    Centre {
        /// The short side after resizing, pixels.
        resize_short: usize,
        /// The side of the crop, pixels.
        crop: usize,
    },
    /// The box of a person, widened to the proportions of the input.
    Person {
        /// The size of the input, pixels.
        person: Size,
    },
}

impl Preprocess {
    /// The size of the network's input.
    pub const fn size(&self) -> Size {
        match self.frame {
            Frame::Centre { crop, .. } => Size::square(crop),
            Frame::Person { person } => person,
        }
    }

    /// The height of the network's input, which for a centre crop is its side.
    pub const fn crop(&self) -> usize {
        self.size().h
    }

    /// The same profile for a centre crop of other sizes.
    #[must_use]
    pub fn centred(&self, resize_short: usize, crop: usize) -> Self {
        Self {
            frame: Frame::Centre { resize_short, crop },
            ..self.clone()
        }
    }
}

/// Whose preprocessing is followed, pixel for pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// PaddleClas's, with OpenCV.
    #[default]
    Paddle,
    /// timm's, with Pillow and torchvision.
    Timm,
    /// That of Microsoft's pose networks and of mmpose, with OpenCV: a person's box is warped to the input.
    Msra,
    /// The same with UDP's warp, which places the centres of the corner pixels on each other.
    Udp,
}

impl Profile {
    /// Its name, as in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paddle => "paddle",
            Self::Timm => "timm",
            Self::Msra => "msra",
            Self::Udp => "udp",
        }
    }

    /// Whether it takes the box of a person rather than the centre of a photo.
    pub const fn is_of_persons(self) -> bool {
        matches!(self, Self::Msra | Self::Udp)
    }
}

/// The interpolation of a resized pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// OpenCV's `INTER_LINEAR` on 8-bit images, or Pillow's antialiased `BILINEAR`.
    Bilinear,
    /// Pillow's antialiased `BICUBIC`.
    Bicubic,
}

/// Whose resizing it is, pixel for pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resampler {
    /// OpenCV 4's.
    #[serde(rename = "opencv-4")]
    OpenCv4,
    /// Pillow's up to version 12, with which timm's figures were published.
    #[serde(rename = "pillow-12")]
    Pillow12,
    /// Pillow's from version 13 on, which filters tall images in another order.
    #[serde(rename = "pillow-13")]
    Pillow13,
}

impl Resampler {
    /// The resampler that a profile's published figures were measured with.
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Paddle | Profile::Msra | Profile::Udp => Self::OpenCv4,
            Profile::Timm => Self::Pillow12,
        }
    }
}

impl fmt::Display for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OpenCv4 => "OpenCV 4",
            Self::Pillow12 => "Pillow up to 12",
            Self::Pillow13 => "Pillow 13",
        })
    }
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        })
    }
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Artifact {
    /// The name of the source within its variant.
    pub id: String,
    /// Names that others give to these weights of this network, as timm's `hrnet_w18.ms_in1k`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The place of the file, which is also the key of its pin: a URL; for a file of this machine its path, from the manifest as
    /// `./w.pth`.
    pub url: String,
    /// The file on Hugging Face, if the manifest names one: its server states the file's digest.
    #[serde(rename = "hf", skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubFile>,
    /// The file, if the manifest names one of this machine: it is used in its place.
    #[serde(skip)]
    pub local: Option<LocalFile>,
    /// Other places that have the same bytes, asked in this order when the first fails.
    pub mirrors: Vec<String>,
    /// The last part of the URL, fit for a file name, or of the path; on Hugging Face, where every repository has a
    /// `model.safetensors`, with the name of the repository before it.
    pub file_name: String,
    /// The format of the file.
    pub format: Format,
    /// The scheme of its tensors' names, if the manifest says so: the names themselves decide.
    pub naming: Option<Naming>,
    /// The preprocessing that its publisher tests it with.
    pub preprocess: Preprocess,
    /// The licence, as an SPDX expression.
    pub licence: String,
    /// Its exact size, where it is published.
    pub bytes: Option<u64>,
    /// The most bytes that it may have if nobody states its size: far more than the network's weights take.
    #[serde(skip)]
    pub most_bytes: u64,
    /// The published digest, or its beginning.
    pub known: Known,
}

/// The published part of a file's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "sha256")]
pub enum Known {
    /// All of it.
    Full(Digest),
    /// Its first digits.
    Prefix(DigestPrefix),
    /// Nothing: it is pinned at the first download.
    Nothing,
}

/// A weight file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A pickled dictionary of NumPy arrays, Paddle's.
    Pdparams,
    /// PyTorch's, zipped or legacy.
    Pth,
    /// Hugging Face's.
    Safetensors,
}

/// Whose names the tensors in a file have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// PaddleClas's of today.
    Paddle,
    /// The original repository's and timm's.
    Timm,
    /// OpenMMLab's.
    Mmpretrain,
    /// OpenMMLab's of pose networks.
    Mmpose,
}

/// A published figure, never mixed with what we counted or measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The id of its column, which says what it is and who says so.
    pub column: String,
    /// The digits as printed.
    pub printed: String,
    /// Their value, in the column's unit.
    pub value: f64,
    /// The weights it belongs to, for an accuracy.
    pub weights: Option<WeightsRef>,
}

impl Claim {
    /// The decimals printed.
    pub fn decimals(&self) -> usize {
        self.printed
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len())
    }
}

/// One weight source of one variant: an `_ssld` row may repeat a figure of its base's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct WeightsRef {
    /// The variant's name.
    pub variant: String,
    /// The source's id.
    pub artifact: String,
}
