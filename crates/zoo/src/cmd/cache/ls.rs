use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use harness::counted;
use registry::{Held, Holding};
use serde::Serialize;

use super::clean::Keepers;
use crate::Failure;
use crate::context::Context;
use crate::output::{size, table};

/// List everything in the cache by kind, and the weights that its files hold
///
/// Sizes are file lengths; the column "on disk" is smaller for unfinished downloads.
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    path: PathBuf,
    total: Sum,
    kinds: BTreeMap<Holding, Sum>,
    weights: Vec<Row>,
}

/// A sum over the files of one kind, or of all kinds.
#[derive(Clone, Copy, Default, Serialize)]
struct Sum {
    files: usize,
    bytes: u64,
    disk_bytes: u64,
}

impl Sum {
    fn add(&mut self, held: &Held) {
        self.files += 1;
        self.bytes += held.bytes;
        self.disk_bytes += held.disk_bytes;
    }

    fn row(&self, what: &str) -> Vec<String> {
        vec![
            what.to_owned(),
            self.files.to_string(),
            size(self.bytes),
            size(self.disk_bytes),
        ]
    }
}

/// A weight file.
#[derive(Serialize)]
struct Row {
    sha256: String,
    bytes: u64,
    path: PathBuf,
    /// The variants and weight sources that have this content.
    weights: BTreeSet<String>,
    /// The manifests that name it.
    manifests: Vec<String>,
}

impl Ls {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let held = cx.cache().contents();
        let held = held.map_err(|error| Failure::file(cx.cache().root(), &error))?;
        let keepers = Keepers::find(cx)?;
        let (mut total, mut kinds) = (Sum::default(), BTreeMap::<Holding, Sum>::new());
        for file in &held {
            total.add(file);
            kinds.entry(file.kind).or_default().add(file);
        }
        let listing = Listing {
            path: cx.cache().root().to_owned(),
            total,
            kinds,
            weights: held.iter().filter_map(|file| row(file, &keepers)).collect(),
        };
        match self.json {
            true => cx.out.json(&listing),
            false => tell(cx, &listing),
        }
    }
}

fn row(file: &Held, keepers: &Keepers) -> Option<Row> {
    let digest = file.digest().filter(|_| file.kind == Holding::Weights)?;
    Some(Row {
        sha256: digest.to_string(),
        bytes: file.bytes,
        path: file.path.clone(),
        weights: keepers.names(digest),
        manifests: keepers.manifests(digest),
    })
}

fn tell(cx: &Context, listing: &Listing) -> Result<(), Failure> {
    let kinds = Holding::ALL.into_iter().filter_map(|kind| {
        let sum = listing.kinds.get(&kind)?;
        Some(sum.row(kind.words()))
    });
    let rows = kinds.chain([listing.total.row("total")]);
    cx.out
        .data(&table(&["kind", ">files", ">size", ">on disk"], rows))?;
    if !listing.weights.is_empty() {
        let rows = listing.weights.iter().map(|row| {
            let weights: Vec<&str> = row.weights.iter().map(String::as_str).collect();
            let manifests = match row.manifests.as_slice() {
                [] => "none: `zoo cache prune` removes it".into(),
                manifests => manifests.join(", "),
            };
            vec![row.sha256.clone(), size(row.bytes), weights.join(", "), manifests]
        });
        let titles = ["sha256", ">size", "weights of", "named by"];
        cx.out.data(&format!("\n{}", table(&titles, rows)))?;
    }
    let files = counted(listing.total.files, "file");
    cx.out.note(&format!(
        "{files}, {} in {}",
        size(listing.total.bytes),
        listing.path.display()
    ));
    Ok(())
}
