//! Code caches of the platform's scripts that are not in the base snapshot: made with it, kept
//! beside it, used by every process that restores it.

use super::artifact::{self, Artifact, Unfit};
use super::web::Platform;
use super::{BuildError, write_whole};
use crate::clock;
use crate::ext::{self, ConsoleSink};
use crate::isolate::{Isolate, map_snapshot, platform};
use isle_wire::ConsoleLevel;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the artifact's header has in the place of a function's source.
const SOURCE: &str = "platform";

struct Nobody;

impl ConsoleSink for Nobody {
    fn line(&self, _invocation: u32, _level: ConsoleLevel, _text: String) {}
}

fn name_of(base: &Path) -> String {
    base.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where the caches that go with a base snapshot are.
pub fn path(base: &Path) -> PathBuf {
    base.with_extension("caches")
}

/// Makes the caches that go with `base`. Runs in a process of its own: the one that makes a
/// snapshot has other flags, and V8 takes no code from such.
///
/// # Errors
/// A script that fails, or a file that cannot be read or written.
pub fn build(base: &Path) -> Result<(), BuildError> {
    let io = |what: &Path| {
        let what = what.display().to_string();
        move |error| BuildError::Io(what, error)
    };
    clock::set_for(base);
    platform::init();
    let blob = File::open(base).and_then(|file| map_snapshot(&file)).map_err(io(base))?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| BuildError::Io("tokio".into(), error))?;
    let _entered = executor.enter();
    let mut isolate = Isolate::new(blob, 256 << 20, Box::new(Nobody));
    ext::record();
    executor.block_on(isolate.exercise(ext::EXERCISE_LAZY)).map_err(BuildError::Script)?;
    isolate.exercise_exchange();
    let caches = isolate.platform_caches();
    let bytes = artifact::encode(&name_of(base), SOURCE, Platform::Bare, &caches, None)
        .map_err(|error| BuildError::Script(error.to_string()))?;
    let out = path(base);
    write_whole(&out, &bytes).map_err(io(&out))
}

/// Has this process use the caches that go with `base`. Without them everything works, only later.
pub fn use_for(base: &Path) {
    clock::set_for(base);
    match Artifact::open(&path(base), &name_of(base), SOURCE) {
        Ok(caches) => ext::use_caches(caches),
        // A base snapshot that was made by itself.
        Err(Unfit::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(unfit) => eprintln!("isle: the platform's code cache {unfit}"),
    }
}
