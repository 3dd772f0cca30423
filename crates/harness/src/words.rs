/// A count with its noun in singular or plural: `1 cell`, `2 cells`, `3 processes`.
pub fn counted(count: usize, one: &str) -> String {
    let end = match one {
        _ if count == 1 => "",
        one if one.ends_with(['s', 'x']) => "es",
        _ => "s",
    };
    format!("{count} {one}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let told = [
            (1, "cell"),
            (0, "cell"),
            (1, "process"),
            (2, "process"),
            (2, "box"),
        ];
        let told = told.map(|(count, one)| counted(count, one));
        assert_eq!(told, ["1 cell", "0 cells", "1 process", "2 processes", "2 boxes"]);
    }
}
