//! `zoo eval` on data, weights and answers in a bucket, against a server that speaks S3.

mod common;
mod world;

use std::fs;
use std::path::PathBuf;

use common::{Run, kill, start, until};
use faultd::Content;
use faultd::s3::Server;
use world::{MODEL, World, counts, tiny};

const IMAGES: usize = 60;
const RUN: [&str; 8] = [
    "eval",
    "tiny",
    "--data",
    "s3://zoo/shards",
    "--out",
    "s3://zoo/run",
    "--batch",
    "1",
];

/// A bucket `zoo` that is also a folder, with one data set in three forms.
struct Cloud {
    world: World,
    variables: Vec<(String, String)>,
}

impl Cloud {
    fn new() -> Self {
        let world = World::new(IMAGES);
        world.label();
        let root = world.place.path().join("buckets");
        for folder in ["zoo/folders", "zoo/shards"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        let server = Server::start(&root).expect("a server");
        let variables = server
            .settings()
            .map(|(name, value)| (name.to_uppercase(), value.to_owned()));
        let cloud = Self {
            world,
            variables: [&variables[..], &[("NO_PROXY".into(), "127.0.0.1".into())]].concat(),
        };
        cloud.pack();
        cloud
    }

    /// The content of the bucket, as a file or folder.
    fn bucket(&self, name: &str) -> PathBuf {
        self.world.place.path().join("buckets/zoo").join(name)
    }

    /// Puts the data set into the bucket: as a list, as folders by class, and as shards as WebDataset has them.
    fn pack(&self) {
        let here = self.world.place.path();
        let mut shards = [0, 1, 2].map(|index| {
            let file = fs::File::create(self.bucket(&format!("shards/{index}.tar"))).expect("made");
            tar::Builder::new(file)
        });
        fs::create_dir(self.bucket("images")).expect("made");
        fs::copy(here.join("list.txt"), self.bucket("list.txt")).expect("copied");
        let list = fs::read_to_string(here.join("list.txt")).expect("the list");
        for (index, line) in list.lines().enumerate() {
            let (name, class) = line.split_once(' ').expect("a class");
            let file = name.split_once('/').expect("a folder").1;
            fs::copy(here.join(name), self.bucket(name)).expect("copied");
            let folder = self.bucket("folders").join(class);
            fs::create_dir_all(&folder).expect("made");
            fs::copy(here.join(name), folder.join(file)).expect("copied");
            let shard = &mut shards[index % 3];
            shard
                .append_path_with_name(here.join(name), file)
                .expect("packed");
            let mut header = tar::Header::new_gnu();
            header.set_size(class.len() as u64);
            header.set_mode(0o644);
            let label = format!("{}.cls", file.trim_end_matches(".png"));
            shard
                .append_data(&mut header, label, class.as_bytes())
                .expect("packed");
        }
        for mut shard in shards {
            shard.finish().expect("packed");
        }
    }

    fn zoo(&self, arguments: &[&str]) -> Run {
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        self.world.place.zoo_with(&variables, arguments)
    }

    fn eval(&self, data: &str, out: &str, more: &[&str]) -> Run {
        let eval = ["eval", "tiny", "--data", data, "--out", out, "--batch", "1", "-q"];
        self.zoo(&[&eval[..], &MODEL[..], more].concat())
    }

    /// Answers of a shard that are in the bucket.
    fn uploaded(&self, shard: &str) -> usize {
        let files = fs::read_dir(self.bucket("run")).into_iter().flatten();
        let paths = files.map(|file| file.expect("an entry").path());
        let of_shard = paths.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.contains(shard) && name.ends_with(".jsonl")
        });
        // A file that is being put has another name, or is gone at once.
        let texts = of_shard.map(|path| fs::read_to_string(path).unwrap_or_default());
        texts.map(|text| text.lines().count().saturating_sub(1)).sum()
    }

    /// Runs a shard to its end; no answers go to the bucket before.
    fn shard(&self, shard: &str) -> Run {
        let more = ["--shard", shard, "--upload-every", "3600"];
        self.zoo(&[&RUN[..], &MODEL[..], &more].concat())
    }

    /// Runs a shard and kills it once some of its answers are in the bucket, but not all.
    fn kill_in_the_middle(&self, shard: &str, name: &str) {
        let run = [&RUN[..], &MODEL[..], &["--shard", shard, "--upload-every", "0"]].concat();
        let mut command = self.world.place.command(&run);
        let mut child = start(command.envs(self.variables.iter().cloned()));
        until(&mut child, "it uploaded", || self.uploaded(name) >= 2);
        kill(child);
        let there = self.uploaded(name);
        assert!((2..IMAGES / 3).contains(&there), "{there} answers");
    }
}

#[test]
fn data_in_a_bucket_give_what_they_give_here() {
    let cloud = Cloud::new();
    let mut tallies = Vec::new();
    for data in ["shards", "shards/1.tar", "folders", "list.txt"] {
        let here = cloud
            .eval(&format!("buckets/zoo/{data}"), "here", &["--json"])
            .json();
        let there = cloud
            .eval(&format!("s3://zoo/{data}"), "there", &["--json"])
            .json();
        assert_eq!(counts(&there), counts(&here), "{data}");
        tallies.push(here["tally"].clone());
    }
    let (second, none) = World::others(IMAGES);
    assert_eq!(tallies[0]["counted"], IMAGES);
    assert_eq!(tallies[0]["top1"], IMAGES - second - none);
    assert_eq!(tallies[0]["top5"], IMAGES - none);
    assert_eq!(tallies[1]["counted"], IMAGES / 3);
    assert!(tallies[0] == tallies[2] && tallies[0] == tallies[3]);

    // What the list names and the bucket has not is told, as it is on disk.
    fs::remove_file(cloud.bucket("images/0007.png")).expect("deleted");
    let run = cloud.eval("s3://zoo/list.txt", "less", &[]);
    let told = run.stdout();
    assert!(
        told.contains("images/0007.png: there is no such object"),
        "{told}"
    );
    run.failed(9);
}

