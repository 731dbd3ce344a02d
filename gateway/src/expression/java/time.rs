//! Making, moving, asking and printing dates.

use super::Type;
use super::date_pattern::DatePattern;
use super::moment::{Distance, Moment, out_of_range, zoned_at};
use crate::expression::compare;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::instance::Instance;
use crate::expression::method::{Answer, count, whole};
use crate::expression::value::Value;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use std::cmp::Ordering;
use std::sync::Arc;

const UTC: FixedOffset = match FixedOffset::east_opt(0) {
    Some(utc) => utc,
    None => unreachable!(),
};

fn value(moment: Moment) -> Value {
    Value::instance(Instance::Moment(moment))
}

fn format_value(pattern: DatePattern) -> Value {
    Value::instance(Instance::Formatter(Arc::new(pattern)))
}

/// `new java.util.Date(…)`, `new java.text.SimpleDateFormat(…)`
pub(super) fn construct(evaluator: &mut Evaluator<'_>, of: Type, arguments: &[Value]) -> Answer {
    Ok(match (of, arguments) {
        (Type::Date, []) => Some(value(Moment::Legacy(Utc::now()))),
        (Type::Date, [millis]) => Some(value(Moment::Legacy(at_millis(whole(millis)?)?))),
        (Type::SimpleDateFormat, [pattern] | [pattern, _]) => {
            Some(format_value(DatePattern::parse(&evaluator.argument(pattern)?)?))
        }
        _ => None,
    })
}

fn at_millis(millis: i64) -> Result<DateTime<Utc>, EvaluationError> {
    let instant = DateTime::from_timestamp_millis(millis).ok_or_else(out_of_range)?;
    Moment::Instant(instant).at(instant.naive_utc()).map(|_| instant)
}

/// Static methods.
pub(super) fn call(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    match (of, name, arguments) {
        (Type::DateTimeFormatter, "ofPattern", [pattern] | [pattern, _]) => {
            let pattern = DatePattern::parse(&evaluator.argument(pattern)?)?;
            Ok(Some(format_value(pattern)))
        }
        (Type::DateTimeFormatter, name, []) => {
            let pattern = name.strip_prefix("get").and_then(DatePattern::named).transpose()?;
            Ok(pattern.map(format_value))
        }
        (Type::ZoneId, "of", [name]) => {
            let zone = zone(&evaluator.argument(name)?)?;
            Ok(Some(value(Moment::Zone(zone))))
        }
        (Type::ZoneId, "systemDefault" | "getUTC", []) => Ok(Some(value(Moment::Zone(UTC)))),
        (Type::Calendar, "getInstance", []) => Ok(Some(value(Moment::Legacy(Utc::now())))),
        (_, "now", zone) => now(of, zone),
        (Type::Instant, "ofEpochMilli", [millis]) => {
            Ok(Some(value(Moment::Instant(at_millis(whole(millis)?)?))))
        }
        (Type::Instant, "ofEpochSecond", [seconds]) => {
            let millis = whole(seconds)?.checked_mul(1000).ok_or_else(out_of_range)?;
            Ok(Some(value(Moment::Instant(at_millis(millis)?))))
        }
        (Type::LocalDate | Type::LocalDateTime, "of", [year, month, day, time @ ..]) => {
            of_fields(of, [year, month, day], time)
        }
        (_, "parse", [text]) => {
            let format = match of {
                Type::LocalDate => "ISO_LOCAL_DATE",
                Type::LocalDateTime => "ISO_LOCAL_DATE_TIME",
                _ => "ISO_DATE_TIME",
            };
            let text = evaluator.argument(text)?;
            let pattern = DatePattern::named(format).transpose()?;
            pattern.map(|pattern| read(of, &pattern, &text)).transpose()
        }
        (_, "parse", [text, Value::Instance(format)]) => {
            let Instance::Formatter(pattern) = format.as_ref() else { return Ok(None) };
            read(of, pattern, &evaluator.argument(text)?).map(Some)
        }
        _ => Ok(None),
    }
}

