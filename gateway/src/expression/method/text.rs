//! Methods of texts. Places are counted in characters.

use super::{Answer, count, whole};
use crate::expression::budget::TEXT_MAX_BYTES;
use crate::expression::compare;
use crate::expression::convert;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::java::format;
use crate::expression::pattern::{self, Found, Pattern};
use crate::expression::value::Value;
use bytes::Bytes;
use std::cmp::Ordering;
use std::sync::Arc;

pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    text: &Arc<str>,
    name: &str,
    arguments: &[Value],
) -> Answer {
    evaluator.budget.spend_bytes(text.len())?;
    if let Some(value) = simple(text, name, arguments) {
        return Ok(Some(value));
    }
    if let Some(value) = asked(evaluator, text, name, arguments)? {
        return Ok(Some(value));
    }
    made(evaluator, text, name, arguments)
}

/// Without arguments.
fn simple(text: &Arc<str>, name: &str, arguments: &[Value]) -> Option<Value> {
    if !arguments.is_empty() {
        return None;
    }
    Some(match name {
        "length" => Value::from(text.chars().count()),
        "isEmpty" => Value::Boolean(text.is_empty()),
        "isBlank" => Value::Boolean(text.trim().is_empty()),
        "toLowerCase" => Value::text(text.to_lowercase()),
        "toUpperCase" => Value::text(text.to_uppercase()),
        "trim" => Value::text(text.trim_matches(|c| c <= ' ')),
        "strip" => Value::text(text.trim()),
        "stripLeading" => Value::text(text.trim_start()),
        "stripTrailing" => Value::text(text.trim_end()),
        "getBytes" => Value::Bytes(Bytes::copy_from_slice(text.as_bytes())),
        "toString" | "intern" => Value::Text(Arc::clone(text)),
        "hashCode" => Value::Integer(hash_code(text)),
        _ => return None,
    })
}

/// Questions about the text.
fn asked(evaluator: &mut Evaluator<'_>, text: &str, name: &str, arguments: &[Value]) -> Answer {
    Ok(Some(match (name, arguments) {
        ("equals", [other]) => Value::Boolean(compare::equal(&Value::text(text), other)),
        ("equalsIgnoreCase", [Value::Null]) => Value::Boolean(false),
        ("contains" | "startsWith" | "endsWith" | "equalsIgnoreCase" | "contentEquals", [part]) => {
            let part = evaluator.argument(part)?;
            evaluator.budget.spend_bytes(part.len())?;
            Value::Boolean(match name {
                "contains" => text.contains(part.as_ref()),
                "startsWith" => text.starts_with(part.as_ref()),
                "endsWith" => text.ends_with(part.as_ref()),
                "contentEquals" => *text == *part,
                _ => text.to_lowercase() == part.to_lowercase(),
            })
        }
        ("compareTo", [other]) => sign(text.cmp(&evaluator.argument(other)?)),
        ("compareToIgnoreCase", [other]) => {
            sign(text.to_lowercase().cmp(&evaluator.argument(other)?.to_lowercase()))
        }
        ("matches", [pattern]) => Value::Boolean(pattern::matches(&evaluator.argument(pattern)?, text)?),
        ("indexOf", [part]) => place(text, text.find(evaluator.argument(part)?.as_ref())),
        ("indexOf", [part, from]) => {
            let from = bytes_before(text, count(from)?);
            let part = evaluator.argument(part)?;
            place(text, text[from..].find(part.as_ref()).map(|found| from + found))
        }
        ("lastIndexOf", [part]) => place(text, text.rfind(evaluator.argument(part)?.as_ref())),
        ("charAt", [at]) => {
            let at = text.chars().nth(count(at)?);
            let at = at.ok_or_else(|| EvaluationError::new("there is no character at that place"))?;
            Value::text(at.to_string())
        }
        _ => return Ok(None),
    }))
}

