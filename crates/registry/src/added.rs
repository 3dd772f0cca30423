//! Adding a variant to a manifest.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

/// The beginning of a manifest that is made for variants of one's own.
pub const NEW_MANIFEST: &str =
    "# Networks of this folder, beside those that are built in.\nschema = 1\nextends = \"builtin\"\n";

/// A variant to be written into a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVariant {
    /// Its name.
    pub name: String,
    /// Channels of each branch.
    pub widths: Vec<usize>,
    /// Classes, where they are not ImageNet's.
    pub classes: Option<usize>,
    /// The licence of its weights, as an SPDX expression.
    pub licence: String,
    /// The id of its preprocessing.
    pub preprocess: String,
    /// The path of its weights.
    pub path: Option<String>,
}

impl NewVariant {
    /// The text of a manifest with this variant at its end; all that was there stays as it is. Whether the whole is valid
    /// [`Zoo::parse_with`](crate::Zoo::parse_with) says.
    pub fn added_to(&self, manifest: &str) -> String {
        let gap = match manifest {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        format!("{manifest}{gap}{}", self.text())
    }

    /// The variant's own tables.
    fn text(&self) -> String {
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut network = InlineTable::new();
        let widths: Array = self.widths.iter().map(|width| number(*width)).collect();
        network.insert("widths", widths.into());
        if let Some(classes) = self.classes {
            let mut head = InlineTable::new();
            head.insert("classes", number(classes).into());
            network.insert("head", head.into());
        }
        let mut variant = Table::new();
        variant.insert("name", value(&self.name));
        variant.insert("network", value(network));
        variant.insert("preprocess", value(&self.preprocess));
        variant.insert("licence", value(&self.licence));
        if let Some(path) = &self.path {
            let mut weights = Table::new();
            weights.insert("path", value(path));
            variant.insert("weights", one(weights));
        }
        let mut document = DocumentMut::new();
        document.insert("variant", one(variant));
        document.to_string()
    }
}

fn one(table: Table) -> Item {
    let mut tables = ArrayOfTables::new();
    tables.push(table);
    Item::ArrayOfTables(tables)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Zoo;

    fn mine() -> NewVariant {
        NewVariant {
            name: "mine".into(),
            widths: vec![20, 40, 80, 160],
            classes: Some(10),
            licence: "MIT".into(),
            preprocess: "timm-224-bilinear-0.875".into(),
            path: Some("runs/best \"1\".pth".into()),
        }
    }

    #[test]
    fn what_is_added_is_read_back_and_what_was_there_stays() {
        let first = mine().added_to(NEW_MANIFEST);
        let zoo = Zoo::parse(&first, Path::new("zoo.toml")).expect("valid");
        let variant = zoo.variant("mine").expect("added");
        assert_eq!(variant.spec.widths, [20, 40, 80, 160]);
        assert_eq!(variant.spec.head.classes, 10);
        assert_eq!(variant.artifacts[0].url, "./runs/best \"1\".pth");
        assert_eq!(variant.artifacts[0].id, "local");
        assert!(zoo.variant("HRNet_W18_C").is_some());
        let other = NewVariant {
            name: "other".into(),
            path: None,
            classes: None,
            ..mine()
        };
        let ragged = format!("{first}# The end, without a line's end.");
        let second = other.added_to(&ragged);
        assert!(second.starts_with(&ragged), "{second}");
        let zoo = Zoo::parse(&second, Path::new("zoo.toml")).expect("valid");
        assert_eq!(zoo.variant("other").expect("added").artifacts, []);
        assert!(
            Zoo::parse(&mine().added_to(&second), Path::new("zoo.toml")).is_err(),
            "the name is taken"
        );
    }
}
