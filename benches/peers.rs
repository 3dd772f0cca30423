//! `cargo bench --bench peers`: our engine and other people's in turns, on the same weights, images and threads.
//!
//! `zoo peers install` brings the others, in a Python environment of its own; without them `cpu` races `candle`.
//! Every engine's logits are compared with the reference before it is timed. `zoo peers race` runs any other selection
//! and keeps the samples.

fn main() {
    zoo::bench::peers();
}
