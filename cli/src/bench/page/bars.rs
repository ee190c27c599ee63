//! Charts made of rectangles: the histogram, the parts of fast and slow requests, latency over time.

use crate::bench::page::svg::{self, Scale, axis_label};
use crate::bench::summary::{Split, Summary};
use crate::bench::units::{grouped, micros, percent};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 310.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 508.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 262.0;

/// How many requests took how long.
pub fn histogram(out: &mut String, summary: &Summary) {
    let (buckets, latency) = (&summary.histogram, &summary.latency_us);
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return };
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    let most_at = buckets.iter().find(|bucket| bucket.count == most).unwrap_or(first);
    let description = format!(
        "Latencies from {} to {}; most often from {} to {}.",
        micros(latency.min),
        micros(latency.max),
        micros(most_at.from_us),
        micros(most_at.to_us)
    );
    svg::open(out, "histogram", WIDTH, HEIGHT, "Histogram of latencies", &description);
    let across = Scale::log_exact(first.from_us, last.to_us, LEFT, RIGHT);
    let up = Scale::linear(most as f64, BOTTOM, TOP);
    for tick in up.ticks() {
        let y = up.at(tick);
        svg::line(out, "grid", (LEFT, y), (RIGHT, y));
        // Half a request is no label.
        if tick.fract() == 0.0 {
            svg::text(out, "tick", (LEFT - 8.0, y + 4.0), "end", &grouped(tick as u64));
        }
    }
    for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
        let (from, to) = (across.at(bucket.from_us), across.at(bucket.to_us));
        // What happened once is seen beside what happened a thousand times.
        let height = (BOTTOM - up.at(bucket.count as f64)).max(1.5);
        let says = format!(
            "{} to {}: {} requests, {}",
            micros(bucket.from_us),
            micros(bucket.to_us),
            grouped(bucket.count),
            percent(bucket.count as f64 / latency.count.max(1) as f64)
        );
        svg::bar(out, "fill", (from, BOTTOM - height, (to - from - 1.0).max(0.6), height), "", &says);
    }
    marks(out, &across, summary);
    times(out, &across, BOTTOM);
    svg::text(out, "axis", ((LEFT + RIGHT) / 2.0, HEIGHT - 6.0), "middle", "latency (logarithmic)");
    out.push_str("</svg>");
}

/// Lines at the percentiles. One whose name would cover another's has none.
fn marks(out: &mut String, across: &Scale, summary: &Summary) {
    let latency = &summary.latency_us;
    let mut last = f64::NEG_INFINITY;
    for (value, name) in [(latency.p50, "p50"), (latency.p90, "p90"), (latency.p99, "p99"), (latency.p99_9, "p99.9")] {
        let x = across.at(value);
        svg::line(out, "mark", (x, TOP - 6.0), (x, BOTTOM));
        if x - last > 32.0 {
            svg::text(out, "tick", (x, TOP - 11.0), "middle", name);
            last = x;
        }
    }
}

/// Labels of a logarithmic axis of latencies.
fn times(out: &mut String, across: &Scale, bottom: f64) {
    let mut last = f64::NEG_INFINITY;
    for tick in across.ticks() {
        let x = across.at(tick);
        svg::line(out, "tickmark", (x, bottom), (x, bottom + 5.0));
        if x - last > 48.0 {
            svg::text(out, "tick", (x, bottom + 20.0), "middle", &axis_label(tick));
            last = x;
        }
    }
}

/// Latency over the run, as a heat map.
pub fn over_time(out: &mut String, summary: &Summary) {
    let (cells, slice_s) = (&summary.timeline.cells, summary.timeline.slice_ms / 1e3);
    let Some(last) = cells.iter().map(|cell| cell.slice).max() else { return };
    let most = cells.iter().map(|cell| cell.count).max().unwrap_or(1) as f64;
    let low = cells.iter().map(|cell| cell.from_us).fold(f64::INFINITY, f64::min);
    let high = cells.iter().map(|cell| cell.to_us).fold(0.0, f64::max);
    let end = (last + 1) as f64 * slice_s;
    let description = format!(
        "{} s of run time to the right, latency from {} to {} upwards; the more requests, the stronger the colour.",
        (end * 10.0).round() / 10.0,
        micros(low),
        micros(high)
    );
    svg::open(out, "over-time", WIDTH, HEIGHT, "Latency over time", &description);
    let up = Scale::log_exact(low, high, BOTTOM, TOP - 8.0);
    for tick in up.ticks() {
        let y = up.at(tick);
        svg::line(out, "grid", (LEFT, y), (RIGHT, y));
        svg::text(out, "tick", (LEFT - 8.0, y + 4.0), "end", &axis_label(tick));
    }
    let column = (RIGHT - LEFT) / (last + 1) as f64;
    for cell in cells {
        let (top, bottom) = (up.at(cell.to_us), up.at(cell.from_us));
        let x = LEFT + cell.slice as f64 * column;
        // By the logarithm: a single slow request is to be seen.
        let strength = 0.22 + 0.78 * (cell.count as f64).ln_1p() / most.ln_1p();
        let says = format!(
            "at {:.2} s, {} to {}: {} requests",
            cell.slice as f64 * slice_s,
            micros(cell.from_us),
            micros(cell.to_us),
            grouped(cell.count)
        );
        let gap = if column > 4.0 { 0.8 } else { 0.0 };
        let place = (x, top + 0.4, (column - gap).max(0.5), (bottom - top - 0.8).max(0.5));
        svg::bar(out, "fill", place, &format!("opacity:{strength:.2}"), &says);
    }
    let across = Scale::linear(end, 0.0, 1.0);
    for tick in across.ticks().into_iter().filter(|tick| *tick <= end * 1.001) {
        let x = LEFT + tick / end * (RIGHT - LEFT);
        svg::line(out, "tickmark", (x, BOTTOM), (x, BOTTOM + 5.0));
        svg::text(out, "tick", (x, BOTTOM + 20.0), "middle", &axis_label(tick * 1e6));
    }
    svg::text(out, "axis", ((LEFT + RIGHT) / 2.0, HEIGHT - 6.0), "middle", "time since the start of the run");
    out.push_str("</svg>");
}

