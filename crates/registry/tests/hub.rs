//! Files of Hugging Face: what the publisher's server states decides the first download, and its refusals say what to do.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{Bench, Diary, body, declared, known, serve};
use faultd::{Fault, Server, Wait};
use registry::{Digest, FetchError, Known, PinnedBy, Token, Tokens, Voucher, Zoo};

const SIZE: usize = 200_000;
const PLACE: &str = r#"hf = { repository = "timm/net.in1k", revision = "main", file = "model.safetensors" }"#;
const URL: &str = "https://huggingface.co/timm/net.in1k/resolve/main/model.safetensors";

/// A bench whose file is on Hugging Face, for which this server stands.
fn bench(hub: &Server, known: &str) -> Bench {
    let mut bench = Bench::new(URL, "");
    bench.artifact = declared(PLACE, known);
    bench.fetcher.hub = hub.url("").parse().expect("a server");
    bench
}

/// The redirect to a file, with what is stated of it.
fn linked(to: &str, etag: &str, size: usize) -> Fault {
    Fault::Linked {
        to: to.into(),
        etag: Some(etag.into()),
        size: Some(size.to_string()),
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("\"{}\"", Digest::of(bytes))
}

#[test]
fn the_first_download_is_compared_with_what_the_publisher_states() {
    let cdn = serve(&body(SIZE), &[]);
    let hub = serve(
        &body(1),
        &[linked(&cdn.url("blob?signature=s"), &sha256(&body(SIZE)), SIZE)],
    );
    let bench = bench(&hub, "");
    let fetched = bench.fetch().expect("fetched");
    assert!(fetched.newly_pinned);
    assert_eq!(fetched.file.voucher, Voucher::Publisher);
    assert_eq!(bench.artifact.url, URL, "whichever server is asked");
    assert_eq!(bench.artifact.file_name, "net.in1k-model.safetensors");
    assert_eq!(bench.lock().pinned_by(URL), Some(PinnedBy::Publisher));
    let path = "GET /timm/net.in1k/resolve/main/model.safetensors HTTP/1.1";
    assert!(
        hub.requests().iter().all(|head| head.starts_with(path)),
        "{:?}",
        hub.requests()
    );
    // The digest is known before the download, so its parts need no common version.
    assert_eq!((hub.requests().len(), cdn.requests().len()), (5, 4));
    let text = std::fs::read_to_string(bench.path("zoo.lock")).expect("a lock");
    assert!(text.contains("stated_by = \"publisher\""), "{text}");

    let again = bench.fetch().expect("there");
    assert_eq!((again.source, again.newly_pinned), (None, false));
    assert_eq!(hub.requests().len(), 5, "nobody is asked again");
}

#[test]
fn other_bytes_than_the_publisher_states_are_refused() {
    let cdn = serve(&body(SIZE), &[]);
    let wrong = linked(&cdn.url("blob"), &sha256(&body(7)), SIZE);
    let error = bench(&serve(&body(1), &[wrong]), "")
        .fetch()
        .expect_err("wrong bytes");
    let (stated, found) = (Digest::of(&body(7)), Digest::of(&body(SIZE)));
    let text = error.to_string();
    assert!(
        text.contains(&format!(
            "the publisher says sha256 {stated}, found sha256 {found}"
        )),
        "{text}"
    );
    let wrong = linked(&cdn.url("blob"), &sha256(&body(SIZE)), 7);
    let asked = cdn.requests().len();
    let text = bench(&serve(&body(1), &[wrong]), "")
        .fetch()
        .expect_err("wrong size")
        .to_string();
    assert!(
        text.contains("the publisher says 7 bytes, found 200000 bytes"),
        "{text}"
    );
    assert_eq!(cdn.requests().len(), asked + 1, "the announced size is enough");
}

#[test]
fn a_digest_of_the_manifest_or_the_lock_wins_and_a_contradiction_names_both() {
    let cdn = serve(&body(SIZE), &[]);
    let good = linked(&cdn.url("blob"), &sha256(&body(SIZE)), SIZE);
    let fetched = bench(&serve(&body(1), std::slice::from_ref(&good)), &known(&body(SIZE))).fetch();
    assert_eq!(fetched.expect("they agree").file.voucher, Voucher::Manifest);

    let (theirs, ours) = (Digest::of(&body(SIZE)), Digest::of(&body(7)));
    let before = cdn.requests().len();
    let hub = serve(&body(1), std::slice::from_ref(&good));
    let error = bench(&hub, &format!("sha256 = \"{ours}\""))
        .fetch()
        .expect_err("contradiction");
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("zoo.toml says sha256 {ours}, found sha256 {theirs}"))
            && text.contains("the publisher's digest of"),
        "{text}"
    );

    let server = serve(&body(1), &[good]);
    let pinned = bench(&server, "");
    let pin = common::pin(&body(7));
    pinned
        .lock()
        .add(URL, pin, PinnedBy::FirstDownload)
        .expect("pinned");
    let text = pinned.fetch().expect_err("contradiction").to_string();
    assert!(
        text.contains("the publisher's digest of") && text.contains("zoo.lock says"),
        "{text}"
    );
    assert_eq!(
        (cdn.requests().len(), hub.requests().len()),
        (before, 1),
        "nothing is downloaded"
    );
}

