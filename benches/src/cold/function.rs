//! The functions of the cold bench: what is asked of them and what is to be reached. Their sources are in `benches/cold`.

use std::path::Path;

use bytes::Bytes;

use crate::Error;

/// One of the functions that are started cold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Function {
    /// Five bytes of text
    Hello,
    /// A router app of about 100 KB: hono with middleware, JSON
    Hono,
    /// About 1 MB with heavy initialisation: graphql, zod, react-dom/server, a table of 500 rows
    Heavy,
    /// The same with 20,000 rows: what a heap snapshot is worst at. Nothing is promised of it
    Table,
}

/// What Isle wants to reach with a function.
pub struct Targets {
    /// How many times less than workerd's loader, wall time and CPU both.
    pub times: f64,
    /// Wall time that half of the starts stay within, in ms, on a quiet machine.
    pub p50_ms: f64,
    /// What a resident isolate takes, in bytes.
    pub resident_bytes: Option<f64>,
}

impl Function {
    /// Their names, in the order of the variants.
    pub const NAMES: [&str; 4] = ["hello", "hono", "heavy", "table"];

    /// The word in tables, files, hosts and sockets.
    pub fn name(self) -> &'static str {
        Function::NAMES[self as usize]
    }

    /// What is asked for: something that goes through all the function has.
    pub fn path(self) -> &'static str {
        match self {
            Function::Hello => "/hello",
            Function::Hono => "/api/products/search?text=brass&limit=5",
            Function::Heavy | Function::Table => "/orders?country=FR&first=10",
        }
    }

    /// The whole request as it goes over the wire.
    pub fn request(self, host: &str) -> Bytes {
        let path = self.path();
        Bytes::from(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: isle-bench/1\r\nAccept: */*\r\n\r\n"))
    }

    /// The bundle for Isle.
    ///
    /// # Errors
    /// It was not built.
    pub fn bundle(self, repository: &Path) -> Result<String, Error> {
        let path = repository.join(format!("benches/dist/{}/isle.js", self.name()));
        std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}: npm run build --prefix benches", path.display()).into())
    }

    /// What is to be reached, if anything was promised.
    pub fn targets(self) -> Option<Targets> {
        match self {
            Function::Hello => Some(Targets { times: 5.0, p50_ms: 1.0, resident_bytes: Some(2_300_000.0) }),
            Function::Hono => Some(Targets { times: 5.0, p50_ms: 3.0, resident_bytes: None }),
            Function::Heavy => Some(Targets { times: 10.0, p50_ms: 10.0, resident_bytes: None }),
            Function::Table => None,
        }
    }
}
