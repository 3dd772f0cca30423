//! Downloads: events, choices, several at once, servers that are not there.

use std::fs;
use std::sync::Arc;

use faultd::Fault;
use serde_json::Value;

use crate::common::{SMALL, variant};
use crate::{Place, SIZE};

#[test]
fn fetching_tells_programs_of_every_event() {
    let place = Place::new(&[]);
    let plan = place.json(&["fetch", "all", "--dry-run", "--json"], 0);
    assert_eq!(
        (plan.len(), &plan[1]["action"], &plan[1]["bytes"]),
        (2, &"download".into(), &Value::Null)
    );
    assert_eq!(place.server.requests().len(), 0);
    assert!(!place.path("cache").exists(), "nothing was done");

    let events = place.json(&["fetch", "Net_*", "--json"], 0);
    let of = |name: &str| {
        events
            .iter()
            .filter(|event| event["event"] == name)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("asking").len(), 2);
    let done = of("done");
    assert_eq!(done.len(), 2);
    assert!(
        done.iter()
            .all(|done| done["newly_pinned"] == true && done["bytes"] == SIZE)
    );
    let last = of("progress").pop().expect("progress").clone();
    assert_eq!(
        (&last["all_bytes"], &last["all_total_bytes"]),
        (&(2 * SIZE).into(), &(2 * SIZE).into())
    );
    let requests = place.server.requests().len();
    let again = place.json(&["fetch", "all", "--json"], 0);
    assert!(
        again
            .iter()
            .all(|event| event["event"] == "done" && event["downloaded"] == false),
        "{again:?}"
    );
    assert_eq!(
        place.json(&["fetch", "all", "--dry-run", "--json"], 0)[0]["action"],
        "keep"
    );
    assert_eq!(place.server.requests().len(), requests);
}

#[test]
fn files_are_chosen_by_name_pattern_and_tag() {
    let place = Place::new(&[]);
    let chosen = |arguments: &[&str]| -> Vec<String> {
        let plan = place.json(&[&["fetch", "--dry-run", "--json"], arguments].concat(), 0);
        plan.iter()
            .map(|line| line["variant"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(chosen(&["Net_1"]), ["Net_1"]);
    assert_eq!(chosen(&["*_0", "Net_1"]), ["Net_0", "Net_1"]);
    assert_eq!(chosen(&["--tag", "t1"]), ["Net_1"]);
    assert_eq!(chosen(&["all", "--tag", "t0", "--source", "timm"]), ["Net_0"]);
    assert!(place.zoo(&["fetch", "Net_2"], 4).contains("did you mean"));
    place.zoo(&["fetch", "X*"], 4);
    place.zoo(&["fetch", "all", "--source", "paddle"], 4);
    place.zoo(&["fetch", "[", "--dry-run"], 2);
    place.zoo(&["fetch"], 2);
}

#[test]
fn two_fetches_at_once_download_once() {
    let place = Arc::new(Place::new(&[]));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let place = Arc::clone(&place);
            std::thread::spawn(move || place.zoo(&["fetch", "all"], 0))
        })
        .collect();
    for thread in threads {
        thread.join().expect("fetched");
    }
    assert_eq!(place.server.requests().len(), 2, "each file was asked for once");
}

#[test]
fn a_server_that_is_not_there_is_told_of_once_and_missing_files_are_not_wrong() {
    let place = Place::new(&[]);
    let told = place.zoo(&["verify", "all"], 7);
    assert!(told.contains("error: 2 files are not downloaded"), "{told}");
    assert!(told.contains("`zoo fetch all` downloads"), "{told}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let variants: String = (0..5)
        .map(|seed| {
            let url = format!("http://{address}/{seed}.pth");
            variant(&format!("Net_{seed}"), 18, &[("timm", &url, "pth")])
        })
        .collect();
    fs::write(place.path("zoo.toml"), format!("{SMALL}{variants}")).expect("written");
    let told = place.zoo(&["fetch", "all"], 5);
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 2, "{told}");
    assert!(errors[0].starts_with(&format!("error: {address}: ")), "{told}");
    assert!(errors[0].ends_with(": 5 files"), "{told}");
    assert_eq!(errors[1], "error: 5 of 5 files could not be fetched");
    for next in ["--offline --mirror", "HTTPS_PROXY", "zoo links"] {
        assert!(told.contains(next), "{next}: {told}");
    }
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_server_without_end_does_not_fill_the_disk() {
    let place = Place::new(&[Fault::Endless]);
    let told = place.zoo(&["fetch", "Net_0"], 5);
    assert!(told.contains("state its `bytes` in zoo.toml"), "{told}");
    let files = |name: &str| fs::read_dir(place.path(name)).map_or(0, Iterator::count);
    assert_eq!((files("cache/sha256"), files("cache/partial")), (0, 0));
}
