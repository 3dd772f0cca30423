use super::{COCO, Skeleton, joined};

/// The 133 keypoints of COCO-WholeBody: COCO's 17, six of the feet, 68 of the face, 21 of each hand.
pub const COCO_WHOLEBODY: Skeleton = Skeleton {
    name: "coco-wholebody",
    keypoints: &joined::<_, 133>(&[COCO.keypoints, &FEET, &FACE, &LEFT_HAND, &RIGHT_HAND]),
    partners: &joined::<_, 133>(&[COCO.partners, &PARTNERS]),
    links: &joined::<_, 65>(&[COCO.links, &LINKS]),
    sigmas: &joined::<_, 133>(&[
        COCO.sigmas,
        &FEET_SIGMAS,
        &FACE_SIGMAS,
        &HAND_SIGMAS,
        &HAND_SIGMAS,
    ]),
};

const FEET: [&str; 6] = [
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
];

const FACE: [&str; 68] = [
    "face-0", "face-1", "face-2", "face-3", "face-4", "face-5", "face-6", "face-7", "face-8", "face-9",
    "face-10", "face-11", "face-12", "face-13", "face-14", "face-15", "face-16", "face-17", "face-18",
    "face-19", "face-20", "face-21", "face-22", "face-23", "face-24", "face-25", "face-26", "face-27",
    "face-28", "face-29", "face-30", "face-31", "face-32", "face-33", "face-34", "face-35", "face-36",
    "face-37", "face-38", "face-39", "face-40", "face-41", "face-42", "face-43", "face-44", "face-45",
    "face-46", "face-47", "face-48", "face-49", "face-50", "face-51", "face-52", "face-53", "face-54",
    "face-55", "face-56", "face-57", "face-58", "face-59", "face-60", "face-61", "face-62", "face-63",
    "face-64", "face-65", "face-66", "face-67",
];

const LEFT_HAND: [&str; 21] = [
    "left_hand_root",
    "left_thumb1",
    "left_thumb2",
    "left_thumb3",
    "left_thumb4",
    "left_forefinger1",
    "left_forefinger2",
    "left_forefinger3",
    "left_forefinger4",
    "left_middle_finger1",
    "left_middle_finger2",
    "left_middle_finger3",
    "left_middle_finger4",
    "left_ring_finger1",
    "left_ring_finger2",
    "left_ring_finger3",
    "left_ring_finger4",
    "left_pinky_finger1",
    "left_pinky_finger2",
    "left_pinky_finger3",
    "left_pinky_finger4",
];

const RIGHT_HAND: [&str; 21] = [
    "right_hand_root",
    "right_thumb1",
    "right_thumb2",
    "right_thumb3",
    "right_thumb4",
    "right_forefinger1",
    "right_forefinger2",
    "right_forefinger3",
    "right_forefinger4",
    "right_middle_finger1",
    "right_middle_finger2",
    "right_middle_finger3",
    "right_middle_finger4",
    "right_ring_finger1",
    "right_ring_finger2",
    "right_ring_finger3",
    "right_ring_finger4",
    "right_pinky_finger1",
    "right_pinky_finger2",
    "right_pinky_finger3",
    "right_pinky_finger4",
];

/// The mirrored partners of the keypoints after COCO's.
const PARTNERS: [usize; 116] = [
    20, 21, 22, 17, 18, 19, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 49, 48, 47,
    46, 45, 44, 43, 42, 41, 40, 50, 51, 52, 53, 58, 57, 56, 55, 54, 68, 67, 66, 65, 70, 69, 62, 61, 60, 59,
    64, 63, 77, 76, 75, 74, 73, 72, 71, 82, 81, 80, 79, 78, 87, 86, 85, 84, 83, 90, 89, 88, 112, 113, 114,
    115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 91, 92, 93, 94,
    95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
];

/// The links beside COCO's: from the ankles to the feet, and along the fingers.
const LINKS: [[usize; 2]; 46] = [
    [15, 17],
    [15, 18],
    [15, 19],
    [16, 20],
    [16, 21],
    [16, 22],
    [91, 92],
    [92, 93],
    [93, 94],
    [94, 95],
    [91, 96],
    [96, 97],
    [97, 98],
    [98, 99],
    [91, 100],
    [100, 101],
    [101, 102],
    [102, 103],
    [91, 104],
    [104, 105],
    [105, 106],
    [106, 107],
    [91, 108],
    [108, 109],
    [109, 110],
    [110, 111],
    [112, 113],
    [113, 114],
    [114, 115],
    [115, 116],
    [112, 117],
    [117, 118],
    [118, 119],
    [119, 120],
    [112, 121],
    [121, 122],
    [122, 123],
    [123, 124],
    [112, 125],
    [125, 126],
    [126, 127],
    [127, 128],
    [112, 129],
    [129, 130],
    [130, 131],
    [131, 132],
];

const FEET_SIGMAS: [f64; 6] = [0.068, 0.066, 0.066, 0.092, 0.094, 0.094];

const FACE_SIGMAS: [f64; 68] = [
    0.042, 0.043, 0.044, 0.043, 0.04, 0.035, 0.031, 0.025, 0.02, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043,
    0.041, 0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007,
    0.007, 0.012, 0.009, 0.008, 0.016, 0.01, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011,
    0.012, 0.01, 0.034, 0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.01, 0.008, 0.009, 0.009, 0.009, 0.007,
    0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.01, 0.008,
];

/// The sigmas of one hand.
const HAND_SIGMAS: [f64; 21] = [
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021,
    0.021, 0.032, 0.02, 0.019, 0.022, 0.031,
];
