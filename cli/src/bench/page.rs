//! A run as one HTML file that needs nothing else: to be opened, sent, kept.
//!
//! Everything is drawn here; the page's script only switches scales and shows values under the
//! pointer, and what it shows is in the tables as well. A policy in the page forbids it to load
//! anything.

mod bars;
mod curve;
mod svg;

use crate::bench::screen::{caveats, load_line};
use crate::bench::summary::{Latency, Summary};
use crate::bench::units::{grouped, micros, per_second, percent};
use crate::clock;
use std::fmt::Write;
use svg::escape;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The page.
pub fn render(summary: &Summary) -> String {
    let mut out = String::with_capacity(128 << 10);
    let title = title(summary);
    // Writing to a String cannot fail, here and below.
    _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\
         <title>{}</title><link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body><main>",
        escape(&title)
    );
    header(&mut out, summary, &title);
    tiles(&mut out, summary);
    verdicts(&mut out, summary);
    notes(&mut out, summary);
    if summary.latency_us.count > 0 {
        distribution(&mut out, summary);
        out.push_str("<div class=\"two\"><section class=\"card half\"><h2>Histogram</h2>");
        bars::histogram(&mut out, summary);
        out.push_str("</section><section class=\"card half\"><h2>Latency over time</h2>");
        bars::over_time(&mut out, summary);
        out.push_str("</section></div>");
        split(&mut out, summary);
    }
    failures(&mut out, summary);
    facts(&mut out, summary);
    raw(&mut out, summary);
    _ = writeln!(
        out,
        "<footer>Measured with <code>isle bench {}</code>, isle {}.</footer></main><script>{SCRIPT}</script></body></html>",
        summary.kind, summary.environment.isle
    );
    out
}

fn title(summary: &Summary) -> String {
    match (summary.kind, &summary.target.function) {
        ("cold", Some(function)) => format!("Cold starts of {function}"),
        (_, Some(function)) => format!("Latency of {function}"),
        _ => format!("Latency of {}", summary.target.url),
    }
}

fn header(out: &mut String, summary: &Summary, title: &str) {
    _ = write!(
        out,
        "<header><h1>{}</h1><p><code>{} {}</code></p><p class=\"soft\">{}; {}{}</p></header>",
        escape(title),
        escape(&summary.target.method),
        escape(&summary.target.url),
        escape(&load_line(&summary.load)),
        clock::utc(summary.started_at_ms),
        if summary.interrupted { "; interrupted" } else { "" }
    );
}

fn tiles(out: &mut String, summary: &Summary) {
    let Latency { p50, p90, p99, p99_9, max, count, .. } = summary.latency_us;
    let latencies = [("median (p50)", p50), ("p90", p90), ("p99", p99), ("p99.9", p99_9), ("slowest", max)];
    // Nothing measured is no latency of zero.
    let shown = |us| if count > 0 { micros(us) } else { "–".to_owned() };
    let mut tiles: Vec<(&str, String)> = latencies.map(|(name, us)| (name, shown(us))).into();
    tiles.push(("measured", grouped(count)));
    tiles.push(("answered", format!("{} /s", per_second(summary.rate_per_s))));
    out.push_str("<dl class=\"tiles\">");
    for (index, (name, value)) in tiles.iter().enumerate() {
        let class = if index == 0 { " first" } else { "" };
        let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
        _ = write!(out, "<div class=\"tile{class}\"><dt>{name}</dt><dd>{number}<small> {unit}</small></dd></div>");
    }
    out.push_str("</dl>");
}

fn verdicts(out: &mut String, summary: &Summary) {
    if summary.thresholds.is_empty() {
        return;
    }
    out.push_str("<section class=\"card\"><h2>Thresholds</h2><ul class=\"verdicts\">");
    for verdict in &summary.thresholds {
        let (class, word) = if verdict.kept { ("kept", "✓ kept") } else { ("broken", "✗ exceeded") };
        let (threshold, measured) = (escape(&verdict.threshold), escape(&verdict.measured));
        _ = write!(out, "<li><b class=\"{class}\">{word}</b> {threshold}, measured {measured}</li>");
    }
    out.push_str("</ul></section>");
}

fn notes(out: &mut String, summary: &Summary) {
    let notes = caveats(summary);
    if notes.is_empty() {
        return;
    }
    out.push_str("<section class=\"card notes\" aria-label=\"Notes\"><ul>");
    for note in notes {
        _ = write!(out, "<li>{}</li>", escape(&note));
    }
    out.push_str("</ul></section>");
}

