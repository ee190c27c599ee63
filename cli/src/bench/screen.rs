//! A run in the terminal: 80 columns, colour only where it is wanted.

use crate::bench::buckets::{Bucket, buckets};
use crate::bench::record::Times;
use crate::bench::summary::{Latency, Load, Summary};
use crate::bench::units::{grouped, micros, per_second, percent};
use crate::term::{Paint, harmless};

/// Rows of the histogram: the whole report fits on a screen.
const ROWS_MAX: usize = 18;
/// Columns of the longest bar: with its labels, 80.
const BAR_WIDTH: usize = 40;
/// Columns of the bar that shows the parts.
const SPLIT_WIDTH: usize = 60;
/// What fills the parts' bar: told apart without colour.
const FILLS: [char; 6] = ['█', '▒', '▓', '░', '▚', '·'];

/// The report.
pub fn report(summary: &Summary, measured: &Times, paint: Paint) -> String {
    let mut lines = Vec::new();
    heading(&mut lines, summary, paint);
    latencies(&mut lines, summary, paint);
    histogram(&mut lines, &buckets(&measured.0, ROWS_MAX), &summary.latency_us, paint);
    split(&mut lines, summary, paint);
    failures(&mut lines, summary, paint);
    remarks(&mut lines, summary, paint);
    thresholds(&mut lines, summary, paint);
    lines.join("\n")
}

/// What was asked and how, in one line for people.
pub fn load_line(load: &Load) -> String {
    let mode = match load.rate_per_s {
        Some(rate) => format!("open loop at {} requests/s", per_second(rate)),
        None => "closed loop".to_owned(),
    };
    let up_to = if load.rate_per_s.is_some() { "up to " } else { "" };
    let plural = if load.connections == 1 { "" } else { "s" };
    let fresh = if load.fresh_connections { ", a new one for each request" } else { "" };
    format!("{mode}, {up_to}{} connection{plural}{fresh}", load.connections)
}

fn heading(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    let what = if summary.kind == "cold" { "Cold starts" } else { "Requests" };
    let of = summary.target.function.as_ref().map_or(String::new(), |name| format!(" of {name}"));
    lines.push(paint.bold(&harmless(&format!("{what}{of}"), false)));
    lines.push(paint.dim(&harmless(&format!("{} {}", summary.target.method, summary.target.url), false)));
    lines.push(paint.dim(&load_line(&summary.load)));
    let stopped = if summary.interrupted { ", interrupted" } else { "" };
    lines.push(format!(
        "{} sent in {}{stopped}, {} answered/s",
        grouped(summary.requests.sent),
        micros(summary.elapsed_s * 1e6),
        per_second(summary.rate_per_s)
    ));
}

fn row(name: &str, cells: [String; 6], count: &str) -> String {
    let [a, b, c, d, e, f] = cells;
    format!("  {name:<21}{a:>7} {b:>7} {c:>7} {d:>7} {e:>7} {f:>7} {count:>7}").trim_end().to_owned()
}

fn numbers(latency: &Latency) -> [String; 6] {
    let Latency { p50, p90, p99, p99_9, max, mean, .. } = *latency;
    [p50, p90, p99, p99_9, max, mean].map(micros)
}

fn columns(name: &str, count: &str, paint: Paint) -> String {
    paint.dim(&row(name, ["p50", "p90", "p99", "p99.9", "max", "mean"].map(str::to_owned), count))
}

fn latencies(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    if summary.latency_us.count == 0 {
        return;
    }
    lines.push(String::new());
    lines.push(columns("Latency", "count", paint));
    let name = if summary.kind == "cold" { "cold" } else { "all" };
    let count = |latency: &Latency| short(latency.count);
    lines.push(paint.bold(&row(name, numbers(&summary.latency_us), &count(&summary.latency_us))));
    // One kind alone says nothing that the row above does not.
    for (kind, distribution) in &summary.by_start {
        if *kind != "left_out" {
            let latency = &distribution.latency;
            lines.push(row(&format!("  {kind}"), numbers(latency), &count(latency)));
        }
    }
    if let Some(left_out) = summary.by_start.get("left_out") {
        lines.push(paint.dim(&row("left out: warm", numbers(&left_out.latency), &count(&left_out.latency))));
    }
}