/// New texts.
fn made(evaluator: &mut Evaluator<'_>, text: &Arc<str>, name: &str, arguments: &[Value]) -> Answer {
    Ok(Some(match (name, arguments) {
        ("substring", [from]) => substring(text, count(from)?, usize::MAX)?,
        ("substring" | "subSequence", [from, to]) => substring(text, count(from)?, count(to)?)?,
        ("concat", [other]) => {
            let other = evaluator.argument(other)?;
            evaluator.budget.spend_text(text.len() + other.len())?;
            Value::text([text.as_ref(), other.as_ref()].concat())
        }
        ("repeat", [times]) => {
            let times = count(times)?;
            evaluator.budget.spend_text(text.len().saturating_mul(times))?;
            Value::text(text.repeat(times))
        }
        ("replace", [from, to]) => {
            let (from, to) = (evaluator.argument(from)?, evaluator.argument(to)?);
            let greatest = (text.len() + 1).saturating_mul(to.len() + 1);
            // Counted before it is made only when it could be too large.
            if greatest > TEXT_MAX_BYTES {
                let found = text.matches(from.as_ref()).count();
                evaluator.budget.spend_text(text.len() + found.saturating_mul(to.len()))?;
            }
            Value::text(text.replace(from.as_ref(), &to))
        }
        ("replaceAll" | "replaceFirst", [pattern, to]) => {
            let (pattern, to) = (evaluator.argument(pattern)?, evaluator.argument(to)?);
            let most = if name == "replaceAll" { usize::MAX } else { 1 };
            Value::text(replace(evaluator, text, &pattern, &to, most)?)
        }
        ("split", [pattern]) => split(evaluator, text, &evaluator_text(pattern)?, 0)?,
        ("split", [pattern, most]) => split(evaluator, text, &evaluator_text(pattern)?, whole(most)?)?,
        ("format" | "formatted", values) => Value::text(format::format(evaluator, text, values)?),
        ("getBytes", [_]) => Value::Bytes(Bytes::copy_from_slice(text.as_bytes())),
        ("chars", []) => {
            evaluator.budget.spend_list(text.len())?;
            Value::list(text.chars().map(|c| Value::Integer(i64::from(u32::from(c)))).collect())
        }
        ("toCharArray", []) => {
            evaluator.budget.spend_list(text.len())?;
            Value::list(text.chars().map(|c| Value::text(c.to_string())).collect())
        }
        ("join", parts) => join(evaluator, text, parts)?,
        ("valueOf", [value]) => Value::text(convert::text(value, evaluator)?),
        _ => return Ok(None),
    }))
}

fn evaluator_text(pattern: &Value) -> Result<Arc<str>, EvaluationError> {
    match pattern.single() {
        Value::Text(text) => Ok(Arc::clone(text)),
        other => Err(EvaluationError::new(format!("{} is no pattern", other.kind()))),
    }
}

/// The elements of lists, or the values themselves, with `separator` between them.
pub(in crate::expression) fn join(
    evaluator: &mut Evaluator<'_>,
    separator: &str,
    parts: &[Value],
) -> Result<Value, EvaluationError> {
    let mut text = String::new();
    let items: Vec<&Value> = match parts {
        [Value::List(items)] => items.iter().collect(),
        values => values.iter().collect(),
    };
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        convert::append(&mut text, item, evaluator)?;
        evaluator.budget.spend_text(text.len() / 64 + separator.len())?;
        evaluator.budget.text_within(text.len())?;
    }
    Ok(Value::text(text))
}

/// Java's hash of a text: over its UTF-16 units, 32 bits.
pub(in crate::expression) fn hash_code(text: &str) -> i64 {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    i64::from(text.encode_utf16().fold(0, step))
}

fn sign(order: Ordering) -> Value {
    Value::Integer(order as i64)
}

/// The characters in front of a byte; -1 when nothing was found.
fn place(text: &str, byte: Option<usize>) -> Value {
    byte.map_or(Value::Integer(-1), |byte| Value::from(text[..byte].chars().count()))
}

