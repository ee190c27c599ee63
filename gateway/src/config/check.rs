//! What is wrong with a configuration, where, and what was expected.

use super::NodeConfig;
use crate::egress::host::{self, HostPattern};
use serde::Deserialize;
use std::net::SocketAddr;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as the operator named it.
    pub source: String,
    /// Line in it, from 1, where one is known.
    pub line: Option<usize>,
    /// The key, with the tables it is in: `http.headers_max`. Empty if the file is no TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl ConfigError {
    pub(super) fn unreadable(source: &str, error: &std::io::Error) -> ConfigError {
        let message = format!("cannot be read: {error}");
        ConfigError { source: source.to_owned(), line: None, key: String::new(), message }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A value that has the right type and makes no sense.
pub(super) struct OutOfRange {
    key: String,
    message: String,
}

/// For `listen` keys: serde's own message does not say how an address is written.
pub(super) fn socket_addr<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        let expected = "expected an IP address and a port, such as \"127.0.0.1:3000\" or \"[::]:443\"";
        serde::de::Error::custom(format_args!("invalid value \"{text}\", {expected}"))
    })
}

/// Turns what the TOML parser or serde says into key, line and message.
pub(super) fn not_understood(source: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span();
    let key = match (&span, DeTable::parse(text)) {
        (Some(span), Ok(table)) => key_at(table.get_ref(), span).unwrap_or_default(),
        _ => String::new(),
    };
    ConfigError {
        source: source.to_owned(),
        line: span.map(|span| line_of(text, span.start)),
        key,
        message: error.message().to_owned(),
    }
}

/// Finds the line of a value that [`ranges`] has refused. A default has none.
pub(super) fn out_of_range(source: &str, text: &str, bad: OutOfRange) -> ConfigError {
    let line = DeTable::parse(text).ok().and_then(|table| {
        let mut table = table.into_inner();
        let mut line = None;
        for part in bad.key.split('.') {
            let (key, value) = table.into_iter().find(|(key, _)| key.get_ref() == part)?;
            line = Some(line_of(text, key.span().start));
            match value.into_inner() {
                DeValue::Table(inner) => table = inner,
                _ => return line,
            }
        }
        line
    });
    ConfigError { source: source.to_owned(), line, key: bad.key, message: bad.message }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

/// The path of the innermost key that `span` is at or in.
fn key_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let inner = inside(value, span);
        let here = || holds(&key.span(), span) || holds(&value.span(), span);
        match inner {
            Some(inner) => Some(format!("{}.{inner}", key.get_ref())),
            None => here().then(|| key.get_ref().to_string()),
        }
    })
}