/// A count in at most seven columns.
fn short(count: u64) -> String {
    if count < 1_000_000 { grouped(count) } else { format!("{:.2}M", count as f64 / 1e6) }
}

fn histogram(lines: &mut Vec<String>, buckets: &[Bucket], latency: &Latency, paint: Paint) {
    let Some(most) = buckets.iter().map(|bucket| bucket.count).max() else { return };
    lines.push(String::new());
    lines.push(paint.dim(&format!("  {:<19}{:<40} {:>8}", "Latency up to", "Requests", "share")));
    for bucket in buckets {
        let inside = |value: f64| bucket.from_us <= value && value < bucket.to_us;
        let marks: Vec<&str> =
            [(latency.p50, "p50"), (latency.p90, "p90"), (latency.p99, "p99"), (latency.p99_9, "p99.9")]
                .into_iter()
                .filter_map(|(value, mark)| inside(value).then_some(mark))
                .collect();
        let share = if bucket.count == 0 { String::new() } else { percent(bucket.count as f64 / latency.count as f64) };
        let bar = format!("{:<BAR_WIDTH$}", bar(bucket.count as f64 / most as f64));
        // Several marks in one row are only the ends of the range: they all fit.
        let marks = match marks.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first, .., last] => format!("{first}–{}", last.trim_start_matches('p')),
        };
        let line = format!("{:>17}  {} {share:>8} {}", micros(bucket.to_us), paint.cyan(&bar), paint.yellow(&marks));
        lines.push(line.trim_end().to_owned());
    }
}

/// A bar in eighths of a column, for a share from 0 to 1 of [`BAR_WIDTH`]. What is not 0 is seen.
fn bar(share: f64) -> String {
    let eighths = (share * BAR_WIDTH as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.clamp(1, BAR_WIDTH * 8) } else { 0 };
    let mut bar = "█".repeat(eighths / 8);
    bar.extend([' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'].get(eighths % 8).filter(|_| eighths % 8 > 0));
    bar
}

fn split(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    if summary.latency_us.count == 0 {
        return;
    }
    lines.push(String::new());
    let Some(split) = &summary.split else {
        lines.push("  Where the time goes is not known: the server sent no server-timing of an Isle node.".to_owned());
        return;
    };
    lines.push(columns("Where the time goes", "share", paint));
    let total: f64 = split.parts.iter().map(|part| part.latency.mean).sum();
    let mut drawn = String::new();
    let mut until = 0.0;
    for (part, fill) in split.parts.iter().zip(FILLS) {
        let share = if total > 0.0 { part.latency.mean / total } else { 0.0 };
        lines.push(row(&format!("{fill} {}", part.label), numbers(&part.latency), &percent(share)));
        until += share;
        let end = (until * SPLIT_WIDTH as f64).round() as usize;
        drawn.extend(std::iter::repeat_n(fill, end.saturating_sub(drawn.chars().count())));
    }
    if let Some(cpu) = &split.cpu_us {
        lines.push(paint.dim(&row("(CPU time)", numbers(cpu), "")));
    }
    lines.push(format!("  {} {}", paint.cyan(&drawn), paint.dim(&format!("mean {}", micros(total)))));
}

fn failures(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    if summary.failures.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(paint.dim(&format!("  {:<40}{:>8} {:>10} {:>10}", "Failures", "count", "p50", "max")));
    for failure in &summary.failures {
        let cells = (grouped(failure.count), micros(failure.p50_us), micros(failure.max_us));
        lines.push(paint.red(&format!("  {:<40}{:>8} {:>10} {:>10}", failure.what, cells.0, cells.1, cells.2)));
        if !failure.first.is_empty() {
            lines.push(paint.dim(&format!("    {}", harmless(&failure.first, false))));
        }
    }
}

