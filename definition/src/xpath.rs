//! XPath 1.0 expressions, as far as they can be judged without a document. Evaluation is the gateway's.

use sxd_xpath::{Factory, XPath};

/// Greatest expression, bytes.
const XPATH_MAX_BYTES: usize = 512;
/// Greatest nesting of brackets and parentheses, levels.
const NESTING_MAX: usize = 12;

/// Why a text is no XPath expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XpathError {
    #[error("the XPath expression is longer than {XPATH_MAX_BYTES} bytes")]
    TooLong,
    #[error("the XPath expression is nested too deeply")]
    TooDeep,
    #[error("the XPath expression is not valid")]
    Invalid,
}

/// Reads an expression.
pub fn parse(expression: &str) -> Result<XPath, XpathError> {
    if expression.len() > XPATH_MAX_BYTES {
        return Err(XpathError::TooLong);
    }
    // The reader recurses.
    if nesting(expression) > NESTING_MAX {
        return Err(XpathError::TooDeep);
    }
    Factory::new().build(expression).ok().flatten().ok_or(XpathError::Invalid)
}

fn nesting(expression: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for character in expression.chars() {
        match character {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_or_refused() {
        for valid in ["/r/a[2]", "count(//s:b/@id) > 1", "//a[. = 'x)']/text()", "string(.)"] {
            assert!(parse(valid).is_ok(), "{valid}");
        }
        for (wrong, expected) in [
            ("", XpathError::Invalid),
            ("//[", XpathError::Invalid),
            ("a b", XpathError::Invalid),
            ("a[1", XpathError::Invalid),
            (&"a/".repeat(300), XpathError::TooLong),
            (&format!("{}1{}", "(".repeat(13), ")".repeat(13)), XpathError::TooDeep),
        ] {
            assert_eq!(parse(wrong).err(), Some(expected), "{wrong}");
        }
    }
}
