//! The percentile curve: which share of all requests stays within which latency. The axis of shares
//! gives as much room to each nine as to the one before, since the slow few are the point of it.

use crate::bench::page::svg::{self, Scale, axis_label};
use crate::bench::summary::Summary;
use crate::bench::units::micros;
use std::fmt::Write;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 978.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 336.0;

/// One line of the chart.
pub struct Series<'a> {
    /// For the legend.
    pub name: &'a str,
    /// For the colour.
    pub class: &'a str,
    /// Shares and latencies.
    pub points: &'a [(f64, f64)],
    /// How many requests.
    pub count: u64,
}

/// All that was measured, then each kind of start if there are several.
pub fn series(summary: &Summary) -> Vec<Series<'_>> {
    let name = if summary.kind == "cold" { "all cold starts" } else { "all requests" };
    let (points, count) = (summary.percentiles.as_slice(), summary.latency_us.count);
    let mut series = vec![Series { name, class: "all", points, count }];
    let kinds = || summary.by_start.iter().filter(|(kind, _)| **kind != "left_out");
    if kinds().count() > 1 {
        series.extend(kinds().map(|(kind, distribution)| Series {
            name: kind,
            class: kind,
            points: &distribution.percentiles,
            count: distribution.latency.count,
        }));
    }
    if let Some(warm) = summary.by_start.get("left_out") {
        let (points, count) = (warm.percentiles.as_slice(), warm.latency.count);
        series.push(Series { name: "left out: warm", class: "warm", points, count });
    }
    series
}

/// The chart, twice: with an even and with a logarithmic axis of latencies.
pub fn render(out: &mut String, summary: &Summary) {
    let series = series(summary);
    let latency = &summary.latency_us;
    // The scale that shows more at first: an even one unless the slowest are far away.
    let far = latency.max > latency.p50 * 8.0;
    let nines = (latency.count.max(10) as f64).log10();
    let low = series.iter().flat_map(|series| series.points).map(|(_, us)| *us).fold(latency.min, f64::min);
    for (id, scale, shown) in [
        ("linear", Scale::linear(latency.max, BOTTOM, TOP), !far),
        ("log", Scale::log(low, latency.max, BOTTOM, TOP), far),
    ] {
        let hidden = if shown { "" } else { " hidden" };
        _ = write!(
            out,
            "<div class=\"plot\" data-scale=\"{id}\" data-left=\"{}\" data-right=\"{}\" data-nines=\"{nines}\"{hidden}>",
            LEFT / WIDTH,
            RIGHT / WIDTH
        );
        chart(out, id, &series, &scale, nines, summary);
        out.push_str("</div>");
    }
}

/// Where a share is.
fn across(share: f64, nines: f64) -> f64 {
    let left = (1.0 - share).max(1e-12);
    LEFT + (-left.log10() / nines).clamp(0.0, 1.0) * (RIGHT - LEFT)
}

fn chart(out: &mut String, id: &str, series: &[Series<'_>], scale: &Scale, nines: f64, summary: &Summary) {
    let latency = &summary.latency_us;
    let description = format!(
        "Half of the requests are answered within {}, 90 % within {}, 99 % within {}, all within {}.",
        micros(latency.p50),
        micros(latency.p90),
        micros(latency.p99),
        micros(latency.max)
    );
    svg::open(out, &format!("curve-{id}"), WIDTH, HEIGHT, "Latency by percentile", &description);
    for tick in scale.ticks() {
        let y = scale.at(tick);
        svg::line(out, "grid", (LEFT, y), (RIGHT, y));
        svg::text(out, "tick", (LEFT - 8.0, y + 4.0), "end", &axis_label(tick));
    }
    for (share, label) in shares(nines) {
        let x = across(share, nines);
        svg::line(out, "grid", (x, TOP), (x, BOTTOM));
        svg::text(out, "tick", (x, BOTTOM + 20.0), "middle", &label);
    }
    svg::text(
        out,
        "axis",
        ((LEFT + RIGHT) / 2.0, HEIGHT - 4.0),
        "middle",
        "share of requests answered within that time",
    );
    // The most important on top.
    for series in series.iter().rev() {
        let mut path = String::new();
        let mut last = None;
        for (share, us) in series.points {
            // A curve of fewer requests ends where they do.
            let most = 1.0 - 1.0 / (series.count.max(1) as f64 * 1.000_001);
            let at = (across(share.min(most), nines), scale.at(*us));
            let letter = if last.is_none() { 'M' } else { 'L' };
            if last != Some(at) {
                _ = write!(path, "{letter}{:.1} {:.1}", at.0, at.1);
            }
            last = Some(at);
        }
        _ = write!(out, "<path class=\"curve k-{}\" d=\"{path}\"/>", svg::escape(series.class));
        if let (Some((x, y)), true) = (last, series.class == "all") {
            _ = write!(out, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
        }
    }
    _ = write!(out, "<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{TOP}\" y2=\"{BOTTOM}\" hidden=\"\"/></svg>");
}

/// The shares to write below the axis: each nine, and the half.
fn shares(nines: f64) -> Vec<(f64, String)> {
    let mut shares = vec![(0.0, "0 %".to_owned()), (0.5, "50 %".to_owned())];
    for nine in 1..=(nines + 1e-9).floor() as i32 {
        let percent = format!("{:.*} %", usize::try_from(nine - 2).unwrap_or(0), 100.0 - 100.0 * 10f64.powi(-nine));
        shares.push((1.0 - 10f64.powi(-nine), percent));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::summary::samples::summary;

    #[test]
    fn each_nine_has_as_much_room_as_the_one_before() {
        let labels: Vec<String> = shares(4.2).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        let x = |share| across(share, 4.0);
        assert!(((x(0.99) - x(0.9)) - (x(0.999) - x(0.99))).abs() < 1e-6);
        assert_eq!((x(0.0), x(1.0)), (LEFT, RIGHT));
    }

    #[test]
    fn kinds_are_drawn_when_there_are_several() {
        let mut run = summary();
        let names = |run: &Summary| series(run).iter().map(|series| series.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&run), ["all cold starts", "snapshot", "source", "left out: warm"]);
        run.by_start.remove("source");
        assert_eq!(names(&run), ["all cold starts", "left out: warm"]);
    }
}
