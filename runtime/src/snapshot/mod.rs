//! The base snapshot: the web platform, evaluated once per build of Isle and restored ever after.
//!
//! It is made by the binary itself, in a child process (making one changes V8's process-wide
//! state), at the first start, into a cache folder. Its name is a key over everything that decides
//! whether it fits: the binary (size, time and inode), V8's version, the flags. Whatever does not
//! fit has another name, and so is never read.

pub mod artifact;
pub mod builder;

use crate::ext;
use crate::isolate::{Sources, platform};
use deno_core::{JsRuntime, JsRuntimeForSnapshot, PollEventLoopOptions, RuntimeOptions, v8};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why there is no base snapshot.
#[derive(Debug)]
pub enum BuildError {
    /// A file or a process could not be made: what and why.
    Io(String, std::io::Error),
    /// The platform's scripts failed.
    Script(String),
    /// The child that should have made it failed: its last words.
    Child(String),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildError::Io(what, error) => write!(f, "{what}: {error}"),
            BuildError::Script(message) => write!(f, "the platform's scripts: {message}"),
            BuildError::Child(words) => write!(f, "the process that makes the base snapshot failed: {words}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Makes the base snapshot and writes it to `path`. Runs in a child process of its own.
///
/// # Errors
/// A script that fails, or a file that cannot be written.
pub fn build_base(path: &Path) -> Result<(), BuildError> {
    platform::init();
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| BuildError::Io("tokio".into(), e))?;
    let _entered = executor.enter();
    let mut runtime = JsRuntimeForSnapshot::new(RuntimeOptions {
        extensions: ext::extensions(&Sources::default()),
        ..Default::default()
    });
    runtime.execute_script("isle:bootstrap", ext::BOOTSTRAP).map_err(|e| BuildError::Script(e.to_string()))?;
    settle(&executor, &mut runtime)?;
    let blob = runtime.snapshot();
    write_whole(path, &blob).map_err(|e| BuildError::Io(path.display().to_string(), e))
}

/// Finalization registries that have work left cannot be serialised; deno_web has some.
pub(crate) fn settle(executor: &tokio::runtime::Runtime, runtime: &mut JsRuntime) -> Result<(), BuildError> {
    for _ in 0..3 {
        runtime.v8_isolate().low_memory_notification();
        executor
            .block_on(std::future::poll_fn(|cx| runtime.poll_event_loop(cx, PollEventLoopOptions::default())))
            .map_err(|e| BuildError::Script(e.to_string()))?;
    }
    Ok(())
}

/// Writes beside the target and renames, so that nobody ever sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

/// The key of this build's base snapshot.
fn key(executable: &Path) -> std::io::Result<String> {
    let metadata = executable.metadata()?;
    let mut hasher = DefaultHasher::new();
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.dev()).hash(&mut hasher);
    v8::V8::get_version().hash(&mut hasher);
    platform::FLAGS.hash(&mut hasher);
    Ok(format!("base-{:016x}.snapshot", hasher.finish()))
}

/// The path of this build's base snapshot in `cache`, made first if it is not there. Snapshots of
/// other builds found in the folder are removed.
///
/// # Errors
/// See [`BuildError`].
pub fn ensure_base(cache: &Path) -> Result<PathBuf, BuildError> {
    let io = |what: &Path| {
        let what = what.display().to_string();
        move |error| BuildError::Io(what, error)
    };
    std::fs::create_dir_all(cache).map_err(io(cache))?;
    let executable = std::env::current_exe().map_err(io(Path::new("own executable")))?;
    let name = key(&executable).map_err(io(&executable))?;
    let path = cache.join(&name);
    let path = std::path::absolute(&path).map_err(io(&path))?;
    if path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(path);
    }
    let output = Command::new(&executable)
        .arg("__base-snapshot")
        .arg(&path)
        .env_clear()
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(io(&executable))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(BuildError::Child(format!("{}: {}", output.status, words.trim())));
    }
    remove_others(cache, &name);
    Ok(path)
}

fn remove_others(cache: &Path, keep: &str) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("base-") && name.ends_with(".snapshot") && name != keep {
            // A cell of an older build that still runs has the file mapped and keeps it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