/// The byte where a character begins; the end when there are fewer.
fn bytes_before(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(byte, _)| byte)
}

fn substring(text: &str, from: usize, to: usize) -> Result<Value, EvaluationError> {
    let length = text.chars().count();
    let to = if to == usize::MAX { length } else { to };
    if from > to || to > length {
        return Err(EvaluationError::new(format!(
            "there is no text from {from} to {to} in {length} characters"
        )));
    }
    Ok(Value::text(&text[bytes_before(text, from)..bytes_before(text, to)]))
}

/// Calls `each` with every match until it is told to stop.
fn each_match(
    evaluator: &mut Evaluator<'_>,
    text: &str,
    pattern: &str,
    mut each: impl FnMut(&mut Evaluator<'_>, &Found, usize, usize) -> Result<bool, EvaluationError>,
) -> Result<(), EvaluationError> {
    let pattern = Pattern::compile(pattern)?;
    let mut from = 0;
    while from <= text.len() {
        evaluator.budget.in_time()?;
        let Some(found) = pattern.find(text, from)? else { return Ok(()) };
        let Some((start, end)) = found.0.first().copied().flatten() else { return Ok(()) };
        if !each(evaluator, &found, start, end)? {
            return Ok(());
        }
        // An empty match moves on by a character, or it would be found for ever.
        from = match text[end..].chars().next() {
            Some(next) if end == start => end + next.len_utf8(),
            None if end == start => return Ok(()),
            _ => end,
        };
    }
    Ok(())
}

fn replace(
    evaluator: &mut Evaluator<'_>,
    text: &str,
    pattern: &str,
    with: &str,
    most: usize,
) -> Result<String, EvaluationError> {
    let (mut result, mut from, mut times) = (String::with_capacity(text.len()), 0, 0);
    each_match(evaluator, text, pattern, |evaluator, found, start, end| {
        result.push_str(&text[from..start]);
        expand(&mut result, text, found, with)?;
        evaluator.budget.spend_text(with.len())?;
        evaluator.budget.text_within(result.len())?;
        from = end;
        times += 1;
        Ok(times < most)
    })?;
    result.push_str(&text[from..]);
    Ok(result)
}

/// Java's replacement: `$1` is a group, a backslash quotes.
fn expand(result: &mut String, text: &str, found: &Found, with: &str) -> Result<(), EvaluationError> {
    let mut characters = with.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => result.extend(characters.next()),
            '$' => {
                let group =
                    characters.next().and_then(|digit| digit.to_digit(10)).map(|digit| digit as usize);
                let group = group.and_then(|group| found.0.get(group)).ok_or_else(|| {
                    EvaluationError::new("the replacement names a group that the pattern does not have")
                })?;
                if let Some((start, end)) = group {
                    result.push_str(&text[*start..*end]);
                }
            }
            other => result.push(other),
        }
    }
    Ok(())
}

/// As in Java: without a limit empty texts at the end are left out, and an empty match at the start makes no piece.
fn split(
    evaluator: &mut Evaluator<'_>,
    text: &str,
    pattern: &str,
    limit: i64,
) -> Result<Value, EvaluationError> {
    let most = usize::try_from(limit).unwrap_or(0);
    let (mut pieces, mut from) = (Vec::new(), 0);
    if most != 1 {
        each_match(evaluator, text, pattern, |_, _, start, end| {
            if end > 0 && !(start == end && start == text.len()) {
                pieces.push(&text[from..start]);
                from = end;
            }
            Ok(most == 0 || pieces.len() + 1 < most)
        })?;
    }
    pieces.push(&text[from..]);
    if limit == 0 {
        while pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
    }
    evaluator.budget.spend_list(pieces.len())?;
    Ok(Value::list(pieces.into_iter().map(Value::from).collect()))
}
