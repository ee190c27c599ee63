//! A node without cells: the API, a data plane that only remembers, and a client.

use super::super::*;
use crate::artifacts::Workshop;
use crate::control::{ApiBody, DirectCall, Invoked, LogLine};
use crate::route::{FunctionVersion, Matched, RouteTable, Routes};
use isle_wire::{ConsoleLevel, FailureDetail, FunctionSpec, LoadReply, Outcome};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, broadcast};

pub const MANIFEST: &str =
    "app = \"blog\"\n[functions.hello]\nentry = \"hello.js\"\nroutes = [\"GET /hello/{name}\", \"$default\"]\n";

/// A deploy's body: the manifest and `hello.js`.
pub fn upload(manifest: &str, text: &str) -> Value {
    json!({"manifest": manifest, "files": {"hello.js": {"text": text}}})
}

/// Remembers what it was told. What a check answers depends on the text of `hello.js`.
pub struct FakePlane {
    routes: Routes,
    workshop: Option<Arc<Workshop>>,
    published: AtomicUsize,
    checked: Mutex<Vec<String>>,
    pub evicted: Mutex<Vec<String>>,
    held: Notify,
    released: Notify,
    recent: Mutex<Vec<LogLine>>,
    lines: broadcast::Sender<LogLine>,
}

impl FakePlane {
    fn new(workshop: Option<Arc<Workshop>>) -> FakePlane {
        FakePlane {
            routes: Routes::default(),
            workshop,
            published: AtomicUsize::new(0),
            checked: Mutex::default(),
            evicted: Mutex::default(),
            held: Notify::new(),
            released: Notify::new(),
            recent: Mutex::default(),
            lines: broadcast::channel(16).0,
        }
    }

    pub fn route(&self, host: &str, method: &str, path: &str) -> Option<Matched> {
        self.routes.load().route(host, method, path)
    }

    /// The deployment that a host's requests reach.
    pub fn serving(&self, host: &str) -> Option<&str> {
        let matched = self.route(host, "GET", "/")?;
        // Leaked: a few ids per test, for the sake of readable assertions.
        Some(matched.function.spec.deployment.clone().leak())
    }

    pub fn published(&self) -> usize {
        self.published.load(Ordering::SeqCst)
    }

    /// App and text of every function that was checked, in order.
    pub fn checked(&self) -> Vec<String> {
        self.checked.lock().unwrap().clone()
    }

    /// Returns when a check of a `HOLD` has begun.
    pub async fn holds(&self) {
        self.held.notified().await;
    }

    /// Lets it end.
    pub fn release(&self) {
        self.released.notify_one();
    }

    pub fn write(&self, tenant: &str, app: &str, text: &str) {
        let line = LogLine {
            time_ms: 1,
            request_id: "r".into(),
            tenant: tenant.into(),
            app: app.into(),
            function: "hello".into(),
            level: ConsoleLevel::Info,
            text: text.into(),
        };
        self.recent.lock().unwrap().push(line.clone());
        let _ = self.lines.send(line);
    }

    pub async fn no_reader_left(&self) {
        self.lines.closed().await;
    }
}

fn reply(outcome: Outcome, detail: Option<FailureDetail>) -> LoadReply {
    let detail = detail.map(|detail| serde_json::to_vec(&detail).unwrap()).unwrap_or_default();
    LoadReply { outcome, cpu_us: 1_500, detail: detail.into() }
}

impl Plane for FakePlane {
    async fn check(&self, function: &Arc<FunctionVersion>) -> LoadReply {
        let packed = function.packed_spec().await.unwrap();
        let spec: FunctionSpec = FunctionSpec::unpack(&packed.spec).unwrap();
        let text = &spec.modules[&spec.entry].text;
        self.checked.lock().unwrap().push(format!("{} {text}", spec.app));
        match text.as_str() {
            "NO HANDLER" => {
                let detail = FailureDetail {
                    error_type: "Runtime.HandlerNotFound".into(),
                    message: "hello.js exports no `handler`".into(),
                    file: Some("hello.js".into()),
                    line: Some(3),
                    ..FailureDetail::default()
                };
                reply(Outcome::StartupFailed, Some(detail))
            }
            "LOOPS" => reply(Outcome::StartupCpuExceeded, None),
            "DIES" => reply(Outcome::CellDied, None),
            "NO CELL" => reply(Outcome::Unavailable, None),
            "HOLD" => {
                self.held.notify_one();
                self.released.notified().await;
                reply(Outcome::Ok, None)
            }
            _ => reply(Outcome::Ok, None),
        }
    }

    /// Echoes the payload, unless that is the word of an outcome.
    async fn invoke(&self, _: &Arc<FunctionVersion>, call: DirectCall) -> Invoked {
        let word = String::from_utf8_lossy(&call.payload).trim_matches('"').to_owned();
        let outcomes = [Outcome::RefusedBusy, Outcome::HandlerThrew, Outcome::Unavailable, Outcome::WallExceeded];
        let outcome = outcomes.into_iter().find(|outcome| outcome.as_str() == word).unwrap_or(Outcome::Ok);
        let DirectCall { request_id, payload, .. } = call;
        Invoked { request_id, outcome, timing: Default::default(), detail: Bytes::new(), body: payload }
    }

