//! Dates as documents write them: milliseconds since 1970, or RFC 3339 text. Both become milliseconds.

use crate::reader::{Node, Stage};
use serde_json::Value;

/// Last moment that has a four-digit year, milliseconds since 1970.
const LAST_MS: i64 = 253_402_300_799_999;
const DAY_MS: i64 = 86_400_000;

/// Reads a date; absence is no fault.
pub(crate) fn read(node: &Node<'_>) -> Option<i64> {
    let date = match node.value()? {
        Value::String(text) => parse(text.trim()),
        Value::Number(number) => number.as_i64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let date = date.filter(|ms| (0..=LAST_MS).contains(ms));
    if date.is_none() {
        let reason = "must be a date: milliseconds since 1970, or text such as 2030-12-31T23:59:59Z";
        node.wrong(Stage::Shape, reason);
    }
    date
}

/// `2030-12-31T23:59:59.123+01:00`, with an optional fraction.
fn parse(text: &str) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let mut parts = day.split('-').map(|part| digits(part, if part.len() == 4 { 4 } else { 2 }));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, offset_minutes) = split_offset(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !in_range
        || parts.next().is_some()
        || fraction.is_empty()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let milliseconds = digits(&format!("{fraction:0<3}")[..3], 3)?;
    let minutes = (hour * 60 + minute) - offset_minutes;
    Some(days_before(year, month, day) * DAY_MS + minutes * 60_000 + second.min(59) * 1_000 + milliseconds)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The time without its offset, and the offset in minutes.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let offset = offset[1..].replace(':', "");
    let (hours, minutes) = offset.split_at_checked(2)?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 60 + minutes)))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days between 1970-01-01 and a date of the Gregorian calendar. Counting years from March puts the leap day last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_milliseconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600_000)),
            ("2026-11-21T14:30:00.5+01:00", Some(1_795_267_800_500)),
            ("2026-11-21T14:30:00.123456-0030", Some(1_795_273_200_123)),
            ("9999-12-31T23:59:59.999Z", Some(LAST_MS)),
            ("2023-02-29T12:00:00Z", None),
            ("2023-13-01T12:00:00Z", None),
            ("2023-01-01T24:00:00Z", None),
            ("2023-01-01T12:00:00", None),
            ("2023-01-01", None),
            ("2023-01-01T12:00:00.Z", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
