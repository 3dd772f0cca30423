//! `cargo bench --bench network`: one pass of a network over a batch in memory.

fn main() {
    zoo::bench::network();
}
