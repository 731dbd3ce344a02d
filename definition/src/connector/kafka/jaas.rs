//! Login lines as Kafka's clients know them: `<module class> required name="value" …;`.
//!
//! Lines hold credentials, so that mistakes are told by their position and never by what stands there. An option that is
//! given twice is refused: a value that comes from a request and holds quotes must not put another one in its place.

use std::fmt;

/// Longest login line, characters.
const LINE_MAX_CHARS: usize = 64 * 1024;
/// Flags of login modules; clients have one module, so they mean the same.
const FLAGS: [&str; 4] = ["required", "requisite", "sufficient", "optional"];

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {reason}")]
pub(super) struct JaasError {
    /// From 1.
    position: usize,
    reason: &'static str,
}

/// A login module with its options.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Class with its package.
    pub(super) class: String,
    options: Vec<(String, String)>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("class", &self.class).finish_non_exhaustive()
    }
}

impl Line {
    /// The class without its package: vendors ship the same modules under packages of their own.
    pub(super) fn module(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }

    /// The value of an option.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a line.
pub(super) fn parse(text: &str) -> Result<Line, JaasError> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    if reader.chars.len() > LINE_MAX_CHARS {
        return Err(JaasError { position: LINE_MAX_CHARS, reason: "the line is too long" });
    }
    let class = reader.word("expected the class of a login module")?;
    if !class.chars().all(|c| c.is_ascii_alphanumeric() || "._$".contains(c)) {
        return Err(JaasError { position: 1, reason: "the class of a login module has other characters" });
    }
    let flag = reader.word("expected `required` behind the class")?;
    if !FLAGS.iter().any(|known| flag.eq_ignore_ascii_case(known)) {
        return Err(reader.wrong("expected `required` behind the class"));
    }
    let mut options: Vec<(String, String)> = Vec::new();
    loop {
        reader.skip_blanks();
        if reader.take(';') {
            reader.skip_blanks();
            if reader.peek().is_some() {
                return Err(reader.wrong("expected nothing behind `;`: one login module is enough"));
            }
            return Ok(Line { class, options });
        }
        let name = reader.word("expected an option or `;`")?;
        reader.skip_blanks();
        if !reader.take('=') {
            return Err(reader.wrong("expected `=` behind the name of an option"));
        }
        let value = reader.word("expected the value of an option, in double quotes")?;
        if options.iter().any(|(known, _)| *known == name) {
            return Err(reader.wrong("this option stands there twice"));
        }
        options.push((name, value));
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn wrong(&self, reason: &'static str) -> JaasError {
        JaasError { position: self.at + 1, reason }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// A quoted text, or everything up to a blank, `=` or `;`.
    fn word(&mut self, expected: &'static str) -> Result<String, JaasError> {
        self.skip_blanks();
        if let Some(quote) = self.peek().filter(|c| matches!(c, '"' | '\'')) {
            self.at += 1;
            return self.quoted(quote);
        }
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !"=;\"'".contains(*c)) {
            word.push(c);
            self.at += 1;
        }
        if word.is_empty() { Err(self.wrong(expected)) } else { Ok(word) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, JaasError> {
        let open = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                c if c == quote => return Ok(text),
                '\\' => {
                    let Some(escaped) = self.peek() else { break };
                    self.at += 1;
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        other => other,
                    });
                }
                c => text.push(c),
            }
        }
        Err(JaasError { position: open, reason: "the quotes that open here are not closed" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_kafka_writes_them() {
        let line = parse(
            "org.apache.kafka.common.security.scram.ScramLoginModule required\n  username=\"a b\" password='it\\'s \"x\"' useKeyTab=true;\n",
        )
        .unwrap();
        assert_eq!(line.module(), "ScramLoginModule");
        assert_eq!(line.option("username"), Some("a b"));
        assert_eq!(line.option("password"), Some("it's \"x\""));
        assert_eq!(line.option("useKeyTab"), Some("true"));
        assert_eq!(line.option("other"), None);
        assert_eq!(
            parse(r#"M required a="q\"\\=;";"#).unwrap().option("a"),
            Some("q\"\\=;"),
            "what is quoted ends nothing"
        );
    }

    #[test]
    fn mistakes_have_a_position_and_no_content() {
        let check =
            |line: &str, expected: &str| assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line}");
        check("", "at character 1: expected the class of a login module");
        check("a/b required;", "at character 1: the class of a login module has other characters");
        check("M", "at character 2: expected `required` behind the class");
        check("M username=\"u\";", "at character 11: expected `required` behind the class");
        check("M required", "at character 11: expected an option or `;`");
        check("M required secret;", "at character 18: expected `=` behind the name of an option");
        check("M required a=;", "at character 14: expected the value of an option, in double quotes");
        check("M required a=\"secret;", "at character 14: the quotes that open here are not closed");
        check("M required a=\"x\\", "at character 14: the quotes that open here are not closed");
        check("M required a=\"1\" a=\"2\";", "at character 23: this option stands there twice");
        check(
            "M required; N required;",
            "at character 13: expected nothing behind `;`: one login module is enough",
        );
        assert!(parse(&"a".repeat(LINE_MAX_CHARS + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_value_survives_its_quotes(value in ".{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let line = parse(&format!("M required password=\"{quoted}\";")).unwrap();
            prop_assert_eq!(line.option("password"), Some(value.as_str()));
        }

        #[test]
        fn reading_never_panics(text in ".{0,60}") {
            drop(parse(&text));
        }
    }
}
