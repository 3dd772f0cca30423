/// PaddleClas's ImageNet-1k label list (Apache-2.0), `index names`, in index order.
const LIST: &str = include_str!("../assets/imagenet1k_labels.txt");

/// The names of the 1000 ImageNet classes, by index: sorted WordNet ids, the order of Paddle, timm and torchvision.
pub(crate) fn imagenet() -> Vec<&'static str> {
    LIST.lines()
        .map(|line| line.split_once(' ').map_or(line, |(_, name)| name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
