//! Java's date patterns (`yyyy-MM-dd'T'HH:mm:ss.SSSXXX`), for printing and for reading.

use super::moment::{Moment, out_of_range};
use crate::expression::error::EvaluationError;
use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use std::fmt::Write as _;

/// Greatest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 256;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Text(String),
    /// A letter and how often it stands.
    Field(char, usize),
    /// A point and digits, only when there is a fraction of a second.
    OptionalFraction,
}

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DatePattern(Vec<Item>);

/// What was read from a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parsed {
    pub(super) local: NaiveDateTime,
    /// Absent when the pattern has none.
    pub(super) offset: Option<FixedOffset>,
}

impl DatePattern {
    /// Reads a pattern.
    pub(super) fn parse(pattern: &str) -> Result<DatePattern, EvaluationError> {
        let refused = |reason: String| Err(EvaluationError::new(format!("the date pattern {reason}")));
        if pattern.len() > PATTERN_MAX_BYTES {
            return refused(format!("is longer than {PATTERN_MAX_BYTES} bytes"));
        }
        let mut items: Vec<Item> = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\'' => {
                    let mut text = String::new();
                    loop {
                        match characters.next() {
                            Some('\'') if characters.peek() == Some(&'\'') && !text.is_empty() => {
                                characters.next();
                                text.push('\'');
                            }
                            Some('\'') => break,
                            Some(other) => text.push(other),
                            None => return refused("has a quote that is not closed".to_owned()),
                        }
                    }
                    items.push(Item::Text(if text.is_empty() { "'".to_owned() } else { text }));
                }
                '[' | ']' => {}
                letter if letter.is_ascii_alphabetic() => {
                    if !"yuMLdHhKkmsSnaEDZXxzVO".contains(letter) {
                        return refused(format!("has the letter {letter}, which is not supported"));
                    }
                    let mut count = 1;
                    while characters.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    items.push(Item::Field(letter, count));
                }
                other => items.push(Item::Text(other.to_string())),
            }
        }
        Ok(DatePattern(items))
    }

    /// One of the formatters that have a name.
    pub(super) fn named(name: &str) -> Option<Result<DatePattern, EvaluationError>> {
        let (pattern, fraction, zone) = match name {
            "ISO_LOCAL_DATE" | "ISO_DATE" => ("yyyy-MM-dd", false, ""),
            "BASIC_ISO_DATE" => ("yyyyMMdd", false, ""),
            "ISO_LOCAL_TIME" | "ISO_TIME" => ("HH:mm:ss", true, ""),
            "ISO_LOCAL_DATE_TIME" => ("yyyy-MM-dd'T'HH:mm:ss", true, ""),
            "ISO_DATE_TIME" | "ISO_OFFSET_DATE_TIME" | "ISO_ZONED_DATE_TIME" | "ISO_INSTANT" => {
                ("yyyy-MM-dd'T'HH:mm:ss", true, "XXX")
            }
            "RFC_1123_DATE_TIME" => ("EEE, d MMM yyyy HH:mm:ss 'GMT'", false, ""),
            _ => return None,
        };
        Some(DatePattern::parse(pattern).map(|mut parsed| {
            parsed.0.extend(fraction.then_some(Item::OptionalFraction));
            if !zone.is_empty() {
                parsed.0.push(Item::Field('X', 3));
            }
            parsed
        }))
    }

    /// A moment in this form.
    pub(super) fn print(&self, moment: &Moment) -> String {
        let local = moment.local();
        let mut text = String::new();
        for item in &self.0 {
            match item {
                Item::Text(literal) => text.push_str(literal),
                Item::OptionalFraction if local.nanosecond() == 0 => {}
                Item::OptionalFraction => {
                    let digits = format!("{:09}", local.nanosecond());
                    text.push('.');
                    text.push_str(digits.trim_end_matches('0'));
                }
                Item::Field(letter, count) => {
                    print_field(&mut text, *letter, *count, &local, moment.offset())
                }
            }
        }
        text
    }

    /// Reads a text of this form. Fields that are absent have their least value.
    pub(super) fn read(&self, text: &str) -> Result<Parsed, EvaluationError> {
        let refused = || EvaluationError::new("the text is not a date of this form");
        let mut fields = Fields::default();
        let mut rest = text;
        for (index, item) in self.0.iter().enumerate() {
            rest = match item {
                Item::Text(literal) => rest.strip_prefix(literal.as_str()),
                Item::OptionalFraction => match rest.strip_prefix('.') {
                    Some(after) => fields.fraction(after, 9),
                    None => Some(rest),
                },
                Item::Field(letter, count) => {
                    // Digits that belong to the next field must not be taken.
                    let adjacent = matches!(self.0.get(index + 1), Some(Item::Field(..)));
                    fields.read(rest, *letter, *count, adjacent)
                }
            }
            .ok_or_else(refused)?;
        }
        if rest.is_empty() { fields.parsed() } else { Err(refused()) }
    }
}