fn now(of: Type, zone: &[Value]) -> Answer {
    let zone = match zone {
        [] => UTC,
        [Value::Instance(zone)] => match zone.as_ref() {
            Instance::Moment(Moment::Zone(zone)) => *zone,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let now = Utc::now();
    let zoned = now.with_timezone(&zone);
    Ok(match of {
        Type::LocalDate => Some(value(Moment::Date(zoned.date_naive()))),
        Type::LocalDateTime => Some(value(Moment::DateTime(zoned.naive_local()))),
        Type::ZonedDateTime => Some(value(Moment::Zoned(zoned))),
        Type::Instant => Some(value(Moment::Instant(now))),
        _ => None,
    })
}

fn of_fields(of: Type, date: [&Value; 3], time: &[Value]) -> Answer {
    let number = |value: &Value| {
        u32::try_from(whole(value)?).map_err(|_| EvaluationError::new("a field of a date is negative"))
    };
    let [year, month, day] = date;
    let year = i32::try_from(whole(year)?).map_err(|_| out_of_range())?;
    let date = NaiveDate::from_ymd_opt(year, number(month)?, number(day)?).ok_or_else(out_of_range)?;
    let mut fields = [0; 3];
    for (field, value) in fields.iter_mut().zip(time) {
        *field = number(value)?;
    }
    let time = NaiveTime::from_hms_opt(fields[0], fields[1], fields[2]).ok_or_else(out_of_range)?;
    let local = date.and_time(time);
    let kind = if of == Type::LocalDate { Moment::Date(date) } else { Moment::DateTime(local) };
    Ok(Some(value(kind.at(local)?)))
}

fn read(of: Type, pattern: &DatePattern, text: &str) -> Result<Value, EvaluationError> {
    let parsed = pattern.read(text)?;
    let zone = parsed.offset.unwrap_or(UTC);
    let zoned = zoned_at(parsed.local, zone)?;
    Ok(value(match of {
        Type::LocalDate => Moment::Date(parsed.local.date()),
        Type::LocalDateTime => Moment::DateTime(parsed.local),
        Type::ZonedDateTime => zoned,
        Type::Instant => Moment::Instant(at_millis(zoned.millis())?),
        _ => Moment::Legacy(at_millis(zoned.millis())?),
    }))
}

/// `UTC`, `Z`, `GMT+2`, `+02:00`. Names of regions need a data base that is not part of a gateway.
fn zone(name: &str) -> Result<FixedOffset, EvaluationError> {
    let offset = name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(name);
    if offset.is_empty() || matches!(offset, "Z" | "Etc/UTC") {
        return Ok(UTC);
    }
    let padded = match offset.split_at_checked(1) {
        Some((sign, digit)) if digit.len() == 1 => format!("{sign}0{digit}"),
        _ => offset.to_owned(),
    };
    let parsed = DatePattern::parse("XXX")?.read(&padded).ok().and_then(|parsed| parsed.offset);
    parsed.ok_or_else(|| {
        EvaluationError::new("only UTC and offsets such as +02:00 are available as time zones")
    })
}

/// Methods of a formatter.
pub(in crate::expression) fn formatter(
    evaluator: &mut Evaluator<'_>,
    pattern: &DatePattern,
    name: &str,
    arguments: &[Value],
) -> Answer {
    match (name, arguments) {
        ("format", [Value::Instance(instance)]) => match instance.as_ref() {
            Instance::Moment(moment) => Ok(Some(Value::text(pattern.print(moment)))),
            _ => Ok(None),
        },
        // A `SimpleDateFormat` takes milliseconds too.
        ("format", [Value::Integer(millis)]) => {
            Ok(Some(Value::text(pattern.print(&Moment::Legacy(at_millis(*millis)?)))))
        }
        ("parse", [text]) => read(Type::Date, pattern, &evaluator.argument(text)?).map(Some),
        // Texts are printed in English and in UTC, whatever is asked for.
        ("withZone" | "withLocale", [_]) => Ok(Some(format_value(pattern.clone()))),
        _ => Ok(None),
    }
}

/// Methods of a date.
pub(in crate::expression) fn moment(
    evaluator: &mut Evaluator<'_>,
    moment: &Moment,
    name: &str,
    arguments: &[Value],
) -> Answer {
    if let Some(field) = arguments.is_empty().then(|| field(moment, name)).flatten() {
        return Ok(Some(field));
    }
    if let [distance] = arguments
        && let Some(distance) = distance_of(name, distance)?
    {
        return moment.moved(distance).map(|moved| Some(value(moved)));
    }
    match (name, arguments) {
        ("format", [Value::Instance(format)]) => match format.as_ref() {
            Instance::Formatter(pattern) => Ok(Some(Value::text(pattern.print(moment)))),
            _ => Ok(None),
        },
        ("isBefore" | "before" | "isAfter" | "after" | "isEqual" | "compareTo", [other]) => {
            let order = compare::order(&value(*moment), other)?;
            Ok(Some(match name {
                "isBefore" | "before" => Value::Boolean(order == Ordering::Less),
                "isAfter" | "after" => Value::Boolean(order == Ordering::Greater),
                "isEqual" => Value::Boolean(order == Ordering::Equal),
                _ => Value::Integer(order as i64),
            }))
        }
        ("atZone", [Value::Instance(zone)]) => match (moment, zone.as_ref()) {
            (Moment::Instant(instant), Instance::Moment(Moment::Zone(zone))) => {
                Ok(Some(value(Moment::Zoned(instant.with_timezone(zone)))))
            }
            (moment, Instance::Moment(Moment::Zone(zone))) => {
                zoned_at(moment.local(), *zone).map(|z| Some(value(z)))
            }
            _ => Ok(None),
        },
        ("withDayOfMonth", [day]) => {
            let day = u32::try_from(count(day)?).ok().and_then(|day| moment.local().with_day(day));
            moment.at(day.ok_or_else(out_of_range)?).map(|moved| Some(value(moved)))
        }
        ("atTime", [hour, minute]) => {
            let (year, month, day) = (moment.local().year(), moment.local().month(), moment.local().day());
            let date = [i64::from(year), i64::from(month), i64::from(day)].map(Value::from);
            of_fields(Type::LocalDateTime, date.each_ref(), &[hour.clone(), minute.clone()])
        }
        ("toString", []) => Ok(Some(Value::text(moment.print()))),
        _ => {
            evaluator.budget.spend(1)?;
            Ok(None)
        }
    }
}

fn field(moment: &Moment, name: &str) -> Option<Value> {
    let local = moment.local();
    Some(match name {
        "getYear" => i64::from(local.year()).into(),
        "getMonthValue" => i64::from(local.month()).into(),
        "getMonth" => local.format("%B").to_string().to_uppercase().into(),
        "getDayOfMonth" => i64::from(local.day()).into(),
        "getDayOfYear" => i64::from(local.ordinal()).into(),
        "getDayOfWeek" => local.format("%A").to_string().to_uppercase().into(),
        "getHour" => i64::from(local.hour()).into(),
        "getMinute" => i64::from(local.minute()).into(),
        "getSecond" => i64::from(local.second()).into(),
        "getNano" => i64::from(local.nanosecond()).into(),
        "getTime" if matches!(moment, Moment::Legacy(_)) => moment.millis().into(),
        "getTimeInMillis" | "toEpochMilli" => moment.millis().into(),
        "toEpochSecond" | "getEpochSecond" => moment.millis().div_euclid(1000).into(),
        "toEpochDay" => moment.millis().div_euclid(86_400_000).into(),
        "toLocalDate" => value(Moment::Date(local.date())),
        "toLocalDateTime" | "atStartOfDay" => value(Moment::DateTime(local)),
        "toInstant" => value(Moment::Instant(at_millis(moment.millis()).ok()?)),
        "isLeapYear" => local.date().leap_year().into(),
        "lengthOfMonth" => i64::from(local.date().num_days_in_month()).into(),
        _ => return None,
    })
}

/// What `plusDays(2)` or `minusHours(1)` moves by.
fn distance_of(name: &str, count: &Value) -> Result<Option<Distance>, EvaluationError> {
    let (unit, sign) = match (name.strip_prefix("plus"), name.strip_prefix("minus")) {
        (Some(unit), _) => (unit, 1),
        (_, Some(unit)) => (unit, -1),
        _ => return Ok(None),
    };
    let months = match unit {
        "Years" => 12,
        "Months" => 1,
        _ => 0,
    };
    let seconds: i64 = match unit {
        "Weeks" => 604_800,
        "Days" => 86_400,
        "Hours" => 3600,
        "Minutes" => 60,
        "Seconds" => 1,
        _ => 0,
    };
    if months == 0 && seconds == 0 && !matches!(unit, "Millis" | "Nanos") {
        return Ok(None);
    }
    let count = whole(count)?.checked_mul(sign).ok_or_else(out_of_range)?;
    Ok(Some(match unit {
        "Years" | "Months" => Distance::Months(count.checked_mul(months).ok_or_else(out_of_range)?),
        "Millis" => Distance::Exact(TimeDelta::try_milliseconds(count).ok_or_else(out_of_range)?),
        "Nanos" => Distance::Exact(TimeDelta::nanoseconds(count)),
        _ => {
            let seconds = count.checked_mul(seconds).and_then(TimeDelta::try_seconds);
            Distance::Exact(seconds.ok_or_else(out_of_range)?)
        }
    }))
}
