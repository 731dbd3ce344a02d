//! Regular expressions of authors: with look-around and back references, as they know them, and without their
//! run-away costs.
//!
//! Most patterns need neither and run in linear time; for the others there is a limit on steps and on the text.

mod java;

use crate::policy::pattern::{Reading, compile};
pub use java::{check_java, from_java};

/// Greatest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 4096;
/// Greatest text that a pattern with look-around or back references is tried on, bytes.
const BACKTRACK_TEXT_MAX_BYTES: usize = 16 * 1024;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: fancy_regex::Regex,
    /// Never goes back, so that no text is too long for it.
    linear: bool,
}

/// A match: where it is, and the values of its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// First byte of the match and the byte behind it.
    pub range: std::ops::Range<usize>,
    /// Groups in order, without the whole match; `None`: the group took no part.
    pub groups: Vec<Option<String>>,
    /// Groups that have a name and took part.
    pub named: Vec<(String, String)>,
}

/// Why a pattern cannot be used, or gives no answer on a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the pattern is longer than {PATTERN_MAX_BYTES} bytes, shorten it")]
    TooLong,
    #[error("{0}")]
    Syntax(String),
    #[error("the pattern takes too many steps on this text")]
    TooManySteps,
}

impl Pattern {
    /// A pattern that has to match a whole text.
    pub fn whole(source: &str) -> Result<Pattern, PatternError> {
        Pattern::compile(source, Reading { whole: true, ..Reading::default() })
    }

    /// A pattern that is searched for.
    pub fn anywhere(source: &str) -> Result<Pattern, PatternError> {
        Pattern::compile(source, Reading::default())
    }

    fn compile(source: &str, reading: Reading) -> Result<Pattern, PatternError> {
        if source.len() > PATTERN_MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        let linear = regex::Regex::new(source).is_ok();
        let wrong = |reason| PatternError::Syntax(format!("{} {reason}", crate::reader::quote(source)));
        Ok(Pattern { regex: compile(source, reading).map_err(wrong)?, linear })
    }

    /// The first match from a byte on.
    pub fn find(&self, text: &str, from: usize) -> Result<Option<Found>, PatternError> {
        if !self.linear && text.len() > BACKTRACK_TEXT_MAX_BYTES {
            return Err(PatternError::TooManySteps);
        }
        let captures = self.regex.captures_from_pos(text, from).map_err(|_| PatternError::TooManySteps)?;
        let Some(captures) = captures else { return Ok(None) };
        let Some(whole) = captures.get(0) else { return Ok(None) };
        let groups = (1..captures.len()).map(|at| captures.get(at).map(|group| group.as_str().to_owned()));
        let names = self.regex.capture_names().flatten();
        let named =
            names.filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str().to_owned())));
        Ok(Some(Found { range: whole.range(), groups: groups.collect(), named: named.collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(pattern: &Pattern, text: &str) -> Option<Vec<Option<String>>> {
        pattern.find(text, 0).unwrap().map(|found| found.groups)
    }

    #[test]
    fn a_whole_pattern_matches_all_of_a_text() {
        let pattern = Pattern::whole("/a/([^/]*)(/b)?").unwrap();
        assert_eq!(groups(&pattern, "/a/x"), Some(vec![Some("x".to_owned()), None]));
        assert_eq!(groups(&pattern, "/a/x/c"), None);
        assert_eq!(groups(&Pattern::whole("a|b").unwrap(), "ab"), None);
        assert!(Pattern::whole("a)(b").is_err(), "no group is closed that the author did not open");
    }

    #[test]
    fn names_of_groups_are_known() {
        let pattern = Pattern::anywhere("(?<who>[a-z]+)@(.+)").unwrap();
        let found = pattern.find("- me@home", 0).unwrap().unwrap();
        assert_eq!(found.range, 2..9);
        assert_eq!(found.named, [("who".to_owned(), "me".to_owned())]);
        assert_eq!(found.groups[1].as_deref(), Some("home"));
    }

    #[test]
    fn look_around_works_and_never_runs_away() {
        assert!(Pattern::whole("/(?!private).*").unwrap().find("/public", 0).unwrap().is_some());
        let hostile = Pattern::whole("(a*)*\\1b").unwrap();
        assert_eq!(hostile.find(&"a".repeat(64), 0), Err(PatternError::TooManySteps));
        assert_eq!(hostile.find(&"a".repeat(64 * 1024), 0), Err(PatternError::TooManySteps));
        assert_eq!(Pattern::whole(&"a".repeat(5000)).unwrap_err(), PatternError::TooLong);
    }
}
