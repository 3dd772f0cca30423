/// PaddleClas's ImageNet-1k label list (Apache-2.0), `index names`, in index order.
const LIST: &str = include_str!("../assets/imagenet1k_labels.txt");

/// Returns the names of the 1000 ImageNet classes, by index: sorted WordNet ids, the order of Paddle, timm and torchvision.
pub fn imagenet() -> Vec<&'static str> {
    LIST.lines()
        .map(|line| line.split_once(' ').map_or(line, |(_, name)| name))
        .collect()
}

/// Returns the WordNet ids of the same classes, as folders of ImageNet are named; from timm (Apache-2.0).
pub fn wnids() -> Vec<&'static str> {
    include_str!("../assets/imagenet1k_wnids.txt").lines().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordnet_ids_are_sorted_and_a_thousand() {
        let ids = wnids();
        assert_eq!((ids.len(), ids[0], ids[999]), (1000, "n01440764", "n15075141"));
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_thousand_names_in_order() {
        let names = imagenet();
        assert_eq!(names.len(), 1000);
        assert_eq!(names[0], "tench, Tinca tinca");
        assert_eq!(names[281], "tabby, tabby cat");
        assert_eq!(names[999], "toilet tissue, toilet paper, bathroom tissue");
        for (index, line) in LIST.lines().enumerate() {
            assert!(line.starts_with(&format!("{index} ")), "{line}");
        }
    }
}
