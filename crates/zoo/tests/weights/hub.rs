//! Whose word the digest of a file on Hugging Face is, in every command.

use std::fs;
use std::process::Output;

use faultd::{Content, Fault, Server};
use registry::Digest;

use crate::{Place, body, text};

#[test]
fn every_command_says_whose_word_a_digest_is() {
    let place = Place::new(&[]);
    let linked = |bytes: &[u8]| Fault::Linked {
        to: place.server.url("0.pth"),
        etag: Some(format!("\"{}\"", Digest::of(bytes))),
        size: Some(bytes.len().to_string()),
    };
    let hub = |fault: Fault| {
        let content = Content::Folder(place.path("www"));
        Server::start("127.0.0.1:0", content, vec![fault]).expect("a port")
    };
    let text = fs::read_to_string(place.path("zoo.toml")).expect("there");
    let url = format!("url = \"{}\"", place.server.url("0.pth"));
    let file = "hf = { repository = \"timm/net_0\", revision = \"main\", file = \"0.pth\" }";
    assert!(text.contains(&url), "{text}");
    fs::write(place.path("zoo.toml"), text.replace(&url, file)).expect("written");

    let gated = hub(Fault::ErrorCode {
        code: 401,
        name: "GatedRepo".into(),
    });
    let told = place.zoo(&["fetch", "Net_0", "--hub", &gated.url("")], 5);
    for part in [
        "timm/net_0 is gated",
        "HF_TOKEN",
        "https://huggingface.co/timm/net_0",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("hf_never_shown") && !gated.requests().concat().contains("hf_never_shown"));
    let other = hub(linked(b"other bytes"));
    let told = place.zoo(&["fetch", "Net_0", "--hub", &other.url("")], 6);
    assert!(
        told.contains("the publisher says 11 bytes, found 9000000 bytes announced"),
        "{told}"
    );
    assert!(
        place
            .zoo(&["show", "Net_0"], 0)
            .contains("sha256 stated by the publisher at the download")
    );

    let good = hub(linked(&body(0)));
    let address = good.url("");
    let fetch = place
        .command(&["fetch", "all"])
        .env("HF_ENDPOINT", &address)
        .output();
    let told = text_of(&fetch.expect("the program starts"));
    assert!(
        told.contains("verified by the publisher's checksum and now pinned"),
        "{told}"
    );
    assert!(
        told.contains("trusted and now pinned"),
        "the other source states nothing: {told}"
    );
    let digest = Digest::of(&body(0));
    let told = place.zoo(&["verify"], 0);
    assert!(
        told.contains(&format!("Net_0 timm: sha256 {digest}, stated by the publisher\n")),
        "{told}"
    );
    assert!(
        place
            .zoo(&["show", "Net_0"], 0)
            .contains(&format!("sha256 {digest} stated by the publisher"))
    );
    assert!(
        place
            .zoo(&["show", "Net_1"], 0)
            .contains(" of the first download")
    );
    let list = &place.json(&["list", "--json"], 0)[0];
    let vouched = |index: usize| list[index]["weights"][0]["vouched_by"].clone();
    assert_eq!(
        (vouched(0), vouched(1)),
        ("publisher".into(), "first-download".into())
    );
    let links = place.zoo(&["links", "--hub", &address], 0);
    assert!(
        links.contains("huggingface.co/timm/net_0/resolve/main/0.pth"),
        "{links}"
    );
    place.zoo(&["links", "--hub", "http://hub.example"], 2);
    let unset = place
        .command(&["fetch", "all", "--offline"])
        .env("HF_ENDPOINT", "")
        .output();
    text_of(&unset.expect("the program starts"));
}

/// The output of a run that succeeded.
fn text_of(output: &Output) -> String {
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{all}");
    all
}