fn inside(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => key_at(table, span),
        DeValue::Array(items) => items.iter().find_map(|item| inside(item, span)),
        _ => None,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Says which value, if any, makes no sense.
pub(super) fn ranges(config: &NodeConfig) -> Result<(), OutOfRange> {
    let http = &config.http;
    let cells = &config.cells;
    let artifacts = &config.artifacts;
    let numbers: [(&str, u64, u64, u64); 28] = [
        ("http.header_timeout_ms", http.header_timeout_ms, 10, 600_000),
        ("http.handshake_timeout_ms", http.handshake_timeout_ms, 10, 600_000),
        ("http.idle_timeout_ms", http.idle_timeout_ms, 10, 3_600_000),
        ("http.body_idle_ms", http.body_idle_ms, 10, 600_000),
        ("http.head_bytes_max", http.head_bytes_max as u64, 1_024, 1 << 20),
        ("http.headers_max", u64::from(http.headers_max), 8, 1_000),
        // hyper's own limit is 65,534.
        ("http.uri_bytes_max", http.uri_bytes_max as u64, 256, 65_534),
        ("http.connections_max", http.connections_max, 1, 1_000_000),
        ("http.handshakes_max", http.handshakes_max as u64, 1, 100_000),
        ("cells.memory_mb", u64::from(cells.memory_mb), 64, 65_536),
        ("cells.spare_cells", u64::from(cells.spare_cells), 0, 64),
        ("cells.spare_cells_max", u64::from(cells.spare_cells_max), 0, 64),
        ("cells.spare_isolates", u64::from(cells.spare_isolates), 0, 64),
        ("cells.spare_isolates_max", u64::from(cells.spare_isolates_max), 0, 64),
        ("cells.isolates_max", u64::from(cells.isolates_max), 1, 4_096),
        ("cells.isolate_idle_ms", cells.isolate_idle_ms, 100, 86_400_000),
        ("cells.heartbeat_timeout_ms", cells.heartbeat_timeout_ms, 500, 600_000),
        ("artifacts.memory_mb", u64::from(artifacts.memory_mb), 0, 1 << 20),
        ("artifacts.disk_mb", u64::from(artifacts.disk_mb), 1, 1 << 24),
        ("artifacts.source_memory_mb", u64::from(artifacts.source_memory_mb), 0, 1 << 20),
        ("artifacts.builders", u64::from(artifacts.builders), 0, 256),
        ("artifacts.builder_memory_mb", u64::from(artifacts.builder_memory_mb), 256, 65_536),
        ("artifacts.builder_cpu_s", u64::from(artifacts.builder_cpu_s), 1, 3_600),
        ("artifacts.builder_deadline_ms", artifacts.builder_deadline_ms, 1_000, 3_600_000),
        ("tenants.concurrency_max", u64::from(config.tenants.concurrency_max), 1, 65_536),
        ("tenants.queue", u64::from(config.tenants.queue), 0, 65_536),
        ("node.concurrency_max", u64::from(config.node.concurrency_max), 1, 65_536),
        ("shutdown.drain_ms", config.shutdown.drain_ms, 0, 600_000),
    ];
    for (key, given, min, max) in numbers {
        if given < min || given > max {
            return refuse(key, format!("is {given}, expected {min} to {max}"));
        }
    }
    if let Err(bad) = config.limits.check() {
        let message = format!("is {}, expected {} to {}", bad.given, bad.min, bad.max);
        return refuse(&format!("limits.{}", bad.field), message);
    }
    if cells.spare_isolates >= cells.isolates_max {
        let message =
            format!("is {}, expected more than cells.spare_isolates ({})", cells.isolates_max, cells.spare_isolates);
        return refuse("cells.isolates_max", message);
    }
    if cells.memory_mb < config.limits.heap_mb {
        let message = format!("is {}, expected at least limits.heap_mb ({})", cells.memory_mb, config.limits.heap_mb);
        return refuse("cells.memory_mb", message);
    }
    for text in &config.egress.open {
        if let Err(why) = HostPattern::parse(text) {
            return refuse("egress.open", format!("has \"{text}\", which {why}, {}", host::EXPECTED));
        }
    }
    if config.data_dir.as_os_str().is_empty() {
        return refuse("data_dir", "is empty, expected a folder".to_owned());
    }
    let (public, admin) = (config.public.listen, config.admin.listen);
    if public == admin && public.port() != 0 {
        return refuse("admin.listen", format!("is {admin}, expected another address than public.listen"));
    }
    if !is_domain(&config.public.base_domain) {
        let message =
            format!("is \"{}\", expected a domain in lower case, such as \"example.com\"", config.public.base_domain);
        return refuse("public.base_domain", message);
    }
    trust_groups(config)
}

/// A tenant in two groups would make three tenants share what two pairs agreed on.
fn trust_groups(config: &NodeConfig) -> Result<(), OutOfRange> {
    let mut group_of = std::collections::HashMap::new();
    for (group, members) in &config.trust_groups {
        let key = format!("trust_groups.{group}");
        for name in std::iter::once(group).chain(members) {
            if !is_label(name) {
                return refuse(&key, format!("names \"{name}\", expected lower-case letters, digits and hyphens"));
            }
        }
        for tenant in members {
            if let Some(other) = group_of.insert(tenant, group) {
                return refuse(
                    &key,
                    format!("names \"{tenant}\", expected a tenant that is not in \"{other}\" already"),
                );
            }
        }
    }
    Ok(())
}

fn refuse(key: &str, message: String) -> Result<(), OutOfRange> {
    Err(OutOfRange { key: key.to_owned(), message })
}

fn is_domain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(ok) && !label.starts_with('-') && !label.ends_with('-')
}
