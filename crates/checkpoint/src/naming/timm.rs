/// The running mean that a head convolution's bias is taken off: batch norm subtracts the mean from a convolution's
/// output, so a bias in front of it is a mean that is smaller by as much.
pub(super) fn folded_bias(name: &str) -> Option<String> {
    let conv = name.strip_suffix(".0.bias")?;
    let in_head = conv == "final_layer" || conv.strip_prefix("downsamp_modules.").is_some_and(is_index);
    in_head.then(|| format!("{conv}.1.running_mean"))
}

fn is_index(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_head_convolutions_have_a_bias_to_fold() {
        assert_eq!(
            folded_bias("final_layer.0.bias").as_deref(),
            Some("final_layer.1.running_mean")
        );
        assert_eq!(
            folded_bias("downsamp_modules.2.0.bias").as_deref(),
            Some("downsamp_modules.2.1.running_mean")
        );
        for name in [
            "classifier.bias",
            "conv1.bias",
            "downsamp_modules.x.0.bias",
            "final_layer.1.bias",
        ] {
            assert_eq!(folded_bias(name), None, "{name}");
        }
    }
}
