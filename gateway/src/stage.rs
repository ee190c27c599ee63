//! A data plane on fake cells, for tests of everything between a request and a cell.

use crate::accept::{Broken, Peer, ReplyBody};
use crate::artifacts::NoArtifacts;
use crate::cells::fake::{FakeCell, FakeSource, spec};
use crate::cells::{Cells, Settings};
use crate::logs::{LogBus, RequestLine};
use crate::metrics::Metrics;
use crate::plane::{DataPlane, Share};
use crate::route::{AppRoutes, FunctionVersion, RouteTable};
use crate::serve::Front;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use isle_wire::{CellConfig, FunctionSpec, PROTOCOL_VERSION};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc};

pub(crate) fn settings() -> Settings {
    let cell = CellConfig {
        protocol: PROTOCOL_VERSION,
        base_snapshot: "/dev/null".into(),
        memory_mb: 64,
        spare_isolates: 0,
        spare_isolates_max: 0,
        starts_max: 1,
        isolates_max: 1,
        isolate_idle_ms: 1_000,
        clock: isle_wire::Clock::Coarse,
        dev: false,
    };
    Settings { heartbeat_timeout: Duration::from_secs(30), spare_cells_max: 1, ..Settings::new(cell) }
}

pub(crate) fn function(spec: FunctionSpec) -> Arc<FunctionVersion> {
    let group = spec.tenant.clone();
    Arc::new(FunctionVersion::new(spec, group))
}

/// A front over fake cells, with an app of the same name for each tenant.
pub(crate) struct Stage {
    pub front: Arc<Front>,
    pub source: Arc<FakeSource>,
    pub lines: broadcast::Receiver<Arc<RequestLine>>,
}

impl Stage {
    pub fn new(script: impl Fn(FakeCell) + Send + Sync + 'static) -> Stage {
        Self::with(settings(), script, ["acme", "blog"].map(|tenant| spec(tenant, tenant, "main")).into())
    }

    pub fn with(
        settings: Settings,
        script: impl Fn(FakeCell) + Send + Sync + 'static,
        functions: Vec<FunctionSpec>,
    ) -> Stage {
        let source = FakeSource::new(script);
        let logs = Arc::new(LogBus::default());
        let lines = logs.requests();
        let cells = Cells::start(settings, source.clone(), Arc::new(NoArtifacts), logs.clone());
        let metrics = Arc::new(Metrics::new(100, Instant::now()).unwrap());
        let share = Share { node_concurrency: 100, tenant_concurrency: 50, tenant_queue: 10 };
        let plane = Arc::new(DataPlane::new(cells, metrics, logs, share));
        let mut table = RouteTable::new("test");
        for spec in functions {
            let app = spec.app.clone();
            table.set(&app, Arc::new(AppRoutes::only(function(spec))));
        }
        plane.publish(Arc::new(table));
        let front = Arc::new(Front { plane, port: "3000".into(), dev: false, body_idle: Duration::from_secs(60) });
        Stage { front, source, lines }
    }

    /// Sends a request as the public listener would.
    pub async fn send(&self, request: Request<ReplyBody>) -> Answer {
        let peer = Peer { addr: ([192, 0, 2, 1], 5).into(), tls: false };
        let response = self.front.answer(peer, request).await;
        Answer::of(response).await
    }

    pub async fn get(&self, app: &str, path: &str) -> Answer {
        self.send(get(app, path)).await
    }

    /// The line of the last request, which must have ended.
    pub fn line(&mut self) -> Arc<RequestLine> {
        let mut last = self.lines.try_recv().expect("a request has ended");
        while let Ok(line) = self.lines.try_recv() {
            last = line;
        }
        last
    }

    /// The value of a metric's line, labels included.
    pub fn metric(&self, line: &str) -> Option<String> {
        self.front.plane.metrics.observe(&[], &self.front.plane.cells);
        let text = String::from_utf8(self.front.plane.metrics.encode()).unwrap();
        text.lines().find_map(|known| Some(known.strip_prefix(line)?.trim().to_owned()))
    }
}

pub(crate) fn get(app: &str, path: &str) -> Request<ReplyBody> {
    Request::get(path).header("host", format!("{app}.test")).body(ReplyBody::empty()).unwrap()
}

/// A request whose body comes from the sender.
pub(crate) fn post(app: &str, path: &str) -> (Request<ReplyBody>, mpsc::Sender<Result<Bytes, Broken>>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = ReplyBody::Breakable(receiver);
    (Request::post(path).header("host", format!("{app}.test")).body(body).unwrap(), sender)
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Result<Bytes, Broken>,
}

impl Answer {
    pub async fn of(response: Response<ReplyBody>) -> Answer {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status, outcome and body.
    pub fn told(&self) -> (u16, &str, &str) {
        let body = self.body.as_ref().map_or("(broken)", |body| std::str::from_utf8(body).unwrap());
        (self.status, self.header("isle-outcome").unwrap_or("-"), body)
    }
}
