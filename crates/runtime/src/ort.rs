//! ONNX Runtime on our ONNX export, by a library of the user's that is loaded when it is first needed.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::ort::LoadDynamicError;
use ::ort::environment::Environment;
use ::ort::session::builder::GraphOptimizationLevel;
use ::ort::value::TensorRef;
use hrnet::{Graph, Precision, Shape, WeightSource};

use crate::{Backend, Options, RuntimeError, Session, Shapes};

const NAME: &str = "ort";

/// The variable that names the library, ort's own.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// ONNX Runtime's CPU provider.
pub(crate) struct Ort;

impl Backend for Ort {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "ONNX Runtime through ort 2.0, CPU provider, all graph optimisations"
    }

    fn identity(&self) -> Result<String, RuntimeError> {
        Ok(format!("{}, through ort 2.0", library()?.version))
    }

    fn arithmetic(&self, precision: Precision) -> Option<&'static str> {
        (precision == Precision::F32).then_some("f32")
    }

    fn tolerance(&self, _: Precision) -> f32 {
        // Its sums have another order, and a library yet to come may filter as Winograd does.
        1e-4
    }

    fn prepare(
        &self,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: Options,
    ) -> Result<Box<dyn Session>, RuntimeError> {
        if options.precision != Precision::F32 {
            return Err(RuntimeError::Precision {
                backend: NAME,
                precision: options.precision,
            });
        }
        let library = library()?;
        let export = onnx::Options {
            fold: true,
            ..onnx::Options::default()
        };
        let model = onnx::encode(graph, weights, export)?.to_bytes();
        let input = graph.input_shape();
        let session = commit(&library.environment, &model, input.n, options.threads.get()).map_err(failed)?;
        Ok(Box::new(OrtSession {
            session,
            shapes: Shapes::of(graph),
        }))
    }
}

fn failed(error: ::ort::Error) -> RuntimeError {
    RuntimeError::device(NAME, error)
}

fn commit(
    environment: &Environment,
    model: &[u8],
    batch: usize,
    threads: usize,
) -> ::ort::Result<::ort::session::Session> {
    ::ort::session::Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_dimension_override("batch", i64::try_from(batch).unwrap_or(i64::MAX))?
        // Its threads wait busily within a run, as ever, but not through the turns of others in a race.
        .with_config_entry("session.force_spinning_stop", "1")?
        .commit_from_memory(model)
}

struct OrtSession {
    session: ::ort::session::Session,
    shapes: Shapes,
}

impl OrtSession {
    fn infer(&mut self, images: &[f32], logits: &mut [f32]) -> ::ort::Result<()> {
        let Shape { n, c, h, w } = self.shapes.input;
        let images = TensorRef::from_array_view(([n, c, h, w], images))?;
        let outputs = self.session.run(::ort::inputs![images])?;
        for (index, result) in self.shapes.split(logits).into_iter().enumerate() {
            let (_, values) = outputs[index].try_extract_tensor::<f32>()?;
            if values.len() != result.len() {
                let found = format!(
                    "output {index} has {} elements, expected {}",
                    values.len(),
                    result.len()
                );
                return Err(::ort::Error::new(found));
            }
            result.copy_from_slice(values);
        }
        Ok(())
    }
}

impl Session for OrtSession {
    fn run(&mut self, images: &[f32], logits: &mut [f32]) -> Result<(), RuntimeError> {
        self.shapes.check(images, logits)?;
        self.infer(images, logits).map_err(failed)
    }

    fn shapes(&self) -> &Shapes {
        &self.shapes
    }
}

/// The library, once it is loaded.
struct Library {
    environment: Environment,
    /// `ONNX Runtime 1.31.1, commit 6af1a93`.
    version: String,
}

/// The library that [`LIBRARY`] names, else the one that the system finds; loaded at the first call.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable that every user of ONNX Runtime's library sets"
)]
fn library() -> Result<&'static Library, RuntimeError> {
    static LOADED: OnceLock<Result<Library, String>> = OnceLock::new();
    let named = std::env::var_os(LIBRARY).filter(|name| !name.is_empty());
    LOADED
        .get_or_init(|| load(named.clone()))
        .as_ref()
        .map_err(|why| {
            let place = match &named {
                Some(_) => format!("named by {LIBRARY}"),
                None => format!("searched for by the system, for {LIBRARY} is not set"),
            };
            RuntimeError::Missing {
                reason: format!("no ONNX Runtime: {why} ({place})"),
                help: format!(
                    "{LIBRARY}=FILE names the library of ONNX Runtime 1.{} or newer, {}: it lies in `lib` of a release's \
                     archive, and in `onnxruntime/capi` of the Python package",
                    ::ort::MINOR_VERSION,
                    file_name()
                ),
            }
        })
}

/// The library's name on this system.
fn file_name() -> String {
    format!(
        "{}onnxruntime{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    )
}

fn load(named: Option<OsString>) -> Result<Library, String> {
    let path = PathBuf::from(named.unwrap_or_else(|| file_name().into()));
    // Checked here: ort's functions panic where the library cannot be loaded.
    let builder = ::ort::init_from(&path).map_err(|error| reason(&error))?;
    let environment = builder
        .with_telemetry(false)
        .build()
        .map_err(|error| error.to_string())?;
    let file = mapped().or_else(|| path.canonicalize().ok());
    let release = file
        .as_deref()
        .and_then(release)
        .unwrap_or_else(|| "of unknown version".into());
    let commit = commit_of(::ort::info()).map_or(String::new(), |commit| format!(", commit {commit}"));
    Ok(Library {
        environment,
        version: format!("ONNX Runtime {release}{commit}"),
    })
}

/// Returns ort's error with the system's.
fn reason(error: &LoadDynamicError) -> String {
    let source = if let LoadDynamicError::Dlopen { error, .. } = error {
        error.source()
    } else {
        None
    };
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// The file that the system has loaded the library from, where it tells.
fn mapped() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let is_library = |file: &&Path| {
        let name = file.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("libonnxruntime."))
    };
    maps.lines()
        .filter_map(|line| line.find('/').map(|start| Path::new(&line[start..])))
        .find(is_library)
        .map(Path::to_owned)
}

/// The version in the library's file name, the only place that safe code can read it from: `libonnxruntime.so.1.31.1`,
/// `libonnxruntime.1.31.1.dylib`.
fn release(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<&str> = name.split('.').filter(is_number).collect();
    (numbers.len() > 1).then(|| numbers.join("."))
}

/// The commit in what the library says of its build: `ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, ...`.
fn commit_of(info: &str) -> Option<&str> {
    let (_, rest) = info.split_once("git-commit-id=")?;
    rest.split([',', ' ']).next().filter(|commit| !commit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_files_name_and_the_commit_in_the_build() {
        let version = |name: &str| release(Path::new(name));
        assert_eq!(
            version("/opt/lib/libonnxruntime.so.1.31.1").as_deref(),
            Some("1.31.1")
        );
        assert_eq!(version("libonnxruntime.1.20.0.dylib").as_deref(), Some("1.20.0"));
        assert_eq!(version("/opt/1.2.3/libonnxruntime.so"), None);
        assert_eq!(
            version("libonnxruntime.so.1"),
            None,
            "an interface, not a version"
        );
        let info = "ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, build type=Release";
        assert_eq!(commit_of(info), Some("6af1a93"));
        assert_eq!(commit_of("ORT Build Info: git-commit-id="), None);
        assert_eq!(commit_of("built by hand"), None);
    }
}
