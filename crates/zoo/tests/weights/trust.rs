//! Files that are damaged or were changed by their publisher.

use std::fs;

use registry::Digest;

use crate::{Place, SIZE, body};

#[test]
fn damage_is_found_and_only_its_blocks_are_fetched_again() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["verify"], 0).contains("verified"));
    let mut bytes = body(1);
    bytes[5_000_000] ^= 1;
    fs::write(place.published(1), &bytes).expect("written");
    let told = place.zoo(&["verify"], 9);
    assert!(told.contains("wrong") && told.contains("--repair"), "{told}");
    let before = place.server.requests().len();
    assert!(place.zoo(&["verify", "--repair"], 0).contains("repaired"));
    let requests = place.server.requests()[before..].concat();
    assert!(requests.contains("range: bytes=4194304-8388607"), "{requests}");
    assert_eq!(place.server.requests().len(), before + 1);
    assert_eq!(fs::read(place.published(1)).expect("there"), body(1));
    place.zoo(&["verify", "--deep"], 0);
}

#[test]
fn dead_and_changed_links_are_told_apart() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["links"], 0).contains("alive"));
    fs::write(place.path("www/0.pth"), b"short").expect("replaced");
    let told = place.zoo(&["links"], 6);
    assert!(told.contains("expected 9000000 bytes"), "{told}");
    fs::remove_file(place.path("www/0.pth")).expect("removed");
    let links = place.json(&["links", "--json"], 5);
    assert_eq!(
        (&links[0][0]["alive"], &links[0][1]["alive"]),
        (&false.into(), &true.into())
    );
}

#[test]
fn a_changed_file_is_pinned_only_when_that_is_accepted() {
    let place = Place::new(&[]);
    assert!(place.zoo(&["pin", "all"], 0).contains("new"));
    let text = fs::read_to_string(place.path("zoo.lock")).expect("a lock");
    let commented = text.replacen("[[artifact]]", "# Seen by hand.\n[[artifact]]", 1);
    fs::write(place.path("zoo.lock"), &commented).expect("written");
    let before = place.server.requests().len();
    assert!(place.zoo(&["pin", "all"], 0).contains("unchanged"));
    assert_eq!(place.server.requests().len(), before + 2, "asked, not downloaded");

    fs::write(place.path("www/0.pth"), &body(7)[..SIZE - 1]).expect("replaced");
    let told = place.zoo(&["pin", "all"], 6);
    assert!(
        told.contains("refused") && told.contains("someone else did"),
        "{told}"
    );
    assert_eq!(
        fs::read_to_string(place.path("zoo.lock")).expect("a lock"),
        commented
    );
    let told = place.zoo(&["pin", "all", "--accept-changed", "Net_0"], 0);
    assert!(
        told.contains("changed") && told.contains(&Digest::of(&body(0)).to_string()),
        "{told}"
    );
    let now = fs::read_to_string(place.path("zoo.lock")).expect("a lock");
    assert!(now.contains("# Seen by hand."), "{now}");
    assert!(
        now.contains(&Digest::of(&body(7)[..SIZE - 1]).to_string()),
        "{now}"
    );
    place.zoo(&["fetch", "all"], 0);
    place.zoo(&["verify", "--deep"], 0);
}
