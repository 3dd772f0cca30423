//! Options that select values of a network instead of its logits.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use hrnet::{Features, Graph, HrnetSpec, Node, NodeId, Op};

use crate::{Exit, Failure};

/// Options of commands that output the values of nodes.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Output these nodes, `[n, c, h, w]`, instead of the logits: a list with commas, or --at several times. `zoo show NAME
    /// --layers` lists the nodes
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    at: Vec<String>,
    /// Output the feature maps of timm's `features_only=True`, at strides 2, 4, 8, 16 and 32, instead of the logits. Alone or
    /// with =incre, timm's default location; with =stage4, its feature_location=''
    #[arg(
        long,
        value_name = "LOCATION",
        num_args = 0..=1,
        // A word after it is another argument: `zoo export --features NAME`.
        require_equals = true,
        default_missing_value = Features::Incre.name(),
        value_parser = locations(),
        conflicts_with = "at"
    )]
    features: Option<Features>,
}

/// Reads a location; the empty name is timm's for `stage4`.
fn locations() -> impl TypedValueParser<Value = Features> {
    let names = Features::ALL.map(|location| PossibleValue::new(location.name()));
    let names = names.into_iter().chain([PossibleValue::new("").hide(true)]);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Features>())
}

/// A selected node, and the name of its value in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) name: String,
    pub(crate) node: NodeId,
}

impl NodeArgs {
    /// Returns whether any node is selected.
    pub(crate) fn are_named(&self) -> bool {
        !self.at.is_empty() || self.features.is_some()
    }

    /// Returns the selected nodes, each once; an empty list stands for the logits.
    ///
    /// # Errors
    /// If the network has no node with one of the names.
    pub(crate) fn taps(&self, spec: &HrnetSpec, graph: &Graph) -> Result<Vec<Tap>, Failure> {
        let mut taps: Vec<Tap> = Vec::new();
        for name in &self.at {
            let node = find(graph, name)?;
            if taps.iter().all(|tap| tap.node != node) {
                let name = name.clone();
                taps.push(Tap { name, node });
            }
        }
        for feature in self.features.iter().flat_map(|location| spec.features(*location)) {
            taps.push(Tap {
                name: format!("stride_{}", feature.stride),
                node: find(graph, &feature.node.to_string())?,
            });
        }
        Ok(taps)
    }
}

fn find(graph: &Graph, name: &str) -> Result<NodeId, Failure> {
    graph.find(name).ok_or_else(|| {
        let failure = Failure::new(Exit::NotFound, format!("the network has no node `{name}`"));
        failure.help(advice(graph, name))
    })
}

/// Returns a suggestion for an unknown name: the result of the module with that name, or the node with the nearest name.
fn advice(graph: &Graph, name: &str) -> String {
    let module = format!("{}.", name.trim_end_matches('.'));
    let within: Vec<_> = graph
        .nodes()
        .iter()
        .filter(|node| node.name().starts_with(&module))
        .collect();
    let result = within.iter().rfind(|node| node.op == Op::Relu).or(within.last());
    if let Some(result) = result {
        return format!(
            "did you mean `{}`, the last of the {} that begin with `{module}`? `zoo show NAME --layers` lists all",
            result.place,
            harness::counted(within.len(), "node")
        );
    }
    let names: Vec<String> = graph.nodes().iter().map(Node::name).collect();
    match registry::nearest(name, names.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`zoo show NAME --layers` lists the nodes".into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use hrnet::Shape;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        nodes: NodeArgs,
    }

    fn taps(arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let arguments = Arguments::try_parse_from([&["zoo"], arguments].concat()).expect("arguments");
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let graph = spec.graph(Shape::square(1, 32)).expect("a network");
        let taps = arguments.nodes.taps(&spec, &graph)?;
        Ok(taps
            .into_iter()
            .map(|tap| format!("{}={}", tap.name, graph.node(tap.node).place))
            .collect())
    }

    #[test]
    fn nodes_are_named_one_by_one_in_lists_or_as_a_pyramid() {
        assert_eq!(taps(&[]).expect("none"), Vec::<String>::new());
        let named = taps(&["--at", "bn2,conv1", "--at", "bn2"]).expect("nodes");
        assert_eq!(named, ["bn2=bn2", "conv1=conv1"], "each once, as they were named");
        let pyramid = taps(&["--features"]).expect("nodes");
        assert_eq!(pyramid, taps(&["--features=incre"]).expect("nodes"));
        assert_eq!((pyramid.len(), pyramid[0].as_str()), (5, "stride_2=bn1.relu"));
        assert_eq!(pyramid[4], "stride_32=incre_modules.3.0.relu");
        let stage4 = taps(&["--features="]).expect("nodes");
        assert_eq!(stage4, taps(&["--features=stage4"]).expect("nodes"));
        assert_eq!(stage4[1], "stride_4=stage4.2.fuse_layers.0.relu");
        assert!(Arguments::try_parse_from(["zoo", "--features", "--at", "bn1"]).is_err());
    }

    #[test]
    fn a_module_is_advised_by_its_result_and_a_slip_by_the_nearest_name() {
        let advice = |name: &str| taps(&["--at", name]).expect_err("no node").help.expect("advice");
        for name in ["incre_modules.0", "incre_modules.0."] {
            let advice = advice(name);
            assert!(
                advice.starts_with("did you mean `incre_modules.0.0.relu`"),
                "{advice}"
            );
        }
        assert!(advice("stage4.2.fuse_layers.3.rel").contains("`stage4.2.fuse_layers.3.relu`"));
        assert!(advice("!").contains("--layers"));
    }
}
