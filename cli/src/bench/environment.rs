//! The machine that a run was made from, as far as it matters for its numbers. No host name, no user:
//! reports are shown around.

use crate::bench::summary::Environment;

/// Reads it off this machine. What it does not say is left blank.
pub fn read() -> Environment {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = text("/proc/sys/kernel/osrelease");
    let system = match std::env::consts::OS {
        "linux" => "Linux",
        other => other,
    };
    Environment {
        isle: env!("CARGO_PKG_VERSION"),
        os: format!("{system} {} {}", release.trim(), std::env::consts::ARCH),
        cpu: model(&text("/proc/cpuinfo")),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: total(&text("/proc/meminfo")),
    }
}

/// The first processor's name.
fn model(cpuinfo: &str) -> String {
    let value = |line: &str| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned());
    cpuinfo.lines().find_map(value).unwrap_or_default()
}

/// `MemTotal`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: Abacus 9000 @ 3 Hz\nmodel name\t: other\n"),
            "Abacus 9000 @ 3 Hz"
        );
        assert_eq!(model(""), "");
        assert_eq!(total("MemTotal:       24557824 kB\nMemFree: 1 kB\n"), Some(24_557_824 * 1_024));
        assert_eq!(total("MemTotal: lots"), None);
    }
}
