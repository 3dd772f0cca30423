//! `cargo bench --bench pose`: a decoded photo and a box to keypoints, and the steps of it outside the network.

fn main() {
    zoo::bench::pose();
}