fn distribution(out: &mut String, summary: &Summary) {
    let far = summary.latency_us.max > summary.latency_us.p50 * 8.0;
    let checked = |yes: bool| if yes { " checked" } else { "" };
    _ = write!(
        out,
        "<section class=\"card\"><div class=\"head\"><h2>Latency by percentile</h2><fieldset class=\"switch\" \
         aria-label=\"Scale of latencies\"><label><input type=\"radio\" name=\"scale\" value=\"linear\"{}>linear</label>\
         <label><input type=\"radio\" name=\"scale\" value=\"log\"{}>logarithmic</label></fieldset></div>",
        checked(!far),
        checked(far)
    );
    curve::render(out, summary);
    let series = curve::series(summary);
    if series.len() > 1 {
        out.push_str("<ul class=\"legend\">");
        for one in &series {
            _ = write!(
                out,
                "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path class=\"curve k-{}\" d=\"M1 5H21\"/></svg>{}</li>",
                escape(one.class),
                escape(one.name)
            );
        }
        out.push_str("</ul>");
    }
    let data: Vec<_> = series.iter().map(|one| serde_json::json!({ "name": one.name, "points": one.points })).collect();
    _ = write!(out, "<script type=\"application/json\" id=\"series\">{}</script>", inert(&serde_json::json!(data)));
    table(out, "Latency in numbers", "");
    for (index, one) in series.iter().enumerate() {
        let latency = match one.class {
            "all" => Some(&summary.latency_us),
            "warm" if summary.kind == "cold" => summary.by_start.get("left_out").map(|of| &of.latency),
            kind => summary.by_start.get(kind).map(|of| &of.latency),
        };
        let class = if index == 0 { "main" } else { "faint" };
        if let Some(latency) = latency {
            row(out, class, one.name, latency, &grouped(latency.count));
        }
    }
    out.push_str("</tbody></table></div></section>");
}

fn table(out: &mut String, caption: &str, last: &str) {
    let last = if last.is_empty() { "requests" } else { last };
    _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\"><table><caption>{caption}</caption><thead><tr><th scope=\"col\"></th>"
    );
    for name in ["fastest", "p50", "p90", "p99", "p99.9", "slowest", "mean", last] {
        _ = write!(out, "<th scope=\"col\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
}

fn row(out: &mut String, class: &str, name: &str, latency: &Latency, last: &str) {
    let Latency { min, p50, p90, p99, p99_9, max, mean, .. } = *latency;
    _ = write!(out, "<tr class=\"{class}\"><th scope=\"row\">{}</th>", escape(name));
    for value in [min, p50, p90, p99, p99_9, max, mean] {
        _ = write!(out, "<td>{}</td>", micros(value));
    }
    _ = write!(out, "<td>{}</td></tr>", escape(last));
}

fn split(out: &mut String, summary: &Summary) {
    out.push_str("<section class=\"card\"><h2>Where the time goes</h2>");
    let Some(split) = &summary.split else {
        out.push_str("<p class=\"soft\">Not known: the server sent no server-timing of an Isle node.</p></section>");
        return;
    };
    out.push_str(
        "<p class=\"soft\">The average request, and the average of fast and of slow ones.</p><div class=\"wide\">",
    );
    bars::split(out, split);
    out.push_str("</div><ul class=\"legend\">");
    for part in &split.parts {
        _ = write!(
            out,
            "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><rect class=\"p-{}\" width=\"22\" height=\"10\" rx=\"2\"/></svg>{}</li>",
            part.part, part.label
        );
    }
    out.push_str("</ul>");
    let total: f64 = split.parts.iter().map(|part| part.latency.mean).sum();
    table(out, "Each part by itself", "share");
    for part in &split.parts {
        row(out, "", part.label, &part.latency, &percent(part.latency.mean / total.max(f64::MIN_POSITIVE)));
    }
    if let Some(cpu) = &split.cpu_us {
        row(out, "faint", "CPU time of start and handler", cpu, "");
    }
    out.push_str("</tbody></table></div></section>");
}

fn failures(out: &mut String, summary: &Summary) {
    if summary.failures.is_empty() {
        return;
    }
    out.push_str(
        "<section class=\"card\"><h2>Failures</h2><div class=\"scroll\" tabindex=\"0\"><table>\
         <caption>Their latencies are in no other number</caption><thead><tr><th scope=\"col\"></th>\
         <th scope=\"col\">requests</th><th scope=\"col\">share</th><th scope=\"col\">p50</th><th scope=\"col\">slowest</th>\
         </tr></thead><tbody>",
    );
    for failure in &summary.failures {
        let what = match failure.first.as_str() {
            "" => failure.what.clone(),
            first => format!("{}: {first}", failure.what),
        };
        _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&what),
            grouped(failure.count),
            percent(failure.count as f64 / summary.requests.sent.max(1) as f64),
            micros(failure.p50_us),
            micros(failure.max_us)
        );
    }
    out.push_str("</tbody></table></div></section>");
}

