//! The base snapshot: the platform, evaluated once per build of Isle and restored ever after.
//!
//! It is made by the binary itself, in a child process (making one changes V8's process-wide
//! state), at the first start, into a cache folder. Its name is a key over everything that decides
//! whether it fits: the binary (size, time and inode), V8's version, the flags, the seed of hashes.
//! Whatever does not fit has another name, and so is never read.

pub mod artifact;
pub mod builder;
pub mod caches;
mod seed;
pub mod web;

use crate::clock::{self, Clock};
use crate::ext;
use crate::isolate::platform;
use deno_core::{JsRuntime, JsRuntimeForSnapshot, PollEventLoopOptions, RuntimeOptions, v8};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

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
    clock::set_for(path);
    let cache = path.parent().filter(|cache| !cache.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let seed = seed::of(cache).map_err(|e| BuildError::Io(format!("the hash seed in {}", cache.display()), e))?;
    let seed = format!("--hash-seed={seed}");
    platform::init_with(&[platform::FLAGS, &["--rehash-snapshot", &seed]].concat());
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| BuildError::Io("tokio".into(), e))?;
    let _entered = executor.enter();
    let mut runtime =
        JsRuntimeForSnapshot::new(RuntimeOptions { extensions: ext::extensions_of_base(), ..Default::default() });
    ext::prune(&mut runtime).map_err(|e| BuildError::Script(e.to_string()))?;
    runtime.execute_script("isle:bootstrap", ext::BOOTSTRAP).map_err(|e| BuildError::Script(e.to_string()))?;
    ext::install_lazy(&mut runtime).ok_or_else(|| BuildError::Script("no lazy globals".to_owned()))?;
    runtime.execute_script("isle:exercise", ext::EXERCISE_BASE).map_err(|e| BuildError::Script(e.to_string()))?;
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

/// The name of this build's base snapshot, but for its ending.
fn key(executable: &Path, seed: u64) -> std::io::Result<String> {
    let metadata = executable.metadata()?;
    let mut hasher = DefaultHasher::new();
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.dev()).hash(&mut hasher);
    v8::V8::get_version().hash(&mut hasher);
    platform::FLAGS.hash(&mut hasher);
    seed.hash(&mut hasher);
    Ok(format!("base-{:016x}", hasher.finish()))
}

/// The path of this build's base snapshot in `cache`, made first if it is not there. Snapshots of
/// other builds found in the folder are removed.
///
/// # Errors
/// See [`BuildError`].
pub fn ensure_base(cache: &Path, clock: Clock) -> Result<PathBuf, BuildError> {
    let io = |what: &Path| {
        let what = what.display().to_string();
        move |error| BuildError::Io(what, error)
    };
    std::fs::create_dir_all(cache).map_err(io(cache))?;
    let executable = std::env::current_exe().map_err(io(Path::new("own executable")))?;
    let seed = seed::of(cache).map_err(|e| BuildError::Io(format!("the hash seed in {}", cache.display()), e))?;
    let name = clock::base_name(&key(&executable, seed).map_err(io(&executable))?, clock);
    let path = cache.join(&name);
    let path = std::path::absolute(&path).map_err(io(&path))?;
    let there = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    if there(&path) && there(&caches::path(&path)) && there(&web::path(&path)) {
        // Its time says that it is used. A cache that cannot be written to is no reason to fail.
        let used = std::fs::File::options().write(true).open(&path).and_then(|f| f.set_modified(SystemTime::now()));
        drop(used);
        return Ok(path);
    }
    for command in ["__base-snapshot", "__base-caches", "__base-web"] {
        let output = Command::new(&executable)
            .arg(command)
            .arg(&path)
            .env_clear()
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(io(&executable))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(BuildError::Child(format!("{command}: {}: {}", output.status, words.trim())));
        }
    }
    remove_others(cache, &name);
    Ok(path)
}

/// A snapshot that no start has used for this long belongs to a build that is gone. Until then
/// another build's node may be running from the same cache.
const UNUSED_AFTER: Duration = Duration::from_secs(7 * 86_400);

fn remove_others(cache: &Path, keep: &str) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unused = || entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| is_unused(at, SystemTime::now()));
        if name.starts_with("base-") && name.ends_with(".snapshot") && name != keep && unused() {
            // A cell that still runs has the files mapped and keeps them.
            let _ = std::fs::remove_file(entry.path());
            let _ = std::fs::remove_file(caches::path(&entry.path()));
            let _ = std::fs::remove_file(web::path(&entry.path()));
        }
    }
}

fn is_unused(used: SystemTime, now: SystemTime) -> bool {
    now.duration_since(used).is_ok_and(|age| age > UNUSED_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_has_used_for_a_week_is_removed() {
        let now = SystemTime::now();
        assert!(!is_unused(now, now));
        assert!(!is_unused(now + Duration::from_secs(60), now), "a clock that was set back");
        assert!(is_unused(now - UNUSED_AFTER - Duration::from_secs(1), now));
        let cache = tempfile::tempdir().unwrap();
        let (own, old, young) = ("base-1.snapshot", "base-2.snapshot", "base-3.snapshot");
        let (old_caches, young_caches) = ("base-2.caches", "base-3.caches");
        for name in [own, old, young, old_caches, young_caches] {
            std::fs::write(cache.path().join(name), "x").unwrap();
        }
        let long_ago = now - UNUSED_AFTER * 2;
        for name in [own, old] {
            std::fs::File::options().write(true).open(cache.path().join(name)).unwrap().set_modified(long_ago).unwrap();
        }
        remove_others(cache.path(), own);
        let there = |name: &str| cache.path().join(name).exists();
        assert_eq!((there(own), there(old), there(young)), (true, false, true));
        assert_eq!((there(old_caches), there(young_caches)), (false, true));
    }
}