fn print_field(text: &mut String, letter: char, count: usize, local: &NaiveDateTime, offset: i32) {
    let mut number = |value: i64| {
        // Writing to a string does not fail.
        write!(text, "{value:0count$}").ok();
    };
    let hour = i64::from(local.hour());
    match letter {
        'y' | 'u' if count == 2 => number(i64::from(local.year().rem_euclid(100))),
        'y' | 'u' => number(local.year().into()),
        'M' | 'L' if count <= 2 => number(local.month().into()),
        'M' | 'L' => {
            let name = MONTHS.get(local.month0() as usize).copied().unwrap_or_default();
            text.push_str(if count == 3 { &name[..3] } else { name });
        }
        'd' => number(local.day().into()),
        'D' => number(local.ordinal().into()),
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'K' => number(hour % 12),
        'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => number(local.minute().into()),
        's' => number(local.second().into()),
        'n' => number(local.nanosecond().into()),
        'S' => {
            let digits = format!("{:09}", local.nanosecond());
            text.push_str(digits.get(..count.min(9)).unwrap_or_default());
        }
        'a' => text.push_str(if hour < 12 { "AM" } else { "PM" }),
        'E' => {
            let name =
                WEEKDAYS.get(local.weekday().num_days_from_monday() as usize).copied().unwrap_or_default();
            text.push_str(if count < 4 { &name[..3] } else { name });
        }
        'z' | 'V' if offset == 0 => text.push_str("UTC"),
        'X' if offset == 0 => text.push('Z'),
        'X' | 'x' => print_offset(text, offset, count >= 2, count == 3 || count == 5),
        'Z' if count < 4 => print_offset(text, offset, true, false),
        _ => {
            text.push_str("GMT");
            if offset != 0 {
                print_offset(text, offset, true, true);
            }
        }
    }
}

fn print_offset(text: &mut String, offset: i32, minutes: bool, colon: bool) {
    let sign = if offset < 0 { '-' } else { '+' };
    let (hour, minute) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let colon = if colon { ":" } else { "" };
    // Writing to a string does not fail.
    if minutes || minute != 0 {
        write!(text, "{sign}{hour:02}{colon}{minute:02}").ok();
    } else {
        write!(text, "{sign}{hour:02}").ok();
    }
}

struct Fields {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nano: u32,
    afternoon: Option<bool>,
    offset: Option<i32>,
}

impl Default for Fields {
    fn default() -> Self {
        Fields {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nano: 0,
            afternoon: None,
            offset: None,
        }
    }
}

impl Fields {
    /// Takes one field from the front of a text and answers with the rest.
    fn read<'t>(&mut self, text: &'t str, letter: char, count: usize, adjacent: bool) -> Option<&'t str> {
        let most = if adjacent { count } else { 9 };
        match letter {
            'M' | 'L' if count >= 3 => {
                let (index, rest) = name(text, &MONTHS, count)?;
                self.month = index + 1;
                return Some(rest);
            }
            'E' => return name(text, &WEEKDAYS, count).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                return (half.eq_ignore_ascii_case("am") || self.afternoon == Some(true)).then_some(rest);
            }
            'S' => return self.fraction(text, count),
            'Z' | 'X' | 'x' | 'z' | 'V' | 'O' => return self.zone(text),
            _ => {}
        }
        let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at_checked(length)?;
        let value: u32 = digits.parse().ok()?;
        match letter {
            'y' | 'u' if count == 2 => self.year = i32::try_from(value).ok()? + 2000,
            'y' | 'u' => self.year = i32::try_from(value).ok()?,
            'M' | 'L' => self.month = value,
            'd' => self.day = value,
            'H' => self.hour = value,
            'k' => self.hour = value % 24,
            'h' | 'K' => self.hour = value % 12,
            'm' => self.minute = value,
            's' => self.second = value,
            'n' => self.nano = value,
            _ => return None,
        }
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str, most: usize) -> Option<&'t str> {
        let length = text.bytes().take(most.min(9)).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at_checked(length)?;
        self.nano = format!("{digits:0<9}").parse().ok().filter(|_| length > 0)?;
        Some(rest)
    }

    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        for zero in ["UTC", "GMT", "Z"] {
            if let Some(rest) = text.strip_prefix(zero) {
                self.offset = Some(0);
                return Some(rest);
            }
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, rest) = text[1..].split_at_checked(2)?;
        let after = rest.strip_prefix(':').unwrap_or(rest);
        let (minutes, rest) = match after.split_at_checked(2) {
            Some((minutes, rest)) if minutes.bytes().all(|b| b.is_ascii_digit()) => (minutes, rest),
            _ => ("0", rest),
        };
        self.offset = Some(sign * (hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60));
        Some(rest)
    }

    fn parsed(self) -> Result<Parsed, EvaluationError> {
        let hour = self.hour + if self.afternoon == Some(true) { 12 } else { 0 };
        let date = NaiveDate::from_ymd_opt(self.year, self.month, self.day).ok_or_else(out_of_range)?;
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nano);
        let local =
            date.and_time(time.ok_or_else(|| EvaluationError::new("the text holds no time of a day"))?);
        let Moment::DateTime(local) = Moment::DateTime(local).at(local)? else { return Err(out_of_range()) };
        let offset = match self.offset {
            None => None,
            Some(seconds) => Some(FixedOffset::east_opt(seconds).ok_or_else(out_of_range)?),
        };
        Ok(Parsed { local, offset })
    }
}

/// A name, in full or by its first three letters, and the place of it in the list.
fn name<'t>(text: &'t str, names: &[&str], count: usize) -> Option<(u32, &'t str)> {
    for (index, name) in names.iter().enumerate() {
        let wanted = if count <= 3 { &name[..3] } else { name };
        if let Some((start, rest)) = text.split_at_checked(wanted.len())
            && start.eq_ignore_ascii_case(wanted)
        {
            return Some((u32::try_from(index).ok()?, rest));
        }
    }
    None
}