#[test]
fn shards_meet_in_a_bucket_and_go_on_past_a_kill() {
    let cloud = Cloud::new();
    let whole = cloud.eval("buckets/zoo/shards", "whole", &["--json"]).json();
    cloud.kill_in_the_middle("1/3", ".1of3.");
    let there = cloud.uploaded(".1of3.");
    for index in [0, 1, 2] {
        let told = cloud.shard(&format!("{index}/3")).said();
        let resumed = if index == 1 { there } else { 0 };
        let expected = format!(
            "{} images to answer, {resumed} already there; answers go to s3://zoo/run/",
            20 - resumed
        );
        assert!(told.contains(&expected), "{told}");
        assert_eq!(cloud.uploaded(&format!(".{index}of3.")), 20);
    }
    let told = cloud.shard("1/3").said();
    assert!(told.contains("0 images to answer, 20 already there"), "{told}");

    let merged = cloud.zoo(&["eval", "merge", "--json", "s3://zoo/run/"]).json();
    assert_eq!(counts(&merged), counts(&whole));
    assert_eq!(counts(&cloud.world.merge("buckets/zoo/run")), counts(&whole));
    let files = cloud.world.files("buckets/zoo/run");
    let first = files[0].replacen("buckets", "s3:/", 1);
    let error = cloud.zoo(&["eval", "merge", &first, &files[1]]).failed(9);
    assert!(error.contains("20 of 60 images are missing"), "{error}");
    let compared = cloud.zoo(&["eval", "compare", &first, "s3://zoo/run"]).failed(2);
    assert!(compared.contains("expected two files of answers"), "{compared}");
}

#[test]
fn weights_come_from_a_bucket_as_a_file_or_through_a_mirror() {
    let cloud = Cloud::new();
    let whole = cloud.eval("buckets/zoo/shards", "whole", &["--json"]).json();
    let file = "buckets/zoo/weights/tiny.safetensors";
    fs::create_dir(cloud.bucket("weights")).expect("made");
    cloud
        .zoo(&["export", "tiny", "--weights", "seeded:5", "-o", file, "-q"])
        .good();

    let eval = [
        "eval",
        "tiny",
        "--data",
        "s3://zoo/shards",
        "--out",
        "bucket",
        "--batch",
        "1",
        "--json",
        "-q",
    ];
    let given = ["--weights", "s3://zoo/weights/tiny.safetensors"];
    let given = cloud.zoo(&[&eval[..], &given, &MODEL[2..]].concat()).json();
    assert_eq!(given["tally"], whole["tally"], "the same weights");

    let publisher = Content::Folder(cloud.bucket("weights"));
    let publisher = faultd::Server::start("127.0.0.1:0", publisher, Vec::new()).expect("a port");
    let manifest = tiny()
        .replace("https://example.org/tiny.pth", &publisher.url("tiny.safetensors"))
        .replace("\"pth\"", "\"safetensors\"");
    cloud.world.place.write("zoo.toml", &manifest);
    cloud.zoo(&["fetch", "tiny", "-q"]).good();
    cloud.zoo(&["mirror", "s3://zoo/mirror", "-q"]).good();
    drop(publisher);
    fs::remove_dir_all(cloud.world.place.path().join("cache")).expect("removed");
    cloud
        .zoo(&["fetch", "tiny", "-q", "--mirror", "s3://zoo/mirror"])
        .good();
    let mirrored = cloud.zoo(&[&eval[..], &MODEL[2..]].concat()).json();
    assert_eq!(counts(&mirrored), counts(&given), "the same file");
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_with_what_to_do() {
    let mut cloud = Cloud::new();
    let error = cloud.eval("s3://zoo/nothing", "out", &[]).failed(7);
    assert!(
        error.contains("s3://zoo/nothing: no such file or folder"),
        "{error}"
    );
    let error = cloud.eval("s3://zoos/shards", "out", &[]).failed(7);
    assert!(
        error.contains("s3://zoos/shards: there is no such bucket"),
        "{error}"
    );
    let error = cloud.zoo(&["eval", "merge", "s3://zoo/shards"]).failed(12);
    assert!(error.contains("s3://zoo/shards: no files of answers"), "{error}");
    let error = cloud.eval("ftp://zoo/shards", "out", &[]).failed(2);
    assert!(error.contains("is not a place for files"), "{error}");
    let error = cloud.eval("s3://zoo/shards", "out", &["--offline"]).failed(2);
    assert!(
        error.contains("s3://zoo/shards: ") && error.contains("--offline"),
        "{error}"
    );
    fs::write(cloud.bucket("shards/3.tar"), [7; 600]).expect("written");
    let error = cloud.eval("s3://zoo/shards", "out", &[]).failed(2);
    assert!(
        error.contains("s3://zoo/shards/3.tar: not a tar archive"),
        "{error}"
    );

    let secret = cloud
        .variables
        .iter_mut()
        .find(|(name, _)| name.ends_with("SECRET_ACCESS_KEY"));
    secret.expect("a key").1 = "other-key".into();
    let error = cloud.eval("s3://zoo/shards", "out", &[]).failed(5);
    assert!(
        error.contains("403 Forbidden") && error.contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );
    assert!(!error.contains("other-key"), "{error}");
}