    fn workshop(&self) -> Option<&Arc<Workshop>> {
        self.workshop.as_ref()
    }

    fn publish(&self, table: Arc<RouteTable>) {
        self.published.fetch_add(1, Ordering::SeqCst);
        self.routes.store(table);
    }

    fn evict(&self, function: &FunctionVersion) {
        self.evicted.lock().unwrap().push(function.spec.label());
    }

    fn logs(&self, tenant: &str, app: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        let recent = self.recent.lock().unwrap();
        let theirs = recent.iter().filter(|line| line.tenant == tenant && line.app == app);
        (theirs.cloned().collect(), self.lines.subscribe())
    }
}

/// An answer whose body is JSON, or nothing.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub json: Value,
}

pub struct Node {
    dir: tempfile::TempDir,
    pub api: Api<FakePlane>,
    pub plane: Arc<FakePlane>,
    pub admin: String,
    pub damaged: Vec<(String, String)>,
}

impl Node {
    pub async fn start() -> Node {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_in(dir: tempfile::TempDir) -> Node {
        Self::start_with(dir, None).await
    }

    /// A node that builds with this workshop.
    pub async fn start_with(dir: tempfile::TempDir, workshop: Option<Arc<Workshop>>) -> Node {
        let plane = Arc::new(FakePlane::new(workshop));
        let friends = vec!["acme".to_string(), "zeta".to_string()];
        let settings = ApiSettings {
            data_dir: dir.path().to_owned(),
            public_base: PublicBase { scheme: "http", domain: "localhost".into(), port: Some(3000) },
            caps: Limits::default(),
            code_generation: true,
            trust_groups: BTreeMap::from([("friends".to_string(), friends)]),
            bundle_bytes_max: 1_000,
            checks_max: 2,
            texts_bytes_max: 1 << 20,
        };
        let opened = Api::open(settings, plane.clone()).await.unwrap();
        let file = std::fs::read_to_string(dir.path().join(tokens::ADMIN_FILE)).unwrap();
        let admin = file.trim().to_owned();
        assert!(opened.admin_token.is_none_or(|shown| shown == admin));
        Node { dir, api: opened.api, plane, admin, damaged: opened.damaged }
    }

    pub async fn restart(self) -> Node {
        Self::start_in(self.stop()).await
    }

    /// Stops the node; what it leaves.
    pub fn stop(self) -> tempfile::TempDir {
        let Node { dir, api, .. } = self;
        drop(api);
        dir
    }

    /// The data folder as it is on disk now, elsewhere.
    pub fn copy_of_disk(&self) -> tempfile::TempDir {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    copy(&entry.path(), &to);
                } else {
                    std::fs::copy(entry.path(), to).unwrap();
                }
            }
        }
        let image = tempfile::tempdir().unwrap();
        copy(self.dir.path(), image.path());
        image
    }

    /// Changes a byte of a deployment's content on disk.
    pub fn damage(&self, id: &str) {
        let dir = self.dir.path().join("blobs").join(&id[..2]);
        let file = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(id)).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[10] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }

    pub async fn reply(&self, token: &str, method: &str, path: &str, body: impl Into<Bytes>) -> ApiReply {
        self.reply_to(token, method, path, HeaderMap::new(), body).await
    }

    /// The same with header fields of the caller's.
    pub async fn reply_to(
        &self,
        token: &str,
        method: &str,
        path: &str,
        mut headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> ApiReply {
        if !token.is_empty() {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        self.api.handle(&method, &uri, &headers, body.into()).await
    }

    pub async fn call(&self, token: &str, method: &str, path: &str, body: impl Into<Bytes>) -> Answered {
        let ApiReply { status, content_type, body, .. } = self.reply(token, method, path, body).await;
        let ApiBody::Full(body) = body else { panic!("a stream from {path}") };
        let json =
            if content_type == "application/json" { serde_json::from_slice(&body).unwrap() } else { Value::Null };
        Answered { status, json }
    }

    pub async fn get(&self, token: &str, path: &str) -> Answered {
        self.call(token, "GET", path, "").await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answered {
        self.call(token, "POST", path, body.to_string()).await
    }

    /// Adds a tenant and returns its token.
    pub async fn add_tenant(&self, name: &str) -> String {
        let added = self.post(&self.admin, "/v1/tenants", json!({"name": name})).await;
        assert_eq!(added.status, 201, "{added:?}");
        added.json["token"].as_str().unwrap().to_owned()
    }

    /// Deploys the app `blog` and returns the deployment's id.
    pub async fn deploy(&self, token: &str, text: &str) -> String {
        let deployed = self.post(token, "/v1/apps/blog/deployments", upload(MANIFEST, text)).await;
        assert_eq!(deployed.status, 201, "{deployed:?}");
        deployed.json["deployment"].as_str().unwrap().to_owned()
    }
}
