//! What a cell is told about itself and about the functions it runs, and what it reports.
//!
//! These travel as JSON: they are sent once per cell or once a second, never per request.

use crate::{Contract, Limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a module's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleKind {
    /// An ES module.
    JavaScript,
    /// A JSON module; needs `with { type: "json" }` at the import.
    Json,
    /// The source map of the module that is named like it, without `.map`. No module: nothing can
    /// import it.
    SourceMap,
}

impl ModuleKind {
    /// The kind that a file name stands for, if it is a module's: `.js`, `.mjs` or `.json`.
    pub fn of_path(path: &str) -> Option<ModuleKind> {
        match path.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(ModuleKind::JavaScript),
            "json" => Some(ModuleKind::Json),
            _ => None,
        }
    }

    /// The kind of a file of a deployment: a module's, or a source map beside one.
    pub fn of_deployed(path: &str) -> Option<ModuleKind> {
        match path.strip_suffix(".map").and_then(ModuleKind::of_path) {
            Some(ModuleKind::JavaScript) => Some(ModuleKind::SourceMap),
            _ => ModuleKind::of_path(path),
        }
    }
}

/// One module of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSource {
    /// How to read `text`.
    pub kind: ModuleKind,
    /// The module's text.
    pub text: String,
}

/// What an entry module's exports are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionKind {
    /// Whatever the module exports at load; `handler` where there are both.
    #[default]
    Auto,
    /// `export const handler`, with an event.
    Handler,
    /// A default export or one per method, with a `Request`.
    Fetch,
}

impl FunctionKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            FunctionKind::Auto => "auto",
            FunctionKind::Handler => "handler",
            FunctionKind::Fetch => "fetch",
        }
    }

    /// The kind of this name in a manifest.
    pub fn of_name(name: &str) -> Option<FunctionKind> {
        match name {
            "handler" => Some(FunctionKind::Handler),
            "fetch" => Some(FunctionKind::Fetch),
            _ => None,
        }
    }
}

/// Everything a cell needs to run one function version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// The tenant whose code it is.
    pub tenant: String,
    /// The app it belongs to.
    pub app: String,
    /// The function's name in its app.
    pub function: String,
    /// The deployment's id: the version that `context.functionVersion` shows.
    pub deployment: String,
    /// Path of the module that exports the function, relative to the deployment's root.
    pub entry: String,
    /// Which of the module's exports is the function.
    #[serde(default)]
    pub kind: FunctionKind,
    /// The deployment's modules by path.
    pub modules: BTreeMap<String, ModuleSource>,
    /// Variables for `process.env`-like access; never part of any snapshot.
    pub env: BTreeMap<String, String>,
    /// Its limits.
    pub limits: Limits,
    /// Whether it may make code from strings: `eval`, `new Function`.
    pub code_generation: bool,
    /// How its handler is found and spoken to.
    #[serde(default, skip_serializing_if = "Contract::is_default")]
    pub contract: Contract,
    /// Hosts that it may fetch from, as the manifest's `[egress] allow` has them; `None`: wherever
    /// the node lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_allow: Option<Vec<String>>,
    /// The key of the artifact that goes with it; empty: there is none. An artifact says whose it
    /// is in the same words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
}

/// What a cell is told first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellConfig {
    /// [`crate::PROTOCOL_VERSION`] of the gateway.
    pub protocol: u32,
    /// Path of the base snapshot; the cell maps it before it gives up the file system.
    pub base_snapshot: String,
    /// Writable private memory of the whole cell, in MiB; enforced by the kernel (`RLIMIT_DATA`).
    pub memory_mb: u32,
    /// Spare isolates kept ready when nothing is started.
    pub spare_isolates: u32,
    /// Spare isolates kept ready when much is started: as many as were lately needed at once, up to this.
    pub spare_isolates_max: u32,
    /// Starts at one time; the others wait, the tenants of the cell in turns.
    pub starts_max: u32,
    /// Isolates at one time, spares included.
    pub isolates_max: u32,
    /// An isolate unused for this long, in ms, is dropped.
    pub isolate_idle_ms: u64,
    /// What functions see of time.
    pub clock: crate::Clock,
    /// Whether error details (messages, stacks) accompany failed invocations.
    pub dev: bool,
}

/// Why an invocation or a start failed, for the author of the function: never for strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDetail {
    /// The error's class: `TypeError`, `Runtime.HandlerNotFound`, … (R76, R77, R80, R81).
    pub error_type: String,
    /// Its message.
    pub message: String,
    /// The file in the deployment where it arose, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The stack as V8 prints it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

impl std::fmt::Display for FailureDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:{}:{}: ", self.line.unwrap_or(1), self.column.unwrap_or(1))?;
        }
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// What a cell reports once a second while anything changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellStats {
    /// Isolates alive, spares included.
    pub isolates: u32,
    /// Spare isolates ready.
    pub spares: u32,
    /// Resident memory of the cell, in bytes.
    pub rss_bytes: u64,
    /// Per function version.
    pub versions: Vec<VersionStats>,
}

/// One function version's part of [`CellStats`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionStats {
    /// The number the gateway gave the version in this cell.
    pub version: u32,
    /// Isolates resident.
    pub isolates: u32,
    /// V8 heap plus external memory of them at last count, in bytes.
    pub heap_bytes: u64,
    /// Isolates dropped since the cell started, by memory or age.
    pub evictions: u64,
}

impl FunctionSpec {
    /// `tenant/app/function`, for logs.
    pub fn label(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.app, self.function)
    }
}