/// What somebody who reads the numbers has to know, in sentences; the page shows the same.
pub fn caveats(summary: &Summary) -> Vec<String> {
    let mut said = Vec::new();
    let requests = &summary.requests;
    if summary.kind == "cold" && requests.left_out > 0 {
        said.push(format!(
            "{} of {} requests found a warm isolate and were left out.",
            grouped(requests.left_out),
            grouped(requests.sent)
        ));
    }
    if requests.unverified > 0 {
        said.push(format!(
            "The node did not say how {} requests started (no isle-start header): they may have been warm.",
            grouped(requests.unverified)
        ));
    }
    if requests.not_sent > 0 {
        said.push(format!(
            "{} requests were due and never sent: the server does not keep up with this rate.",
            grouped(requests.not_sent)
        ));
    }
    if let Some(lag) = summary.generator_lag_us.filter(|lag| lag.p99 > summary.latency_us.p50 * 0.5) {
        said.push(format!(
            "This program itself was late, by {} at p99: the machine is too busy for numbers this small.",
            micros(lag.p99)
        ));
    }
    if summary.latency_us.count > 0 && summary.latency_us.count < 100 {
        said.push("Fewer than 100 requests were measured: p99 and p99.9 are the slowest of them.".to_owned());
    }
    said
}

fn remarks(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    let said = caveats(summary);
    if !said.is_empty() {
        lines.push(String::new());
    }
    lines.extend(said.iter().map(|text| format!("{} {text}", paint.yellow("note"))));
}

fn thresholds(lines: &mut Vec<String>, summary: &Summary, paint: Paint) {
    if !summary.thresholds.is_empty() {
        lines.push(String::new());
    }
    for verdict in &summary.thresholds {
        let text = format!("  {:<24} {}", verdict.threshold, verdict.measured);
        lines.push(if verdict.kept { paint.green(&format!("✓{text}")) } else { paint.red(&format!("✗{text}")) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::samples::cold;
    use crate::bench::summary::samples::summary;

    #[test]
    fn a_report_fits_80_columns_and_has_no_colour_where_none_is_wanted() {
        let mut run = summary();
        let verdict = crate::bench::threshold::parse("p90=5ms").unwrap().judge(&run, |_| 5_700.0);
        run.thresholds.push(verdict);
        let report = report(&run, &cold().latency, Paint::OFF);
        for line in report.lines() {
            assert!(line.chars().count() <= 100 && (line.chars().count() <= 80 || line.starts_with("note")), "{line}");
        }
        assert!(!report.contains('\x1b'));
        for part in [
            "Cold starts of blog/hello",
            "closed loop, 1 connection",
            "snapshot",
            "left out: warm",
            "isolate start",
            "status 429 refused_busy",
            "reset <by> peer",
            "2 of 100 requests found a warm isolate",
            "✗  p90 ≤ 5.00 ms            5.70 ms",
        ] {
            assert!(report.contains(part), "{part} is missing in\n{report}");
        }
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1e-9), "▏");
        assert_eq!(bar(1.0), "█".repeat(BAR_WIDTH));
        assert_eq!(bar(0.5 / 40.0), "▌");
        assert_eq!(bar(1.25 / 40.0), "█▎");
    }

    #[test]
    fn each_bucket_is_a_row_with_its_percentiles() {
        let latency = Latency { count: 4, p50: 150.0, p90: 150.0, p99: 950.0, p99_9: 950.0, ..Latency::default() };
        let bucket = |from_us, to_us, count| Bucket { from_us, to_us, count };
        let mut lines = Vec::new();
        histogram(
            &mut lines,
            &[bucket(100.0, 200.0, 3), bucket(200.0, 900.0, 0), bucket(900.0, 1_000.0, 1)],
            &latency,
            Paint::OFF,
        );
        assert_eq!(lines[2], format!("           200 µs  {}    75.0% p50–90", "█".repeat(40)));
        assert_eq!(lines[3], "           900 µs");
        assert!(lines[4].ends_with("25.0% p99–99.9"), "{}", lines[4]);
    }

    #[test]
    fn without_timing_that_is_said() {
        let run = Summary { split: None, ..summary() };
        assert!(report(&run, &cold().latency, Paint::OFF).contains("Where the time goes is not known"));
    }
}
