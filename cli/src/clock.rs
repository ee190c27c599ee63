//! Times and sizes as people read them.

use std::time::Duration;

/// A UTC date and time, to the second, from milliseconds since 1970: `2025-11-21 03:19:02Z`.
pub fn utc(unix_ms: i64) -> String {
    let (days, second) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000) / 1_000);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years are
/// taken to begin in March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0000 = days + 719_468;
    let era = since_march_0000.div_euclid(146_097);
    let day_of_era = since_march_0000.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Time of day where the user is: `12:01:02`.
pub fn local_hms(unix_ms: i64) -> String {
    let seconds: nix::libc::time_t = unix_ms.div_euclid(1_000);
    let mut parts = std::mem::MaybeUninit::<nix::libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; `tm` is plain data for which zeroes are a valid
    // value, so it may be assumed initialised even when the call fails. Nothing in this program
    // changes the environment, which is what the C library reads the time zone from.
    let parts = unsafe {
        nix::libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
        parts.assume_init()
    };
    format!("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec)
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A short duration with about three digits: `0.31 ms`, `1.3 ms`, `48 ms`, `1.25 s`.
pub fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    match ms {
        ms if ms < 0.995 => format!("{ms:.2} ms"),
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1_000.0),
    }
}

/// A size with about three digits: `812 B`, `4.1 kB`, `6.3 MB`.
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1_000.0, next);
    }
    if unit == "B" || value >= 9.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(951_782_399_999), "2000-02-28 23:59:59Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00Z");
        assert_eq!(utc(1_763_695_142_345), "2025-11-21 03:19:02Z");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01 00:00:00Z");
        assert_eq!(utc(-1), "1969-12-31 23:59:59Z");
    }

    #[test]
    fn the_time_of_day_has_the_minutes_and_seconds_of_utc() {
        // Time zones differ by whole quarters of an hour: seconds are the same everywhere.
        let text = local_hms(1_763_695_142_345);
        assert_eq!(text.len(), 8);
        assert_eq!(&text[6..], "02");
    }

    #[test]
    fn durations_and_sizes_keep_about_three_digits() {
        let of_us = |us| duration(Duration::from_micros(us));
        assert_eq!(of_us(25), "0.03 ms");
        assert_eq!(of_us(310), "0.31 ms");
        assert_eq!(of_us(998), "1.0 ms");
        assert_eq!(of_us(1_349), "1.3 ms");
        assert_eq!(of_us(48_200), "48 ms");
        assert_eq!(of_us(1_254_000), "1.25 s");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(4_100), "4.1 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(64 << 20), "67 MB");
    }
}
