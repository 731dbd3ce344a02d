//! Patterns in Java's dialect, which expressions are written in.

use super::PatternError;

/// Names that Java gives to classes of ASCII characters.
const POSIX: &[(&str, &str)] = &[
    ("Lower", "lower"),
    ("Upper", "upper"),
    ("ASCII", "ascii"),
    ("Alpha", "alpha"),
    ("Digit", "digit"),
    ("Alnum", "alnum"),
    ("Punct", "punct"),
    ("Graph", "graph"),
    ("Print", "print"),
    ("Blank", "blank"),
    ("Cntrl", "cntrl"),
    ("XDigit", "xdigit"),
    ("Space", "space"),
];

/// From Java's dialect: its short classes mean ASCII characters, and it can quote with `\Q…\E`. Every replacement is a
/// class in brackets, which is as good inside of another class.
pub fn from_java(source: &str) -> String {
    let mut translated = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, behind)) = rest.split_once('\\') {
        translated.push_str(before);
        let mut after = behind.chars();
        let Some(escaped) = after.next() else {
            translated.push('\\');
            return translated;
        };
        rest = after.as_str();
        match escaped {
            'd' => translated.push_str("[0-9]"),
            'D' => translated.push_str("[^0-9]"),
            'w' => translated.push_str("[a-zA-Z0-9_]"),
            'W' => translated.push_str("[^a-zA-Z0-9_]"),
            's' => translated.push_str("[ \\t\\n\\x0B\\f\\r]"),
            'S' => translated.push_str("[^ \\t\\n\\x0B\\f\\r]"),
            'Q' => {
                let (quoted, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                translated.push_str(&regex::escape(quoted));
                rest = after;
            }
            'p' if rest.starts_with('{') => {
                let name = rest[1..].split('}').next().unwrap_or_default();
                match POSIX.iter().find(|(java, _)| *java == name) {
                    Some((_, posix)) => {
                        translated.push_str(&format!("[[:{posix}:]]"));
                        rest = rest.get(name.len() + 2..).unwrap_or_default();
                    }
                    None => translated.push_str("\\p"),
                }
            }
            other => translated.extend(['\\', other]),
        }
    }
    translated.push_str(rest);
    translated
}

/// Whether a pattern can be read at all.
pub fn check_java(source: &str) -> Result<(), PatternError> {
    let translated = from_java(source);
    if regex_syntax_is_linear(&translated) {
        return Ok(());
    }
    let wrong =
        |error: fancy_regex::Error| PatternError::Syntax(format!("{} {error}", crate::reader::quote(source)));
    fancy_regex::Regex::new(&translated).map(|_| ()).map_err(wrong)
}

fn regex_syntax_is_linear(translated: &str) -> bool {
    match regex::Regex::new(translated) {
        // How large it may become is decided where it is compiled.
        Ok(_) | Err(regex::Error::CompiledTooBig(_)) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_java_are_read() {
        for good in ["a+", "\\d{2}\\p{Alpha}", "\\Qa(b\\E", "(?<!a)b", "(a)\\1", "(?i)x"] {
            assert_eq!(check_java(good), Ok(()), "{good}");
        }
        for bad in ["(", "[", "*a", "(?<n"] {
            assert!(check_java(bad).is_err(), "{bad}");
        }
    }
}
