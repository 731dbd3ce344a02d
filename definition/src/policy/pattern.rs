//! Regular expressions that authors write, compiled alike when an API is saved and when it is deployed.
//!
//! The syntax has look-around and back-references; whatever needs them is matched by trying, so the tries are limited.

use fancy_regex::{Regex, RegexBuilder};

/// Greatest number of steps that one match may take back; beyond it the match is an error.
pub const BACKTRACK_MAX: usize = 100_000;
/// Greatest size of a compiled expression, bytes.
const COMPILED_MAX_BYTES: usize = 1024 * 1024;

/// How an expression is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Letters match in both cases.
    pub ignore_case: bool,
    /// The dot matches line ends too.
    pub dot_all: bool,
    /// The whole text must match, not a part of it.
    pub whole: bool,
}

/// Compiles; the error says what is wrong with the expression.
pub fn compile(source: &str, reading: Reading) -> Result<Regex, String> {
    let build = |source: &str| {
        RegexBuilder::new(source)
            .case_insensitive(reading.ignore_case)
            .dot_matches_new_line(reading.dot_all)
            .backtrack_limit(BACKTRACK_MAX)
            .delegate_size_limit(COMPILED_MAX_BYTES)
            .build()
            .map_err(|error| format!("is no regular expression: {error}"))
    };
    // First as it is, so that errors have its places and no group is closed by the frame below.
    let regex = build(source)?;
    if reading.whole { build(&format!(r"\A(?:{source})\z")) } else { Ok(regex) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_read_as_asked() {
        let check =
            |source: &str, reading, text: &str| compile(source, reading).unwrap().is_match(text).unwrap();
        let plain = Reading::default();
        assert!(check("b", plain, "abc") && !check("B", plain, "abc") && !check("a.c", plain, "a\nc"));
        assert!(check("B", Reading { ignore_case: true, ..plain }, "abc"));
        assert!(check("a.c", Reading { dot_all: true, ..plain }, "a\nc"));
        let whole = Reading { whole: true, ..plain };
        assert!(check("a|bc", whole, "bc") && !check("a|bc", whole, "abc"));
        assert!(compile("a)(b", whole).is_err() && compile("a{99999999}", plain).is_err());
    }

    #[test]
    fn a_hostile_expression_gives_up() {
        let regex = compile("(a|b|ab)*(?>c)", Reading::default()).unwrap();
        assert!(regex.is_match(&"ab".repeat(64)).is_err());
    }
}
