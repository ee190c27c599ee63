//! What all charts are made of: scales, ticks, and text that cannot break out.

use std::fmt::Write;

/// Text made harmless inside of elements and attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No page may hold these, not even escaped.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// From values to places, evenly or by the logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// An even scale that shows 0 and `high`, ending at a tick.
    pub fn linear(high: f64, from: f64, to: f64) -> Scale {
        let step = step(high);
        let high = (high / step).ceil().max(1.0) * step;
        Scale { log: false, low: 0.0, high, from, to }
    }

    /// A logarithmic scale that shows `low` and `high`, ending at ticks.
    pub fn log(low: f64, high: f64, from: f64, to: f64) -> Scale {
        // A tenth of a µs is less than is measured; and a logarithm needs something.
        let low = low.max(0.1);
        let below = ticks_125(low / 10.0, low).last().copied().unwrap_or(low);
        let above = ticks_125(high.max(low * 1.01), high.max(low) * 10.0).first().copied().unwrap_or(high);
        Scale { log: true, low: below, high: above.max(below * 2.0), from, to }
    }

    /// A logarithmic scale that ends where it is told.
    pub fn log_exact(low: f64, high: f64, from: f64, to: f64) -> Scale {
        Scale { log: true, low, high: high.max(low * 1.01), from, to }
    }

    /// Where a value is; values outside are at the edge.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The values to write beside it, few enough to be read.
    pub fn ticks(&self) -> Vec<f64> {
        if !self.log {
            let step = step(self.high);
            let count = (self.high / step).round() as usize;
            return (0..=count).map(|index| index as f64 * step).collect();
        }
        let all = ticks_125(self.low, self.high);
        if all.len() <= 9 {
            return all;
        }
        all.into_iter().filter(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-9).collect()
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides a range from 0 into about five.
fn step(high: f64) -> f64 {
    let rough = (high / 5.0).max(1e-3);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

/// All 1, 2 and 5 times a power of ten within the range.
fn ticks_125(low: f64, high: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    for power in (low.log10().floor() as i32)..=(high.log10().ceil() as i32) {
        for factor in [1.0, 2.0, 5.0] {
            let tick = factor * 10f64.powi(power);
            if low * 0.999 <= tick && tick <= high * 1.001 {
                ticks.push(tick);
            }
        }
    }
    ticks
}

/// µs on an axis: no digits that are not needed, `500 µs`, `1 ms`, `2.5 ms`, `10 s`.
pub fn axis_label(us: f64) -> String {
    let (value, unit) = match us {
        0.0 => return "0".to_owned(),
        us if us < 999.5 => (us, "µs"),
        us if us < 999_500.0 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let digits = format!("{value:.3}");
    format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Opens a chart that says what it is to those who do not see it.
pub fn open(out: &mut String, id: &str, width: f64, height: f64, title: &str, description: &str) {
    let (title, description) = (escape(title), escape(description));
    // Writing to a String cannot fail.
    _ = write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>"
    );
}

/// A line.
pub fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    _ = write!(out, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

/// A text; `anchor` is `start`, `middle` or `end`.
pub fn text(out: &mut String, class: &str, at: (f64, f64), anchor: &str, what: &str) {
    let (x, y) = at;
    let what = escape(what);
    _ = write!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>");
}

/// A rectangle that says what it is when pointed at. `style` is for what depends on data.
pub fn bar(out: &mut String, class: &str, (x, y, width, height): (f64, f64, f64, f64), style: &str, says: &str) {
    let style = if style.is_empty() { String::new() } else { format!(" style=\"{style}\"") };
    _ = write!(
        out,
        "<rect class=\"{class}\"{style} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
         <title>{}</title></rect>",
        escape(says)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_place() {
        assert_eq!(escape("<a href=\"x\">&'\u{1b}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}");
    }

    #[test]
    fn scales_end_at_ticks_and_keep_values_inside() {
        let scale = Scale::linear(4_700.0, 0.0, 100.0);
        assert_eq!(scale.ticks(), [0.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]);
        assert_eq!((scale.at(0.0), scale.at(2_500.0), scale.at(9_999.0)), (0.0, 50.0, 100.0));
        let scale = Scale::log(130.0, 4_700.0, 100.0, 0.0);
        let ticks: Vec<String> = scale.ticks().into_iter().map(axis_label).collect();
        assert_eq!(ticks, ["100 µs", "200 µs", "500 µs", "1 ms", "2 ms", "5 ms"]);
        assert_eq!(scale.at(100.0), 100.0);
        assert_eq!(scale.at(0.0), 100.0);
        assert!(scale.at(5_000.0).abs() < 1e-6);
    }

    #[test]
    fn odd_ranges_do_no_harm() {
        for scale in [Scale::linear(0.0, 0.0, 1.0), Scale::log(0.0, 0.0, 0.0, 1.0), Scale::log(1e9, 1.0, 0.0, 1.0)] {
            let ticks = scale.ticks();
            assert!((1..50).contains(&ticks.len()), "{scale:?}: {ticks:?}");
            assert!(scale.at(5.0).is_finite());
        }
        assert!(Scale::log(1.0, 1e9, 0.0, 1.0).ticks().len() <= 10);
    }
}
