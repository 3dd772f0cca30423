use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use hrnet::Precision;

use super::python::{Purpose, call};
use super::{Environment, Peer};
use crate::ending;
use crate::lines::{LONGEST, LastLines, Line, lines};

/// The program of every child.
pub(super) const PROGRAM: &str = include_str!("worker.py");

/// The job of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) precision: Precision,
    pub(crate) threads: usize,
    /// Our ONNX export, in int8 for that precision; the peer's own files are written beside it.
    pub(crate) model: &'a Path,
    /// The batch, a `.npy` file.
    pub(crate) images: &'a Path,
    /// The `.npy` file for the first output.
    pub(crate) output: &'a Path,
}

/// The times after which a worker counts as hung.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) load: Duration,
    pub(crate) run: Duration,
}

impl Limits {
    /// Compiling a large network takes minutes, a slow peer's largest batch ten seconds.
    pub(crate) const STANDARD: Self = Self {
        load: Duration::from_secs(900),
        run: Duration::from_secs(180),
    };
}

/// A child process with a loaded network. It is stopped while it is not its turn, so that its busy-waiting threads take no time
/// from others, and ended when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    replies: Receiver<Line>,
    said: LastLines,
    _entry: ending::Entry,
    run_limit: Duration,
    /// The engine and its version, in its own words.
    about: String,
}

impl Worker {
    /// Starts a peer on a job and waits for its first output.
    ///
    /// # Errors
    /// If it cannot be started, fails, or does not answer in time; the message has its last output.
    pub(crate) fn start(environment: &Environment, job: Job, limits: Limits) -> Result<Self, String> {
        let threads = job.threads.to_string();
        let folder = job.model.parent().unwrap_or(environment.root());
        let mut command = call(environment.python().as_os_str(), folder, Purpose::Compute);
        command
            .args(["-c", PROGRAM, job.peer.name, &threads])
            .args([job.model, job.images, job.output])
            .arg(job.precision.name());
        // Not every engine has an option for its threads; inductor has workers of its own besides.
        for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(name, &threads);
        }
        command.env("TORCHINDUCTOR_COMPILE_THREADS", "1");
        command.env("TORCHINDUCTOR_CACHE_DIR", environment.root().join("inductor"));
        Self::with(command, job.peer.name, limits)
    }

    fn with(mut command: Command, name: &'static str, limits: Limits) -> Result<Self, String> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = command.get_program().display().to_string();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (mut child, entry) = ending::child(ending::Kind::Group, || command.spawn())
            .map_err(|error| format!("{name} cannot be started: {program}: {error}"))?;
        let (requests, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut worker = Self {
            name,
            child,
            requests,
            replies: lines(stdout.expect("piped")),
            said: LastLines::of(stderr.expect("piped")),
            _entry: entry,
            run_limit: limits.run,
            about: String::new(),
        };
        worker.about = worker.reply("ready", "its first answer", limits.load)?;
        worker.signal(Turn::Over);
        Ok(worker)
    }

    /// The engine and its version, in its own words.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// Runs one batch and returns its duration in ns by the child's clock.
    ///
    /// # Errors
    /// If the run fails, the child has died, or it does not answer in time.
    pub(crate) fn run(&mut self) -> Result<u64, String> {
        self.signal(Turn::Begins);
        let requests = self.requests.as_mut().expect("open while the worker lives");
        // A child that is gone is told of by its missing reply, with what it said.
        let _ = requests.write_all(b"run\n").and_then(|()| requests.flush());
        let reply = self.reply("ok", "a run", self.run_limit)?;
        self.signal(Turn::Over);
        reply
            .parse()
            .map_err(|_| format!("{} replied `ok {reply}`: expected nanoseconds", self.name))
    }

    /// Returns the text after `word` in the next reply.
    fn reply(&mut self, word: &str, what: &str, limit: Duration) -> Result<String, String> {
        let reply = self.replies.recv_timeout(limit);
        ending::unless_ended();
        let name = self.name;
        match reply {
            Ok(Line { text, is_cut: true }) => Err(format!(
                "{name} replied a line of more than {LONGEST} bytes, which begins `{}`: expected `{word} ...`",
                text.chars().take(40).collect::<String>()
            )),
            Ok(Line { text, .. }) => match text.split_once(' ') {
                Some((first, rest)) if first == word => Ok(rest.to_owned()),
                Some(("error", why)) => Err(format!("{name} failed at {what}: {why}")),
                _ => Err(format!("{name} replied `{text}`: expected `{word} ...`")),
            },
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "{name} took more than {} s for {what}{}",
                limit.as_secs_f32(),
                self.last_words()
            )),
            Err(RecvTimeoutError::Disconnected) => {
                let end = self
                    .child
                    .wait()
                    .map_or_else(|error| error.to_string(), |status| status.to_string());
                // All that it said is there once its standard error is closed.
                self.said.wait();
                Err(format!("{name} ended at {what}, {end}{}", self.last_words()))
            }
        }
    }

    fn last_words(&self) -> String {
        let lines = self.said.texts();
        if lines.is_empty() {
            String::new()
        } else {
            format!("; it said: {}", lines.join(" | "))
        }
    }

    #[cfg(unix)]
    fn signal(&self, turn: Turn) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let signal = match turn {
            Turn::Begins => Signal::CONT,
            Turn::Over => Signal::STOP,
            Turn::Never => Signal::KILL,
        };
        // A group that is gone needs no signal.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    #[cfg(not(unix))]
    fn signal(&self, _: Turn) {}
}

