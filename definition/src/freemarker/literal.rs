//! Literals: numbers, and texts with their escapes and interpolations.

use super::expression::Parser;
use super::{Expr, Fault};

/// A number at the parser's place: digits, and a fraction when a digit follows the point.
pub(super) fn number(parser: &mut Parser<'_>) -> Result<Expr, Fault> {
    let (start, rest) = (parser.at, parser.rest());
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let fraction = match rest[whole..].strip_prefix('.') {
        Some(fraction) => digits(fraction),
        None => 0,
    };
    if fraction == 0 {
        parser.at += whole;
        if let Ok(number) = rest[..whole].parse() {
            return Ok(Expr::Integer(number));
        }
    } else {
        parser.at += whole + 1 + fraction;
    }
    let text = &rest[..parser.at - start];
    text.parse().map(Expr::Real).map_err(|_| Fault::new(start, "the number cannot be read"))
}

/// A text in quotes. `raw`: without escapes and interpolations.
pub(super) fn text(parser: &mut Parser<'_>, raw: bool) -> Result<Expr, Fault> {
    let start = parser.at;
    let mut chars = parser.rest().char_indices();
    let quote = chars.next().map_or('"', |(_, quote)| quote);
    let (mut text, mut parts) = (String::new(), Vec::new());
    while let Some((offset, c)) = chars.next() {
        match c {
            c if c == quote => {
                parser.at = start + offset + c.len_utf8();
                if parts.is_empty() {
                    return Ok(Expr::Text(text));
                }
                parts.push(Expr::Text(text));
                return Ok(Expr::Joined(parts));
            }
            '\\' if !raw => {
                let length = escape(&parser.rest()[offset..], &mut text).ok_or_else(|| {
                    Fault::new(start + offset, "the escape is unknown, write \\\\ for a backslash")
                })?;
                skip(&mut chars, offset + length);
            }
            '$' if !raw && parser.rest()[offset..].starts_with("${") => {
                let mut inner = parser.nested(start + offset + 2)?;
                let expr = inner.expression()?;
                inner.expect("}", "the interpolation needs its closing brace")?;
                parts.push(Expr::Text(std::mem::take(&mut text)));
                parts.push(expr);
                skip(&mut chars, inner.at - start);
            }
            c => text.push(c),
        }
    }
    Err(Fault::new(start, "the text is not closed, its quote is missing"))
}

/// Goes on at a byte.
fn skip(chars: &mut std::str::CharIndices<'_>, to: usize) {
    while chars.offset() < to && chars.next().is_some() {}
}

/// Adds what an escape stands for; the bytes it takes.
fn escape(rest: &str, text: &mut String) -> Option<usize> {
    let c = rest[1..].chars().next()?;
    let plain = match c {
        '"' | '\'' | '\\' | '{' | '=' | '$' | '#' => c,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'l' => '<',
        'g' => '>',
        'a' => '&',
        'x' => {
            let digits = rest[2..].bytes().take(4).take_while(u8::is_ascii_hexdigit).count();
            let code = u32::from_str_radix(&rest[2..2 + digits], 16).ok()?;
            text.push(char::from_u32(code)?);
            return Some(2 + digits);
        }
        _ => return None,
    };
    text.push(plain);
    Some(1 + c.len_utf8())
}
