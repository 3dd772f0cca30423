//! Mirrors and proxies, and the secrets in their addresses.

use std::fs;

use faultd::{Content, Fault, Server};

use crate::{Place, body, text};

#[test]
fn a_mirror_serves_offline_machines_and_survives_a_bad_server() {
    let place = Place::new(&[]);
    place.zoo(&["mirror", "stick"], 7);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["mirror", "stick"], 0).contains("copied"));
    assert!(place.zoo(&["mirror", "stick", "Net_0"], 0).contains("there"));
    fs::remove_dir_all(place.path("cache")).expect("removed");
    fs::remove_file(place.path("zoo.lock")).expect("removed");
    place.zoo(&["fetch", "all", "--offline"], 7);
    let told = place.zoo(&["fetch", "all", "--offline", "--mirror", "stick"], 0);
    assert!(told.contains("downloaded from stick/sha256/"), "{told}");

    fs::remove_dir_all(place.path("cache")).expect("removed");
    let script = [
        Fault::Status {
            code: 503,
            wait: None,
        },
        Fault::Truncate(1000),
        Fault::Reset(500_000),
        Fault::Good,
    ];
    let bad = Server::start(
        "127.0.0.1:0",
        Content::Folder(place.path("stick")),
        script.to_vec(),
    )
    .expect("a port");
    let told = place.zoo(&["fetch", "all", "-v", "--mirror", &bad.url("")], 0);
    assert!(told.contains("503") && !told.contains("hf_never_shown"), "{told}");
    assert_eq!(fs::read(place.published(0)).expect("there"), body(0));
}

#[test]
fn secrets_of_mirrors_are_not_repeated() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    let address = place.server.address();
    let good = format!("http://user:sesame@{address}/?token=sesame");
    let bad = "xx://user:sesame@host/?token=sesame";
    let unread = "https://user:ses/sesame@host/";
    let no_scheme = "user:sesame@host/w";
    fs::remove_dir_all(place.path("cache")).expect("removed");
    let runs: &[(&[&str], i32)] = &[
        (&["fetch", "--help"], 0),
        (&["verify", "--help"], 0),
        (&["pin", "--help"], 0),
        (&["nightly", "--help"], 0),
        (&["fetch", "all", "-v"], 0),
        (&["fetch", "all", "--dry-run", "--json"], 0),
        (&["verify", "--repair"], 0),
        (&["mirror", &good], 5),
        (&["mirror", bad], 2),
        (&["fetch", "all", "--mirror", bad], 2),
        (&["fetch", "all", "--mirror", unread], 2),
        (&["fetch", "all", "--mirror", no_scheme], 2),
        (&["fetch", &good], 4),
        (&["eval", "-m", "Net_0", "--data", bad], 2),
        (&["eval", "-m", "Net_0", "--data", "s3://user:sesame@bucket/x"], 2),
    ];
    for (arguments, code) in runs {
        let output = place
            .command(arguments)
            .env("ZOO_MIRROR", &good)
            .env("ZOO_DATA", bad)
            .output()
            .expect("the program starts");
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(!told.contains("sesame"), "{arguments:?}: {told}");
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {told}");
    }
    // A variable that makes no sense is told of without its value.
    for variable in [bad, unread, no_scheme] {
        let output = place
            .command(&["fetch", "all"])
            .env("ZOO_MIRROR", variable)
            .output();
        let output = output.expect("the program starts");
        let told = text(&output.stderr);
        assert!(
            output.status.code() == Some(2) && !told.contains("sesame"),
            "{told}"
        );
        assert!(told.contains("is not a mirror"), "{told}");
    }
    for file in ["zoo.lock", "zoo.blocks"] {
        let text = fs::read_to_string(place.path(file)).expect("written");
        assert!(!text.contains("sesame"), "{file}");
    }
}

#[test]
fn proxies_are_used_unless_told_not_to_and_their_password_is_not_shown() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    place.zoo(&["mirror", "stick"], 0);
    fs::remove_dir_all(place.path("cache")).expect("removed");
    let gone = Server::start("127.0.0.1:0", Content::Folder(place.path("none")), Vec::new()).expect("a port");
    let pins = fs::read_to_string(place.path("zoo.lock")).expect("pins");
    fs::write(
        place.path("zoo.lock"),
        pins.replace(&place.server.url(""), &gone.url("")),
    )
    .expect("written");
    place.manifest(&gone);
    // A server that is sent whole URLs hands out files as a proxy would.
    let proxy =
        Server::start("127.0.0.1:0", Content::Folder(place.path("stick")), Vec::new()).expect("a port");
    let address = format!("http://user:sesame@{}", proxy.address());
    let fetch = [
        "fetch",
        "all",
        "-v",
        "--retries",
        "1",
        "--mirror",
        "http://mirror.invalid/",
    ];
    let through = place
        .command(&fetch)
        .env("HTTP_PROXY", &address)
        .env("http_proxy", &address)
        .output();
    let through = through.expect("the program starts");
    let told = text(&through.stdout) + &text(&through.stderr);
    assert_eq!(through.status.code(), Some(0), "{told}");
    assert!(!told.contains("sesame"), "{told}");
    let seen = proxy.requests().concat();
    assert!(
        seen.contains("GET http://mirror.invalid/sha256/") && seen.contains("proxy-authorization: Basic"),
        "{seen}"
    );

    fs::remove_dir_all(place.path("cache")).expect("removed");
    let before = proxy.requests().len();
    let mut around = place.command(&fetch);
    around
        .env("HTTP_PROXY", &address)
        .env("http_proxy", &address)
        .env("NO_PROXY", "mirror.invalid");
    let around = around.output().expect("the program starts");
    assert_eq!(
        (around.status.code(), proxy.requests().len()),
        (Some(5), before),
        "{}",
        text(&around.stderr)
    );
    assert!(!text(&around.stderr).contains("sesame"));
}