/// A signal to a child about its turn.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Begins,
    Over,
    Never,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The group first: a converter that a worker waits for is a child of the child.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.signal(Turn::Never);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        load: Duration::from_secs(20),
        run: Duration::from_secs(20),
    };

    /// A worker whose program is this shell script.
    fn worker(script: &str, limits: Limits) -> Result<Worker, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Worker::with(command, "fake", limits)
    }

    #[test]
    fn each_request_is_one_run_with_the_childs_own_time() {
        let script =
            "echo ready Fake 1.2; n=0; while read line; do n=$((n+1)); echo ok $n$(expr $line = run); done";
        let mut worker = worker(script, LIMITS).expect("starts");
        assert_eq!(worker.about(), "Fake 1.2");
        assert_eq!(
            [worker.run(), worker.run(), worker.run()],
            [Ok(11), Ok(21), Ok(31)]
        );
    }

    #[test]
    fn a_failure_is_told_in_the_childs_words() {
        let error = worker("echo error ImportError: no module; exit 1", LIMITS).expect_err("cannot load");
        assert_eq!(error, "fake failed at its first answer: ImportError: no module");
        let mut worker = worker(
            "echo ready x; read line; echo error out of memory; read line",
            LIMITS,
        )
        .expect("starts");
        assert_eq!(
            worker.run(),
            Err("fake failed at a run: out of memory".to_owned())
        );
    }

    #[test]
    fn a_child_that_dies_is_told_of_with_its_last_words() {
        let error =
            worker("echo one >&2; echo '  Illegal instruction' >&2; exit 7", LIMITS).expect_err("dies");
        assert!(
            error.contains("ended at its first answer") && error.contains('7'),
            "{error}"
        );
        assert!(error.ends_with("it said: one | Illegal instruction"), "{error}");
        let mut dying = worker("echo ready x; read line; kill -9 $$", LIMITS).expect("starts");
        let error = dying.run().expect_err("killed");
        assert!(
            error.contains("ended at a run") && error.contains("signal"),
            "{error}"
        );
        let again = dying.run().expect_err("still dead");
        assert!(again.contains("ended at a run"), "{again}");
    }

    #[test]
    fn a_child_that_hangs_is_given_up_and_ended() {
        let limits = Limits {
            run: Duration::from_millis(50),
            ..LIMITS
        };
        let mut hung = worker(
            "echo ready x; read line; echo waiting >&2; while :; do sleep 1; done",
            limits,
        )
        .expect("starts");
        let error = hung.run().expect_err("hangs");
        assert!(error.contains("took more than 0.05 s for a run"), "{error}");
        // Waits for the child's end, which would never come by itself.
        drop(hung);
    }

    #[test]
    fn foreign_replies_are_refused() {
        let error = worker("echo hello world", LIMITS).expect_err("no such reply");
        assert_eq!(error, "fake replied `hello world`: expected `ready ...`");
        let mut odd = worker("echo ready x; read line; echo ok soon; read line", LIMITS).expect("starts");
        assert_eq!(
            odd.run(),
            Err("fake replied `ok soon`: expected nanoseconds".to_owned())
        );
    }

    #[test]
    fn a_reply_without_end_is_refused_as_soon_as_it_is_too_long() {
        let error = worker("head -c 1000000 /dev/zero | tr '\\0' x; sleep 60", LIMITS).expect_err("too long");
        assert_eq!(
            error,
            format!(
                "fake replied a line of more than {LONGEST} bytes, which begins `{}`: expected `ready ...`",
                "x".repeat(40)
            )
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Worker::with(Command::new("/no/such/python"), "fake", LIMITS).expect_err("no program");
        assert!(
            error.contains("fake cannot be started: /no/such/python"),
            "{error}"
        );
    }
}
