//! Artifacts: what builders made of function versions for quick starts, on their way to cells.

mod file;

pub use file::ArtifactFile;

use crate::route::FunctionVersion;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future that is boxed: it is made once per version and cell, never per request.
pub type Fetching<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the artifacts of function versions come from.
pub trait Artifacts: Send + Sync {
    /// The version's artifact. `None`: it starts without one.
    fn get<'a>(&'a self, function: &'a FunctionVersion) -> Fetching<'a, Option<Arc<ArtifactFile>>>;

    /// A cell could not use the version's artifact.
    fn unfit(&self, function: &FunctionVersion, why: &str);
}

/// No artifacts: everything starts from its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArtifacts;

impl Artifacts for NoArtifacts {
    fn get<'a>(&'a self, _function: &'a FunctionVersion) -> Fetching<'a, Option<Arc<ArtifactFile>>> {
        Box::pin(std::future::ready(None))
    }

    fn unfit(&self, _function: &FunctionVersion, _why: &str) {}
}
