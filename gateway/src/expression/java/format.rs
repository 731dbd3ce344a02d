//! `String.format` with the conversions that texts need: `%s %d %x %c %b %f %e %n %%`, with flags, width, precision.

use crate::expression::convert;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::number;
use crate::expression::value::Value;
use bigdecimal::RoundingMode;

/// Greatest width and precision, characters.
const WIDTH_MAX: usize = 1000;

/// One `%…` of a pattern.
struct Place {
    /// The argument by number, when it is given.
    argument: Option<usize>,
    left: bool,
    zeros: bool,
    plus: bool,
    groups: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// The pattern with the values in it.
pub(in crate::expression) fn format(
    evaluator: &mut Evaluator<'_>,
    pattern: &str,
    values: &[Value],
) -> Result<String, EvaluationError> {
    let mut text = String::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some((before, behind)) = rest.split_once('%') {
        text.push_str(before);
        let place;
        (place, rest) = parse(behind)?;
        match place.conversion {
            '%' => text.push('%'),
            'n' => text.push('\n'),
            _ => {
                let index = place.argument.unwrap_or(next);
                next += usize::from(place.argument.is_none());
                let value = values
                    .get(index)
                    .ok_or_else(|| EvaluationError::new("a format has more places than there are values"))?;
                let printed = print(evaluator, &place, value)?;
                text.push_str(&pad(&place, printed));
            }
        }
        evaluator.budget.spend_text(text.len() / 16)?;
        evaluator.budget.text_within(text.len())?;
    }
    text.push_str(rest);
    evaluator.budget.spend_text(text.len())?;
    Ok(text)
}

fn parse(behind: &str) -> Result<(Place, &str), EvaluationError> {
    let refused = || EvaluationError::new("a format has a place that is not understood");
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut place = Place {
        argument: None,
        left: false,
        zeros: false,
        plus: false,
        groups: false,
        width: 0,
        precision: None,
        conversion: '%',
    };
    let mut rest = behind;
    let number = digits(rest);
    if number > 0 && rest[number..].starts_with('$') {
        place.argument = rest[..number].parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        rest = &rest[number + 1..];
    }
    while let Some(flag) = rest.chars().next().filter(|flag| matches!(flag, '-' | '0' | '+' | ',')) {
        match flag {
            '-' => place.left = true,
            '0' => place.zeros = true,
            '+' => place.plus = true,
            _ => place.groups = true,
        }
        rest = &rest[1..];
    }
    let width = digits(rest);
    if width > 0 {
        place.width = rest[..width].parse().ok().filter(|width| *width <= WIDTH_MAX).ok_or_else(refused)?;
        rest = &rest[width..];
    }
    if let Some(after) = rest.strip_prefix('.') {
        let precision = digits(after);
        let value = after[..precision].parse().ok().filter(|precision| *precision <= WIDTH_MAX);
        place.precision = Some(value.ok_or_else(refused)?);
        rest = &after[precision..];
    }
    let mut characters = rest.chars();
    place.conversion = characters.next().filter(|c| "sSdxXcbBfeE%n".contains(*c)).ok_or_else(refused)?;
    Ok((place, characters.as_str()))
}

fn print(evaluator: &mut Evaluator<'_>, place: &Place, value: &Value) -> Result<String, EvaluationError> {
    let value = if place.conversion.eq_ignore_ascii_case(&'s') { value } else { value.single() };
    let number = || {
        number::real(value).ok_or_else(|| {
            EvaluationError::new(format!(
                "{} does not fit into %{} of a format",
                value.kind(),
                place.conversion
            ))
        })
    };
    let signed = |text: String| if place.plus && !text.starts_with('-') { format!("+{text}") } else { text };
    Ok(match place.conversion {
        'd' => {
            number()?;
            let text = convert::text(&convert::integer(value)?.into(), evaluator)?;
            signed(if place.groups { grouped(&text) } else { text })
        }
        'x' | 'X' => {
            number()?;
            let whole = convert::integer(value)?.unwrap_or_default();
            let narrow =
                i32::try_from(whole).map_or_else(|_| format!("{whole:x}"), |whole| format!("{whole:x}"));
            if place.conversion == 'X' { narrow.to_uppercase() } else { narrow }
        }
        'f' => {
            let precision = place.precision.unwrap_or(6);
            let real = number()?;
            let text = match number::decimal(value) {
                // Halves are rounded up, as Java does it, not to even.
                Some(decimal) => {
                    let scale = i64::try_from(precision).unwrap_or(0);
                    decimal.with_scale_round(scale, RoundingMode::HalfUp).to_plain_string()
                }
                None => number::print_real(real),
            };
            signed(if place.groups { grouped(&text) } else { text })
        }
        'e' | 'E' => {
            let text = format!("{:.*e}", place.precision.unwrap_or(6), number()?);
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            signed(format!("{digits}e{sign}{:02}", exponent.abs()))
        }
        'b' | 'B' => convert::truth(value).unwrap_or(Some(true)).unwrap_or(false).to_string(),
        _ => {
            let text = if value.is_null() { "null".to_owned() } else { convert::text(value, evaluator)? };
            let text = match place.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            if place.conversion == 'S' { text.to_uppercase() } else { text }
        }
    })
}

fn pad(place: &Place, text: String) -> String {
    let missing = place.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if place.left {
        return text + &" ".repeat(missing);
    }
    if place.zeros {
        // Zeros stand between the sign and the digits.
        let sign = text.len() - text.trim_start_matches(['-', '+']).len();
        return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
    }
    " ".repeat(missing) + &text
}

/// With a comma between groups of three digits.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut result = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            result.push(',');
        }
        result.push(digit);
    }
    if let Some(fraction) = fraction {
        result.push('.');
        result.push_str(fraction);
    }
    result
}
