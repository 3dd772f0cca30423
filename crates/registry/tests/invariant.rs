//! Whatever a server does: a published path holds exactly the bytes its name says, and those are one version of the
//! file, whole.

mod common;

use std::time::Duration;

use common::{Bench, body, known, serve};
use faultd::{Fault, Wait};
use proptest::prelude::*;
use registry::Digest;

fn fault(size: u64) -> impl Strategy<Value = Fault> {
    let place = 0..size + 2;
    prop_oneof![
        6 => Just(Fault::Good),
        1 => Just(Fault::Close),
        1 => prop::sample::select(vec![403, 404, 429, 500, 503]).prop_map(|code| Fault::Status { code, wait: None }),
        1 => Just(Fault::Status { code: 503, wait: Some(Wait::Seconds(0)) }),
        4 => place.clone().prop_map(Fault::Truncate),
        3 => place.clone().prop_map(Fault::Reset),
        1 => place.clone().prop_map(Fault::Stall),
        2 => (1_u64..300).prop_map(Fault::Extra),
        2 => place.prop_map(Fault::Flip),
        2 => Just(Fault::IgnoreRange),
        2 => Just(Fault::WrongContentRange),
        2 => Just(Fault::NewVersion),
        1 => Just(Fault::RedirectLoop),
        2 => Just(Fault::NoLength),
        2 => Just(Fault::NoEtag),
        1 => Just(Fault::Gzip),
        1 => Just(Fault::Drip(100)),
        1 => any::<bool>().prop_map(Fault::Html),
        2 => Just(Fault::IgnoreIfRange),
        2 => Just(Fault::WholeIfRange),
        2 => Just(Fault::NodeEtag),
        2 => Just(Fault::OtherVersion),
        1 => Just(Fault::LastModified),
        1 => Just(Fault::Etag("W/\"v0\"".into())),
        1 => prop::option::of(size + 1..size + 9).prop_map(Fault::WrongTotal),
        1 => Just(Fault::Multipart),
        1 => Just(Fault::PartUnasked),
        1 => prop::sample::select(vec![400, 403, 416, 500, 501]).prop_map(Fault::RefuseRange),
        1 => Just(Fault::Chunked),
        1 => Just(Fault::Endless),
        1 => Just(Fault::CalledHtml),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manifest {
    Nothing,
    Size,
    Digest,
}

fn case() -> impl Strategy<Value = (usize, Vec<Fault>, Manifest, usize, u64)> {
    (1_usize..60_000).prop_flat_map(|size| {
        (
            Just(size),
            prop::collection::vec(fault(size as u64), 0..10),
            prop::sample::select(vec![Manifest::Nothing, Manifest::Size, Manifest::Digest]),
            1_usize..5,
            prop::sample::select(vec![1000_u64, 4096, 16_384, 1 << 20]),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_published_path_holds_exactly_the_pinned_bytes((size, script, manifest, connections, segment) in case()) {
        let body = body(size);
        let of_versions = [Fault::NewVersion, Fault::OtherVersion];
        let versions = script.iter().filter(|fault| of_versions.contains(fault)).count();
        let ends_changing = script.last() == Some(&Fault::NewVersion);
        let server = serve(&body, &script);
        let known = match manifest {
            Manifest::Nothing => String::new(),
            Manifest::Size => format!("bytes = {size}"),
            Manifest::Digest => known(&body),
        };
        let mut bench = Bench::of(&server, &known);
        bench.fetcher.connections = connections;
        bench.fetcher.limits.idle = Duration::from_millis(100);
        bench.fetcher.limits.min_speed = 2000;
        bench.fetcher.limits.speed_window = Duration::from_millis(80);
        bench.fetcher.sizes.segment = segment;
        bench.artifact.most_bytes = 1 << 20;
        // Several runs: what one leaves, the next goes on with.
        for run in 0..4 {
            let result = bench.fetch();
            let published = bench.published();
            prop_assert_eq!(result.is_ok(), published.len() == 1, "run {}: {:?}", run, result);
            let pin = bench.lock().pin(&bench.artifact.url);
            if let Ok(fetched) = &result {
                prop_assert_eq!(pin, Some(fetched.file.pin));
            }
            if let Some(pin) = pin {
                // A script that ends in a new version makes one with every request.
                let most = if ends_changing { 255 } else { u8::try_from(versions).expect("few") };
                let whole = (0..=most).any(|version| {
                    let bytes: Vec<u8> = body.iter().map(|byte| byte ^ version).collect();
                    Digest::of(&bytes) == pin.sha256
                });
                // A wrong byte is no fault that shows where nobody knows the digest.
                let flipped = script.iter().any(|fault| matches!(fault, Fault::Flip(_)));
                prop_assert!(whole || flipped && manifest != Manifest::Digest, "pinned a mixture");
                prop_assert_eq!(pin.bytes, size as u64);
                break;
            }
        }
    }
}
