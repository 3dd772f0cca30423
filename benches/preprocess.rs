//! `cargo bench --bench preprocess`: photos to batches.

fn main() {
    zoo::bench::preprocess();
}