#[test]
fn without_a_sha256_the_first_download_is_trusted() {
    let cdn = serve(&body(SIZE), &[]);
    let sha1 = linked(&cdn.url("blob"), &format!("\"{}\"", "8f".repeat(20)), SIZE);
    let none = Fault::Linked {
        to: cdn.url("blob"),
        etag: None,
        size: None,
    };
    // A small file is in the repository and comes without a redirect.
    for script in [sha1, none, Fault::Good] {
        let hub = serve(&body(SIZE), std::slice::from_ref(&script));
        let bench = bench(&hub, "");
        let fetched = bench.fetch().expect("fetched");
        assert_eq!(fetched.file.voucher, Voucher::FirstDownload, "{script:?}");
        assert_eq!(bench.lock().pinned_by(URL), Some(PinnedBy::FirstDownload));
    }
    // The digest without the size is enough.
    let only = Fault::Linked {
        to: cdn.url("blob"),
        etag: Some(sha256(&body(SIZE))),
        size: None,
    };
    let fetched = bench(&serve(&body(1), &[only]), "").fetch().expect("fetched");
    assert_eq!(fetched.file.voucher, Voucher::Publisher);
}

#[test]
fn a_mirror_that_is_asked_after_the_publisher_is_compared_with_its_statement() {
    let gone = Fault::Status {
        code: 404,
        wait: None,
    };
    let cdn = serve(&body(1), &[gone]);
    let hub = || serve(&body(1), &[linked(&cdn.url("blob"), &sha256(&body(SIZE)), SIZE)]);
    let with = |mirror: &Server| {
        let hub = hub();
        let known = format!("mirrors = [\"{}\"]", mirror.url("w.safetensors"));
        bench(&hub, &known).fetch()
    };
    let fetched = with(&serve(&body(SIZE), &[])).expect("the mirror has it");
    assert_eq!(fetched.file.voucher, Voucher::Publisher);
    let text = with(&serve(&body(SIZE), &[Fault::Flip(7)]))
        .expect_err("wrong bytes")
        .to_string();
    assert!(
        text.contains(&format!("the publisher says sha256 {}", Digest::of(&body(SIZE)))),
        "{text}"
    );
}

#[test]
fn redirects_of_the_same_server_are_followed_to_the_statement() {
    const SMALL: usize = 50_000;
    let cdn = serve(&body(SMALL), &[]);
    let moved = Fault::Redirect("/timm/renamed.in1k/resolve/main/model.safetensors".into());
    let good = linked(&cdn.url("blob"), &sha256(&body(SMALL)), SMALL);
    let hub = serve(&body(1), &[moved.clone(), good.clone(), moved, good]);
    let fetched = bench(&hub, "").fetch().expect("fetched");
    assert_eq!(fetched.file.voucher, Voucher::Publisher);
    assert!(
        hub.requests()[1].starts_with("GET /timm/renamed.in1k/"),
        "{:?}",
        hub.requests()
    );
    // The statement may come with a redirect within the server, too.
    let here = linked("/blob", &sha256(&body(SMALL)), SMALL);
    let hub = serve(&body(SMALL), &[here.clone(), here, Fault::Good]);
    let fetched = bench(&hub, "").fetch().expect("fetched");
    assert_eq!(fetched.file.voucher, Voucher::Publisher);

    let text = bench(&serve(&body(1), &[Fault::RedirectLoop]), "").fetch();
    let text = text.expect_err("a loop").to_string();
    assert!(text.contains("too many redirects"), "{text}");
}