/// Where fast and slow requests spend their time, one bar for each band.
pub fn split(out: &mut String, split: &Split) {
    const WIDE: f64 = 1_000.0;
    const ROW: f64 = 44.0;
    const NAMES: f64 = 150.0;
    // Room for the sum behind the longest bar.
    const END: f64 = 900.0;
    let sum = |parts: &[f64]| parts.iter().sum::<f64>();
    let longest = split.bands.iter().map(|band| sum(&band.parts_us)).fold(0.0, f64::max);
    let height = split.bands.len() as f64 * ROW + 34.0;
    let bottom = height - 30.0;
    let described: Vec<String> = split.bands.first().map_or(Vec::new(), |all| {
        split.parts.iter().zip(&all.parts_us).map(|(part, us)| format!("{} {}", part.label, micros(*us))).collect()
    });
    let description = format!("On average: {}.", described.join(", "));
    svg::open(out, "split", WIDE, height, "Where the time goes", &description);
    let across = Scale::linear(longest, NAMES, END);
    for tick in across.ticks() {
        let x = across.at(tick);
        svg::line(out, "grid", (x, 4.0), (x, bottom));
        svg::text(out, "tick", (x, bottom + 20.0), "middle", &axis_label(tick));
    }
    for (index, band) in split.bands.iter().enumerate() {
        let y = index as f64 * ROW + 8.0;
        let total = sum(&band.parts_us);
        svg::text(out, "name", (NAMES - 12.0, y + 14.0), "end", band.band);
        let count = format!("{} request{}", grouped(band.count), if band.count == 1 { "" } else { "s" });
        svg::text(out, "tick", (NAMES - 12.0, y + 28.0), "end", &count);
        let mut before = 0.0;
        for (part, us) in split.parts.iter().zip(&band.parts_us) {
            let (from, to) = (across.at(before), across.at(before + us));
            before += us;
            if to - from >= 0.05 {
                let share = percent(us / total.max(f64::MIN_POSITIVE));
                let says = format!("{}: {} on average, {share} of {}", part.label, micros(*us), micros(total));
                let gap = if to - from > 3.0 { 1.0 } else { 0.0 };
                svg::bar(out, &format!("p-{}", part.part), (from, y, to - from - gap, ROW - 12.0), "", &says);
            }
        }
        svg::text(out, "value", (across.at(total) + 8.0, y + 21.0), "start", &micros(total));
    }
    out.push_str("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::summary::samples::summary;

    #[test]
    fn every_request_is_in_a_bar_and_every_bar_says_what_it_is() {
        let (run, mut histogram_svg, mut heat, mut parts) = (summary(), String::new(), String::new(), String::new());
        histogram(&mut histogram_svg, &run);
        over_time(&mut heat, &run);
        split(&mut parts, run.split.as_ref().unwrap());
        let bars = |svg: &str| svg.matches("<rect").count();
        assert_eq!(bars(&histogram_svg), run.histogram.iter().filter(|bucket| bucket.count > 0).count());
        assert_eq!(bars(&heat), run.timeline.cells.len());
        for svg in [&histogram_svg, &heat, &parts] {
            assert_eq!(svg.matches("<title>").count(), bars(svg));
            assert!(svg.contains("role=\"img\"") && svg.contains("<desc"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.ends_with("</svg>"));
        }
        assert!(parts.contains("isolate start: "));
    }

    #[test]
    fn one_request_is_drawn_too() {
        let mut run = summary();
        run.histogram.retain(|bucket| bucket.count > 0);
        run.histogram.truncate(1);
        run.timeline.cells.truncate(1);
        let mut out = String::new();
        histogram(&mut out, &run);
        over_time(&mut out, &run);
        assert!(!out.contains("NaN") && !out.contains("inf"), "{out}");
    }
}
