//! Two snapshots that isolates start from.
//!
//! The base has what every function needs, and makes the rest of the platform when a function looks
//! at it. Made again in every cold start, `Response` and what it rests on would cost milliseconds;
//! restored in every isolate, half of what an isolate costs. So there is a second snapshot on top of
//! the base, with that made already, and a function starts from the one that its builder found
//! cheaper. To programs both are the same.

use super::{BuildError, settle, write_whole};
use crate::clock;
use crate::ext;
use crate::isolate::{Sources, guard, map_snapshot, platform};
use deno_core::{JsRuntimeForSnapshot, RuntimeOptions};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// How much of the web platform an isolate begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    /// What every function needs.
    #[default]
    Bare,
    /// What functions of the web use, too.
    Web,
}

/// Both snapshots, mapped for the process's life.
#[derive(Clone, Copy)]
pub struct Bases {
    bare: &'static [u8],
    web: &'static [u8],
}

impl Bases {
    /// Maps the base at `base` and what was made beside it. A base that was made by itself serves
    /// for both.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(base: &Path) -> io::Result<Bases> {
        let bare = map_snapshot(&File::open(base)?)?;
        let web = match File::open(path(base)) {
            Ok(file) => map_snapshot(&file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bare,
            Err(error) => return Err(error),
        };
        Ok(Bases { bare, web })
    }

    /// The base: what other snapshots are made on.
    pub fn base(&self) -> &'static [u8] {
        self.bare
    }

    /// The one with so much of the platform.
    pub fn of(&self, platform: Platform) -> &'static [u8] {
        match platform {
            Platform::Bare => self.bare,
            Platform::Web => self.web,
        }
    }
}

/// Where the second snapshot that goes with a base is.
pub fn path(base: &Path) -> PathBuf {
    base.with_extension("web")
}

/// Makes the second snapshot. Runs in a process of its own.
///
/// # Errors
/// A script that fails, a file that cannot be read or written, or a snapshot that may not be
/// restored in one process with the base.
pub fn build(base: &Path) -> Result<(), BuildError> {
    clock::set_for(base);
    platform::init();
    let blob = File::open(base).and_then(|file| map_snapshot(&file));
    let blob = blob.map_err(|error| BuildError::Io(base.display().to_string(), error))?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| BuildError::Io("tokio".into(), error))?;
    let _entered = executor.enter();
    let mut runtime = JsRuntimeForSnapshot::new(RuntimeOptions {
        extensions: ext::extensions(&Sources::default()),
        startup_snapshot: Some(blob),
        skip_op_registration: true,
        ..Default::default()
    });
    runtime.execute_script("isle:exercise", ext::EXERCISE_WEB).map_err(|e| BuildError::Script(e.to_string()))?;
    settle(&executor, &mut runtime)?;
    let mut made = runtime.snapshot();
    if !guard::share_read_only(blob, &mut made) {
        return Err(BuildError::Script("the web's snapshot has another read-only part than the base".to_owned()));
    }
    let out = path(base);
    write_whole(&out, &made).map_err(|error| BuildError::Io(out.display().to_string(), error))
}
