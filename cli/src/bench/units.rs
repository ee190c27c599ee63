//! Amounts as people write them on a command line and read them in a report.

use std::time::Duration;

/// Reads `5ms`, `250us`, `1.5s` or `2m`.
///
/// # Errors
/// What was expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration, expected a number and us, ms, s or m, such as 5ms");
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    // A day is more than anybody waits for, and keeps all later arithmetic far from its limits.
    if (1e-6..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("{text:?} is out of range: from 1us to a day"))
    }
}

/// Reads a rate, `250` or `0.5`, in requests a second.
///
/// # Errors
/// What was expected instead.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err(format!("{text:?} is no rate, expected requests a second, from 0.001 to 1000000")),
    }
}

/// How much of something: so many requests, or so much time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// That many.
    Requests(u64),
    /// That long.
    Time(Duration),
}

/// Reads `200` as requests and `2s` as time.
///
/// # Errors
/// What was expected instead.
pub fn amount(text: &str) -> Result<Amount, String> {
    if let Ok(requests) = text.parse() {
        return Ok(Amount::Requests(requests));
    }
    duration(text)
        .map(Amount::Time)
        .map_err(|_| format!("{text:?} is neither a count such as 100 nor a time such as 2s"))
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Amount::Requests(1) => write!(f, "1 request"),
            Amount::Requests(count) => write!(f, "{} requests", grouped(*count)),
            Amount::Time(time) => write!(f, "{}", micros(time.as_secs_f64() * 1e6)),
        }
    }
}

/// Microseconds with about three digits and the unit that suits: `412 µs`, `1.23 ms`, `45.6 ms`, `1.20 s`.
pub fn micros(us: f64) -> String {
    // The limits are where rounding to three digits would need a fourth.
    match us {
        0.0 => "0 µs".to_owned(),
        us if us < 9.995 => format!("{us:.1} µs"),
        us if us < 999.5 => format!("{us:.0} µs"),
        us if us < 999_500.0 => format!("{} ms", three(us / 1e3)),
        us => format!("{} s", three(us / 1e6)),
    }
}

/// A number below 1000 with three digits, a larger one in full.
fn three(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// A rate with as many digits as mean something: `0.52`, `87.3`, `12,345`.
pub fn per_second(rate: f64) -> String {
    if rate < 999.5 { three(rate) } else { grouped(rate.round() as u64) }
}

/// A whole number in groups of three: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of a whole in percent: `<0.01%`, `0.04%`, `12.5%`, `100%`. Only nothing is `0%` and only all is `100%`.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0%".to_owned(),
        percent if percent < 0.01 => "<0.01%".to_owned(),
        percent if percent < 0.095 => format!("{percent:.2}%"),
        percent if percent < 99.95 => format!("{percent:.1}%"),
        percent if percent < 100.0 => ">99.9%".to_owned(),
        _ => "100%".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_rates_and_amounts_are_read() {
        assert_eq!(duration("5ms"), Ok(Duration::from_millis(5)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(rate("0.5"), Ok(0.5));
        assert_eq!(amount("100"), Ok(Amount::Requests(100)));
        assert_eq!(amount("2s"), Ok(Amount::Time(Duration::from_secs(2))));
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for text in ["", "5", "ms", "-5ms", "1..5s", "5 ms", "5h", "0s", "100000s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "0", "-1", "fast", "inf", "NaN"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(amount("soon").unwrap_err(), "\"soon\" is neither a count such as 100 nor a time such as 2s");
    }

    #[test]
    fn reports_show_about_three_digits() {
        let shown: Vec<String> =
            [0.0, 0.4, 9.99, 9.999, 412.4, 999.6, 1_234.0, 9_996.0, 45_600.0, 999_600.0, 61_000_000.0]
                .map(micros)
                .into();
        assert_eq!(
            shown,
            [
                "0 µs", "0.4 µs", "10.0 µs", "10 µs", "412 µs", "1.00 ms", "1.23 ms", "10.0 ms", "45.6 ms", "1.00 s",
                "61.0 s"
            ]
        );
        assert_eq!([999, 1_000, 1_234_567].map(grouped), ["999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 1e-5, 0.0004, 0.125, 0.9999, 1.0].map(percent),
            ["0%", "<0.01%", "0.04%", "12.5%", ">99.9%", "100%"]
        );
        assert_eq!([0.52, 87.3, 12_345.4].map(per_second), ["0.52", "87.3", "12,345"]);
    }
}
