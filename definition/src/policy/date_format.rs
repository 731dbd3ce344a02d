//! Date formats as Java's `SimpleDateFormat` writes them, in the notation of `strftime`.

/// Translates a format; the error names what has no translation.
pub fn date_format(pattern: &str) -> Result<String, String> {
    let mut format = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(&rest[1..], &mut format)?;
            continue;
        }
        let run = rest.len() - rest.trim_start_matches(first).len();
        if first.is_ascii_alphabetic() {
            let count = run / first.len_utf8();
            let field = field(first, count);
            format.push_str(field.ok_or_else(|| {
                format!("{pattern:?} is no date format that can be read: `{}` is unknown", &rest[..run])
            })?);
        } else {
            rest[..run].chars().for_each(|literal| push_literal(literal, &mut format));
        }
        rest = &rest[run..];
    }
    Ok(format)
}

/// Text in quotes; two quotes are one. Answers what follows it.
fn quoted<'a>(text: &'a str, format: &mut String) -> Result<&'a str, String> {
    if let Some(rest) = text.strip_prefix('\'') {
        format.push('\'');
        return Ok(rest);
    }
    let mut text = text;
    loop {
        let (literal, rest) =
            text.split_once('\'').ok_or_else(|| "the date format ends within a quote".to_owned())?;
        literal.chars().for_each(|literal| push_literal(literal, format));
        match rest.strip_prefix('\'') {
            Some(more) => {
                format.push('\'');
                text = more;
            }
            None => return Ok(rest),
        }
    }
}

fn push_literal(literal: char, format: &mut String) {
    format.push(literal);
    if literal == '%' {
        format.push('%');
    }
}

fn field(letter: char, count: usize) -> Option<&'static str> {
    Some(match (letter, count) {
        ('y' | 'u', 2) => "%y",
        ('y' | 'u', _) => "%Y",
        ('M' | 'L', 1 | 2) => "%m",
        ('M' | 'L', 3) => "%b",
        ('M' | 'L', _) => "%B",
        ('d', _) => "%d",
        ('D', _) => "%j",
        ('E', 1..=3) => "%a",
        ('E', _) => "%A",
        ('H', _) => "%H",
        ('h', _) => "%I",
        ('m', _) => "%M",
        ('s', _) => "%S",
        ('S', 3) => "%3f",
        ('a', _) => "%p",
        ('Z', _) => "%z",
        ('X', _) => "%#z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_translated() {
        let check =
            |pattern: &str, expected: &str| assert_eq!(date_format(pattern).unwrap(), expected, "{pattern}");
        check("dd/MM/yyyy", "%d/%m/%Y");
        check("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "%Y-%m-%dT%H:%M:%S.%3f%z");
        check("EEE, d MMM yy h 'o''clock' a", "%a, %d %b %y %I o'clock %p");
        check("''100%''", "'100%%'");
        check("'o'''yyyy", "o'%Y");
        for wrong in ["QQ", "yyyy 'open", "SS"] {
            assert!(date_format(wrong).is_err(), "{wrong}");
        }
    }
}
