//! Builds artifacts through the real builder, for tests of what is started from them.

#![allow(dead_code, reason = "each test program uses a part")]

use isle_wire::{BuildOrder, BuildReport, FunctionSpec, Limits, ModuleKind, ModuleSource, StartWish};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub const ISLE: &str = env!("CARGO_BIN_EXE_isle");
pub const EVENT: &str =
    r#"{"version":"2.0","rawPath":"/","headers":{},"requestContext":{"http":{"method":"GET","path":"/"}}}"#;

/// One base snapshot for all tests of this process.
pub fn base() -> &'static Path {
    static BASE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BASE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.snapshot");
        for command in ["__base-snapshot", "__base-caches", "__base-web"] {
            let made = Command::new(ISLE).arg(command).arg(&path).output().unwrap();
            assert!(made.status.success(), "{command}: {}", String::from_utf8_lossy(&made.stderr));
        }
        (folder, path)
    });
    path
}

/// A function of one module.
pub fn spec(name: &str, text: &str) -> FunctionSpec {
    let module = ModuleSource { kind: ModuleKind::JavaScript, text: text.to_owned() };
    FunctionSpec {
        tenant: "t".into(),
        app: "a".into(),
        function: name.into(),
        deployment: "d".into(),
        entry: "index.js".into(),
        kind: Default::default(),
        modules: [("index.js".to_owned(), module)].into(),
        env: Default::default(),
        limits: Limits::default(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: format!("artifact of {name}"),
    }
}

/// What to build.
pub struct Order(pub FunctionSpec);

/// What was built.
pub struct Built {
    pub report: BuildReport,
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Order {
    pub fn new(spec: FunctionSpec) -> Order {
        Order(spec)
    }

    /// Runs the builder. A snapshot is kept wherever one can be made.
    pub fn build(self) -> Built {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("artifact");
        let order = BuildOrder {
            base_snapshot: base().to_str().unwrap().to_owned(),
            spec: self.0,
            warm_ups: vec![EVENT.to_owned()],
            out: path.to_str().unwrap().to_owned(),
            cpu_s: 20,
            memory_mb: 2_048,
            wall_s: 60,
            wish: StartWish::Snapshot,
        };
        let mut child = Command::new(ISLE)
            .arg("__builder")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&serde_json::to_vec(&order).unwrap()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = serde_json::from_slice(&output.stdout).unwrap();
        Built { report, path, _folder: folder }
    }
}

impl Built {
    pub fn file(&self) -> File {
        File::open(&self.path).unwrap()
    }

    /// The header, and where the sections begin.
    fn header(&self) -> (serde_json::Value, usize) {
        let bytes = std::fs::read(&self.path).unwrap();
        let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
        (serde_json::from_slice(&bytes[12..12 + length]).unwrap(), (12 + length).next_multiple_of(4_096))
    }

    pub fn snapshot_at(&self) -> usize {
        let (header, body) = self.header();
        body + header["snapshot"]["offset"].as_u64().unwrap() as usize
    }

    pub fn cache_at(&self) -> usize {
        let (header, body) = self.header();
        body + header["caches"][0][1]["offset"].as_u64().unwrap() as usize
    }
}
