//! Dates and times. Everything without a zone is in UTC: a gateway has no other.

use crate::expression::error::EvaluationError;
use chrono::{
    DateTime, Datelike, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta,
    Utc,
};
use std::cmp::Ordering;

/// Greatest year, and its negative the least one: far enough from the limits of the calendar that nothing overflows.
const YEAR_MAX: i32 = 9999;

/// A date, a time, or both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    Date(NaiveDate),
    DateTime(NaiveDateTime),
    Zoned(DateTime<FixedOffset>),
    Instant(DateTime<Utc>),
    /// `java.util.Date`, and a calendar, which differs in the names of its methods only.
    Legacy(DateTime<Utc>),
    Zone(FixedOffset),
}

/// How far apart two times are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Distance {
    Months(i64),
    Exact(TimeDelta),
}

impl Moment {
    /// Date and time without their zone; a date is its midnight.
    pub(super) fn local(&self) -> NaiveDateTime {
        match self {
            Moment::Date(date) => date.and_time(NaiveTime::MIN),
            Moment::DateTime(local) => *local,
            Moment::Zoned(zoned) => zoned.naive_local(),
            Moment::Instant(instant) | Moment::Legacy(instant) => instant.naive_utc(),
            Moment::Zone(_) => DateTime::UNIX_EPOCH.naive_utc(),
        }
    }

    /// The offset from UTC, seconds to the east.
    pub(super) fn offset(&self) -> i32 {
        match self {
            Moment::Zoned(zoned) => zoned.offset().local_minus_utc(),
            Moment::Zone(zone) => zone.local_minus_utc(),
            _ => 0,
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(&self) -> i64 {
        self.local().and_utc().timestamp_millis() - i64::from(self.offset()) * 1000
    }

    /// The same kind of moment, later (or earlier by a negative distance).
    pub(super) fn moved(&self, distance: Distance) -> Result<Moment, EvaluationError> {
        let local = self.local();
        let moved = match distance {
            Distance::Exact(delta) => local.checked_add_signed(delta),
            Distance::Months(months) => {
                let count = u32::try_from(months.unsigned_abs()).ok().map(Months::new);
                count.and_then(|count| {
                    if months < 0 { local.checked_sub_months(count) } else { local.checked_add_months(count) }
                })
            }
        };
        self.at(moved.ok_or_else(out_of_range)?)
    }

    /// The same kind of moment with another local time.
    pub(super) fn at(&self, local: NaiveDateTime) -> Result<Moment, EvaluationError> {
        if local.year().abs() > YEAR_MAX {
            return Err(out_of_range());
        }
        Ok(match self {
            Moment::Date(_) => Moment::Date(local.date()),
            Moment::DateTime(_) => Moment::DateTime(local),
            Moment::Zoned(zoned) => zoned_at(local, *zoned.offset())?,
            Moment::Instant(_) => Moment::Instant(local.and_utc()),
            Moment::Legacy(_) => Moment::Legacy(local.and_utc()),
            Moment::Zone(zone) => Moment::Zone(*zone),
        })
    }

    /// As Java prints it.
    pub(crate) fn print(&self) -> String {
        match self {
            Moment::Date(date) => date.to_string(),
            Moment::DateTime(local) => {
                let text = local.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
                // Whole minutes are printed without seconds.
                text.strip_suffix(":00").map_or(text.clone(), str::to_owned)
            }
            Moment::Zoned(zoned) => zoned.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Moment::Instant(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Moment::Legacy(instant) => instant.format("%a %b %d %H:%M:%S UTC %Y").to_string(),
            Moment::Zone(zone) if zone.local_minus_utc() == 0 => "Z".to_owned(),
            Moment::Zone(zone) => zone.to_string(),
        }
    }
}

/// A local time in a zone.
pub(super) fn zoned_at(local: NaiveDateTime, zone: FixedOffset) -> Result<Moment, EvaluationError> {
    local.and_local_timezone(zone).single().map(Moment::Zoned).ok_or_else(out_of_range)
}

pub(super) fn out_of_range() -> EvaluationError {
    EvaluationError::new(format!("the date is outside of the years -{YEAR_MAX} to {YEAR_MAX}"))
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let same = std::mem::discriminant(self) == std::mem::discriminant(other);
        same.then(|| {
            let utc = |moment: &Moment| moment.local() - TimeDelta::seconds(i64::from(moment.offset()));
            utc(self).cmp(&utc(other))
        })
    }
}
