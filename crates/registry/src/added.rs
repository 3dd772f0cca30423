//! Adding a variant to a manifest.

use hrnet::{Classifier, Head, HrnetSpec};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

/// The beginning of a manifest that is made for variants of one's own.
pub const NEW_MANIFEST: &str =
    "# Networks of this folder, beside those that are built in.\nschema = 1\nextends = \"builtin\"\n";

/// A variant to be written into a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVariant {
    /// Its name.
    pub name: String,
    /// Its network, with as many branches as the published HRNet-C networks.
    pub spec: HrnetSpec,
    /// The licence of its weights, as an SPDX expression.
    pub licence: String,
    /// The id of its preprocessing.
    pub preprocess: String,
    /// The path of the file of its class names.
    pub labels: Option<String>,
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
        let mut variant = Table::new();
        variant.insert("name", value(&self.name));
        variant.insert("network", value(network(&self.spec)));
        variant.insert("preprocess", value(&self.preprocess));
        variant.insert("licence", value(&self.licence));
        if let Some(path) = &self.labels {
            variant.insert("labels", value(path));
        }
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

/// The fields of a network: its widths, and what is another than in the published HRNet-C networks.
fn network(spec: &HrnetSpec) -> InlineTable {
    let usual = HrnetSpec::imagenet([1; 4]);
    let mut network = InlineTable::new();
    network.insert("widths", numbers(&spec.widths));
    if let Some(reduction) = spec.se_reduction {
        network.insert("se_reduction", number(reduction));
    }
    if spec.stem != usual.stem {
        network.insert("stem", number(spec.stem));
    }
    if spec.stage1 != usual.stage1 {
        let mut stage1 = InlineTable::new();
        stage1.insert("blocks", number(spec.stage1.blocks));
        stage1.insert("mid", number(spec.stage1.mid));
        network.insert("stage1", stage1.into());
    }
    if spec.modules != usual.modules {
        network.insert("modules", numbers(&spec.modules));
    }
    if spec.blocks != usual.blocks {
        network.insert("blocks", number(spec.blocks));
    }
    let head = head(&spec.head);
    if !head.is_empty() {
        network.insert("head", head.into());
    }
    network
}

fn head(spec: &Head) -> InlineTable {
    let (mut head, usual) = (InlineTable::new(), Classifier::imagenet());
    let Head::Classifier(spec) = spec else {
        return head;
    };
    if spec.mids != usual.mids {
        head.insert("mids", numbers(&spec.mids));
    }
    if spec.features != usual.features {
        head.insert("features", number(spec.features));
    }
    if spec.classes != usual.classes {
        head.insert("classes", number(spec.classes));
    }
    head
}

fn number(number: usize) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn numbers(numbers: &[usize]) -> Value {
    numbers.iter().map(|each| number(*each)).collect::<Array>().into()
}

fn one(table: Table) -> Item {
    let mut tables = ArrayOfTables::new();
    tables.push(table);
    Item::ArrayOfTables(tables)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hrnet::StageOneSpec;

    use super::*;
    use crate::Zoo;

    fn with(change: impl FnOnce(&mut HrnetSpec)) -> HrnetSpec {
        let mut spec = HrnetSpec::imagenet([20, 40, 80, 160]);
        change(&mut spec);
        spec
    }

    fn mine() -> NewVariant {
        NewVariant {
            name: "mine".into(),
            spec: with(|_| ()).with_classes(10),
            licence: "MIT".into(),
            preprocess: "timm-224-bilinear-0.875".into(),
            labels: Some("runs/names.txt".into()),
            path: Some("runs/best \"1\".pth".into()),
        }
    }

    #[test]
    fn what_is_added_is_read_back_and_what_was_there_stays() {
        let first = mine().added_to(NEW_MANIFEST);
        let zoo = Zoo::parse(&first, Path::new("zoo.toml")).expect("valid");
        let variant = zoo.variant("mine").expect("added");
        assert_eq!(variant.spec.widths, [20, 40, 80, 160]);
        assert_eq!(variant.spec.classes(), 10);
        assert_eq!(variant.artifacts[0].url, "./runs/best \"1\".pth");
        assert_eq!(variant.artifacts[0].id, "local");
        let labels = variant.labels.as_ref().expect("named").path();
        assert!(labels.ends_with("runs/names.txt"), "{}", labels.display());
        assert!(zoo.variant("HRNet_W18_C").is_some());
        let other = NewVariant {
            name: "other".into(),
            path: None,
            labels: None,
            spec: HrnetSpec::imagenet([20, 40, 80, 160]),
            ..mine()
        };
        let text = other.added_to("");
        assert!(
            text.contains("network = { widths = [20, 40, 80, 160] }"),
            "{text}"
        );
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

    #[test]
    fn every_number_of_a_network_is_written_and_read_back() {
        let spec = with(|spec| {
            spec.stem = 32;
            spec.stage1 = StageOneSpec { blocks: 1, mid: 32 };
            spec.modules = vec![1, 3, 2];
            spec.blocks = 2;
            spec.se_reduction = Some(4);
            spec.head = Head::Classifier(Classifier {
                mids: vec![8, 16, 32, 64],
                features: 512,
                classes: 1,
            });
        });
        let mine = NewVariant { spec, ..mine() };
        let zoo = Zoo::parse(&mine.added_to(NEW_MANIFEST), Path::new("zoo.toml")).expect("valid");
        assert_eq!(zoo.variant("mine").expect("added").spec, mine.spec);
    }
}