/// How it was measured and where.
fn facts(out: &mut String, summary: &Summary) {
    let (load, target, environment) = (&summary.load, &summary.target, &summary.environment);
    let seconds = |seconds: f64| micros(seconds * 1e6);
    let mut run = vec![("Request", format!("{} {}", target.method, target.url))];
    if !target.headers.is_empty() {
        run.push(("Headers", target.headers.join(", ")));
    }
    if target.body_bytes > 0 {
        run.push(("Body", clock::bytes(target.body_bytes as u64)));
    }
    run.push(("Load", load_line(load)));
    let limits = [load.requests.map(|count| format!("{} requests", grouped(count))), load.duration_s.map(seconds)];
    run.push(("Until", limits.into_iter().flatten().collect::<Vec<_>>().join(" or ")));
    run.push(("Warm-up", load.warm_up.clone()));
    run.push(("Time limit", format!("{} a request", seconds(load.timeout_s))));
    run.push(("Took", seconds(summary.elapsed_s)));
    let requests = &summary.requests;
    let mut counts = format!(
        "{} sent, {} measured, {} failed",
        grouped(requests.sent),
        grouped(requests.measured),
        grouped(requests.failed)
    );
    let others = [
        (requests.left_out, "left out"),
        (requests.not_sent, "never sent"),
        (requests.given_up, "given up at the end"),
    ];
    for (count, what) in others {
        if count > 0 {
            _ = write!(counts, ", {} {what}", grouped(count));
        }
    }
    run.push(("Requests", counts));
    if let Some(lag) = &summary.generator_lag_us {
        run.push(("Sent late by", format!("{} at p50, {} at p99", micros(lag.p50), micros(lag.p99))));
    }
    let memory = environment.memory_bytes.map_or(String::new(), clock::bytes);
    let place = vec![
        ("System", environment.os.clone()),
        ("Processor", environment.cpu.clone()),
        ("Processors", environment.cpus.to_string()),
        ("Memory", memory),
        ("isle", environment.isle.to_owned()),
        ("Started", clock::utc(summary.started_at_ms)),
    ];
    out.push_str("<div class=\"two\">");
    for (heading, facts) in [("Run", run), ("Where the load came from", place)] {
        _ = write!(
            out,
            "<section class=\"card\"><h2>{heading}</h2><div class=\"scroll\"><table class=\"facts\"><tbody>"
        );
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            _ = write!(out, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", escape(value));
        }
        out.push_str("</tbody></table></div></section>");
    }
    out.push_str("</div>");
}

/// The numbers as `--json` prints them.
fn raw(out: &mut String, summary: &Summary) {
    let json = serde_json::to_string_pretty(summary).unwrap_or_default();
    _ = write!(
        out,
        "<details class=\"card\"><summary>All numbers as JSON</summary><pre>{}</pre></details>",
        lines(&json)
    );
}

/// Text of several lines.
fn lines(text: &str) -> String {
    text.lines().map(|line| escape(line) + "\n").collect()
}

/// JSON that cannot end the script element it is in.
fn inert(json: &serde_json::Value) -> String {
    json.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::summary::samples::summary;

    #[test]
    fn the_page_stands_alone() {
        let page = render(&summary());
        assert!(page.starts_with("<!doctype html>"));
        for outside in ["src=", "@import", "url(", "href=\"http", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        for part in ["prefers-color-scheme:dark", "<title>Cold starts of blog/hello</title>", "<caption>", "<desc"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn texts_of_strangers_stay_texts() {
        let mut run = summary();
        run.target.function = Some("</script><script>alert(1)</script>".to_owned());
        let page = render(&run);
        assert!(page.contains("hello/isle?&lt;q&gt;") && page.contains("reset &lt;by&gt; peer"));
        assert!(!page.contains("<q>") && !page.contains("<script>alert"));
    }

    #[test]
    fn a_run_without_an_answer_is_a_page_too() {
        let mut run = summary();
        run.latency_us = Latency::default();
        run.split = None;
        let page = render(&run);
        assert!(page.contains("–") && !page.contains("Latency by percentile") && page.contains("Failures"));
    }

    #[test]
    fn every_value_in_the_page_has_a_number_in_a_table() {
        let run = summary();
        let page = render(&run);
        for value in [run.latency_us.p50, run.latency_us.p99, run.by_start["source"].latency.max] {
            assert!(page.contains(&format!("<td>{}</td>", micros(value))), "{value}");
        }
    }
}
