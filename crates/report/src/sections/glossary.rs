use crate::page::{Block, Section};

/// The words that a page uses as this project does, in order of the alphabet.
const TERMS: [(&str, &str); 22] = [
    (
        "A/A",
        "the same program measured twice; a change that is found between the two is a false alarm.",
    ),
    (
        "AP, AP50, AP75, AR",
        "average precision of keypoints by COCO's rules: the mean over ten thresholds of similarity to the annotation, 0.50 to 0.95; at 0.50 and at \
         0.75 alone; and the average recall over the ten.",
    ),
    (
        "canary",
        "a fixed piece of work, timed before and after each cell: multiply-adds, tiles where the cell may use them, reading memory, and a hand-over. It shows what the \
         machine could do then.",
    ),
    (
        "cell",
        "one combination that is measured: network, precision, batch, size, engine and threads, as \
         `HRNet_W18_C/f32/bs1/crop224/cpu/t2`, or with height and width as `pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2`.",
    ),
    (
        "claim",
        "a figure that somebody else published. Claims are quoted, never mixed with what was counted or measured here.",
    ),
    (
        "f32, f16, bf16, i16, int8",
        "the number formats, as `--precision` names them: floating point in 32 and 16 bits, bfloat16, and fixed point in 16 and 8 bits.",
    ),
    (
        "flip test",
        "running the mirrored crop of a person as well and averaging the heatmaps of both.",
    ),
    (
        "hand-over",
        "a cache line sent from one processor core to another. Where a host moves a virtual machine's cores apart it takes longer, and so do networks on several threads.",
    ),
    (
        "heatmap",
        "a map of a pose network that is high where a keypoint is; there is one for each keypoint.",
    ),
    (
        "interval [a, b]",
        "where the true median lies with 95 %; with two to five processes their range.",
    ),
    (
        "KL",
        "Kullback-Leibler divergence of the class probabilities from those in f32, in nats; 0 is no difference.",
    ),
    (
        "MAC",
        "multiply-accumulate: one multiplication and one addition, so about two FLOPs.",
    ),
    (
        "median ± MAD",
        "the middle of all runs, and the median distance of single runs from it.",
    ),
    (
        "noisy",
        "of a time that may be far off: other processes were at work, a host took processors away, the machine's speed changed, or single runs lie far apart.",
    ),
    (
        "p90",
        "the 90th percentile of the runs: nine in ten take at most as long. With fewer than 44 runs it is the slowest of them, after a ≤.",
    ),
    (
        "peer",
        "somebody else's inference engine, such as OpenVINO or ONNX Runtime, on the same network, weights and images.",
    ),
    (
        "profile",
        "one way to prepare images: decoder, resizing, crop and normalisation. An accuracy holds for one profile.",
    ),
    (
        "SSLD",
        "PaddleClas's training by distillation from a larger network.",
    ),
    (
        "seeded weights",
        "random weights made from a number, the seed. A network runs as fast with them as with trained ones, and its answers mean nothing.",
    ),
    (
        "stolen time",
        "processor time that the host of a virtual machine gave to other guests.",
    ),
    (
        "Winograd",
        "a way to compute 3x3 convolutions with fewer multiplications than their definition counts, at slightly more rounding.",
    ),
    (
        "σ (sigma)",
        "the standard deviation of a network's logits; errors are given as a share of it, so that networks can be compared.",
    ),
];

pub(super) fn glossary() -> Section {
    Section {
        id: "glossary",
        title: "Words".into(),
        blocks: vec![Block::Terms {
            terms: TERMS.to_vec(),
        }],
    }
}
