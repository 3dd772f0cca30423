//! Pose variants: what is shipped, and what is refused.

use hrnet::{Head, Heatmaps, Shape};
use registry::{Decoder, EMBEDDED, Known, Profile, TaskKind, Variant, Zoo};

use crate::{parse, refused, shipped};

fn poses(zoo: &Zoo) -> Vec<&Variant> {
    zoo.variants
        .iter()
        .filter(|variant| !variant.is_classifier())
        .collect()
}

#[test]
fn published_pose_networks_are_declared_with_their_counts_and_aps() {
    let zoo = shipped();
    // Parameters, MACs, claimed AP of mmpose in thousandths, digits of the digest of the default source.
    for (name, input, counts, ap, digits) in [
        (
            "pose_hrnet_w32_256x192",
            [256, 192],
            [28_536_113, 7_645_003_776],
            749,
            "81c58e40",
        ),
        (
            "pose_hrnet_w32_384x288",
            [384, 288],
            [28_536_113, 17_201_258_496],
            761,
            "ca5956af",
        ),
        (
            "pose_hrnet_w48_256x192",
            [256, 192],
            [63_595_745, 15_691_825_152],
            756,
            "0e67c616",
        ),
        (
            "pose_hrnet_w48_384x288",
            [384, 288],
            [63_595_745, 35_306_606_592],
            767,
            "c161b7de",
        ),
        (
            "pose_hrnet_w32_256x192_dark",
            [256, 192],
            [28_536_113, 7_645_003_776],
            757,
            "0e00bf12",
        ),
        (
            "pose_hrnet_w48_384x288_udp",
            [384, 288],
            [63_595_745, 35_306_606_592],
            773,
            "70d7ab01",
        ),
    ] {
        let variant = zoo.find(name).expect(name);
        let (profile, [h, w]) = (variant.graph().profile(), input);
        assert_eq!([profile.trainable().0, profile.macs().0], counts, "{name}");
        assert_eq!(variant.input(), Shape::new(1, 3, h, w), "{name}");
        let claimed = zoo.claimed_ap(variant).expect("an AP");
        assert_eq!((claimed.share * 1000.0).round() as u32, ap, "{name}");
        assert!(claimed.column.protocol.is_some() && claimed.column.data.is_some());
        assert!(zoo.claimed_top1(variant).is_none());
        let known = match &variant.artifacts[0].known {
            Known::Full(digest) => digest.to_string(),
            Known::Prefix(prefix) => prefix.to_string(),
            Known::Nothing => String::new(),
        };
        assert!(known.starts_with(digits), "{name}: {known}");
    }
    assert_eq!(poses(&zoo).len(), 21);
    assert_eq!(zoo.classifiers().count(), 15);
}

#[test]
fn keypoints_and_decoder_decide_the_maps_and_the_crops() {
    let zoo = shipped();
    for variant in poses(&zoo) {
        let pose = variant.pose().expect("a pose variant");
        let maps = pose.keypoints.count() * if pose.decoder == Decoder::UdpRegress { 3 } else { 1 };
        assert_eq!(
            variant.spec.head,
            Head::Heatmaps(Heatmaps::new(maps)),
            "{}",
            variant.name
        );
        let udp = matches!(pose.decoder, Decoder::Udp | Decoder::UdpRegress);
        assert_eq!(
            variant.preprocess.profile == Profile::Udp,
            udp,
            "{}",
            variant.name
        );
        assert_eq!(variant.task.kind(), TaskKind::Pose);
    }
    let maps = |name: &str| zoo.find(name).expect(name).graph().output_shape();
    assert_eq!(
        maps("pose_hrnet_w32_256x192_udp_regress"),
        Shape::new(1, 51, 64, 48)
    );
    assert_eq!(
        maps("pose_hrnet_w48_wholebody_384x288"),
        Shape::new(1, 133, 96, 72)
    );
    assert_eq!(maps("pose_hrnet_w32_mpii_256x256"), Shape::new(1, 16, 64, 64));
    // DARK's network is that of its base, at another size it is another.
    let network = |name: &str| zoo.network_of(zoo.find(name).expect(name)).name.clone();
    assert_eq!(network("pose_hrnet_w32_256x192_dark"), "pose_hrnet_w32_256x192");
    assert_eq!(network("pose_hrnet_w32_384x288"), "pose_hrnet_w32_384x288");
    assert_eq!(zoo.find("W32").expect("the classifier").name, "HRNet_W32_C");
}

#[test]
fn what_a_pose_variant_lacks_or_has_too_much_is_told() {
    let own = |fields: &str| {
        let text = format!("{EMBEDDED}\n[[variant]]\nname = \"mine\"\nlicence = \"MIT\"\n{fields}\n");
        parse(&text)
    };
    let network = "network = { widths = [8, 16, 32, 64] }\n";
    let pose = format!("{network}task = \"pose\"\npreprocess = \"pose-msra-256x192\"\n");
    let zoo = own(&format!("{pose}keypoints = 52\ndecoder = \"msra\"")).expect("one of one's own");
    let mine = zoo.find("mine").expect("there");
    assert_eq!(mine.graph().output_shape(), Shape::new(1, 52, 64, 48));
    for (fields, part) in [
        (pose.clone(), "`mine` lacks `keypoints`, `decoder`, which `task = \"pose\"` needs"),
        (format!("{pose}keypoints = \"coco\""), "`mine` lacks `decoder`"),
        (format!("{pose}keypoints = \"cocoa\"\ndecoder = \"msra\""), "expected one of coco, coco-wholebody, mpii"),
        (format!("{pose}keypoints = 0\ndecoder = \"msra\""), "at least one keypoint"),
        (format!("{pose}keypoints = 3\ndecoder = \"udp\""), "needs \"udp\""),
        (format!("{pose}keypoints = 3\ndecoder = \"msra\"\nlabels = \"x.txt\""), "names of classes"),
        (
            format!("{network}preprocess = \"paddle-224\"\nkeypoints = 3"),
            "`keypoints` and `decoder` go with `task = \"pose\"`",
        ),
        (format!("{network}preprocess = \"pose-msra-256x192\""), "crops persons"),
        (
            format!("{network}task = \"pose\"\nkeypoints = 3\ndecoder = \"msra\"\npreprocess = \"paddle-224\""),
            "crops whole photos",
        ),
        (
            "base = \"HRNet_W18_C\"\ntask = \"pose\"".into(),
            "its base has the task \"classes\"",
        ),
        (
            "network = { widths = [8, 16, 32, 64], head = { classes = 5 } }\ntask = \"pose\"\nkeypoints = 3\n\
             decoder = \"msra\"\npreprocess = \"pose-msra-256x192\""
                .into(),
            "of the head of a classifier",
        ),
    ] {
        let error = own(&fields).expect_err(part);
        assert!(error.contains(part), "{fields}: {error}");
    }
    for (from, to, part) in [
        (
            "person = \"256x192\"",
            "person = \"256x\"",
            "`256x` is not a size",
        ),
        ("person = \"256x192\"", "crop = 256", "`crop` is of whole photos"),
        ("person = \"256x192\"\n", "", "needs `person`"),
        (
            "resize_short = 256\n",
            "resize_short = 256\nperson = \"8x8\"\n",
            "`person` goes with",
        ),
        (
            "person = \"256x192\"",
            "person = \"250x192\"",
            "must be positive multiples of 32",
        ),
        (
            "page-top1 = \"0.769\"",
            "mmpose-ap = \"0.769\"",
            "accuracy of another task",
        ),
        ("data = \"COCO val2017\"\n", "", "needs `data`"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(part), "{to}: {error}");
    }
}