#[test]
fn refusals_say_what_to_do() {
    let code = |code, name: &str| Fault::ErrorCode {
        code,
        name: name.into(),
    };
    let status = |code, wait| Fault::Status { code, wait };
    for (fault, why, what, requests) in [
        (code(401, "GatedRepo"), "timm/net.in1k is gated", "HF_TOKEN", 1),
        (
            code(403, "GatedRepo"),
            "timm/net.in1k is gated",
            "https://huggingface.co/timm/net.in1k",
            1,
        ),
        (
            status(401, None),
            "does not exist or is private",
            "`repository`",
            1,
        ),
        (
            code(404, "RepoNotFound"),
            "does not exist or is private",
            "`repository`",
            1,
        ),
        (
            code(404, "RevisionNotFound"),
            "has no revision `main`",
            "`revision`",
            1,
        ),
        (
            code(404, "EntryNotFound"),
            "has no file `model.safetensors` in revision `main`",
            "`file`",
            1,
        ),
        (status(404, None), "has no file", "`file`", 1),
        (status(429, None), "429 Too Many Requests", "HF_TOKEN", 3),
        (
            status(429, Some(Wait::Seconds(3600))),
            "asks to wait 3600 s",
            "--max-wait",
            1,
        ),
    ] {
        let hub = serve(&body(1), std::slice::from_ref(&fault));
        let bench = bench(&hub, "");
        let error = bench.fetch().expect_err("refused");
        let status = match &fault {
            Fault::ErrorCode { code, .. } | Fault::Status { code, .. } => code.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(
            error.to_string().contains(&format!(" {status} ")),
            "{status}: {error}"
        );
        let FetchError::Refused { reason, advice, .. } = &error else {
            panic!("{fault:?}: {error}")
        };
        assert!(
            reason.contains(why) && advice.contains(what),
            "{fault:?}: {reason}: {advice}"
        );
        assert_eq!(hub.requests().len(), requests, "{fault:?}");
        assert!(bench.lock().pin(URL).is_none() && bench.published().is_empty());
    }
    // A limit that passes, and a server that fails for a while.
    let cdn = serve(&body(SIZE), &[]);
    let good = linked(&cdn.url("blob"), &sha256(&body(SIZE)), SIZE);
    let server = serve(
        &body(1),
        &[status(429, Some(Wait::Seconds(0))), status(503, None), good],
    );
    let mut patient = bench(&server, "");
    let diary = Diary::default();
    patient.fetcher.connections = 1;
    let (fetcher, artifact) = (&patient.fetcher, &patient.artifact);
    fetcher
        .fetch(artifact, &mut patient.lock(), &diary)
        .expect("in the end");
    assert_eq!(diary.text().matches("retrying").count(), 2, "{}", diary.text());
}

#[test]
fn the_token_is_told_to_the_hub_and_not_to_where_it_redirects() {
    let cdn = serve(&body(SIZE), &[]);
    // By another name of this machine, as another host.
    let elsewhere = cdn.url("blob").replace("127.0.0.1", "localhost");
    let hub = serve(&body(1), &[linked(&elsewhere, &sha256(&body(SIZE)), SIZE)]);
    let mut bench = bench(&hub, "");
    bench.fetcher.tokens = Tokens(vec![Token {
        host: "127.0.0.1".into(),
        secret: "hf_secret".into(),
    }]);
    bench.fetch().expect("fetched");
    let told = |server: &Server| {
        server
            .requests()
            .iter()
            .filter(|head| head.contains("hf_secret"))
            .count()
    };
    assert_eq!((told(&hub), told(&cdn)), (hub.requests().len(), 0));
}

#[test]
fn a_source_names_repository_revision_and_file() {
    let zoo = Zoo::builtin();
    let (mut names, mut stated) = (BTreeSet::new(), 0);
    let artifacts = zoo.classifiers().flat_map(|variant| &variant.artifacts);
    for artifact in artifacts.filter(|artifact| artifact.hub.is_some()) {
        let hub = artifact.hub.as_ref().expect("filtered");
        let is_commit = hub.revision.len() == 40 && hub.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(
            is_commit || hub.revision == "main",
            "a short commit is none there: {}",
            hub.revision
        );
        names.insert(hub.repository.as_str());
        stated += usize::from(artifact.known != Known::Nothing);
    }
    assert_eq!(
        (names.len(), stated),
        (14, 5),
        "timm's repositories, and the digests that are known"
    );
    assert!(
        names.iter().all(|name| name.starts_with("timm/hrnet_w")),
        "{names:?}"
    );
}

#[test]
fn what_is_no_part_of_a_url_is_refused() {
    let refused = |hf: &str| {
        let text = format!(
            "schema = 1\nextends = \"builtin\"\n[[variant]]\nname = \"V\"\nbase = \"HRNet_W18_C\"\nlicence = \"MIT\"\n\
             [[variant.weights]]\nid = \"w\"\n{hf}\n"
        );
        let error = Zoo::parse(&text, Path::new("zoo.toml")).expect_err(hf);
        error.to_string()
    };
    let of = |repository: &str, revision: &str, file: &str| {
        let fields = format!("repository = \"{repository}\", revision = \"{revision}\", file = \"{file}\"");
        refused(&format!("hf = {{ {fields} }}"))
    };
    for repository in [
        "net",
        "a/b/c",
        "../b",
        "a/..",
        "a/b?c",
        "https://huggingface.co/a/b",
        "",
    ] {
        let told = of(repository, "main", "w.safetensors");
        assert!(told.starts_with("zoo.toml:9:"), "{repository}: {told}");
    }
    for (revision, file) in [
        ("refs/pr/1", "w.pth"),
        ("..", "w.pth"),
        ("main", "../w.pth"),
        ("main", "a//w.pth"),
    ] {
        let told = of("a/b", revision, file);
        assert!(
            told.contains("it becomes a file name") || told.contains("1 to 200"),
            "{told}"
        );
    }
    assert!(
        of("a/b", "main", "weights").contains("`format`"),
        "the ending says nothing"
    );
    let told = refused("hf = { repository = \"a/b\", file = \"w.pth\" }");
    assert!(told.contains("missing field `revision`"), "{told}");
    let both = "url = \"https://a.example/w.pth\"\nhf = { repository = \"a/b\", revision = \"main\", file = \"w.pth\" }";
    assert!(refused(both).contains("`hf` says where the file is"));
}
