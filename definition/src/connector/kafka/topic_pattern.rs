//! Regular expressions over names of topics, as Java clients use them: the whole name has to match.

use crate::pattern::{Pattern, PatternError};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Topics of the broker itself; a pattern never means them, as with Java clients.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// A compiled pattern. Equal when the texts are.
#[derive(Debug, Clone)]
pub struct TopicPattern {
    source: Arc<str>,
    pattern: Arc<Pattern>,
}

impl TopicPattern {
    pub(super) fn parse(source: &str) -> Result<TopicPattern, PatternError> {
        Ok(TopicPattern { source: source.into(), pattern: Arc::new(Pattern::whole(source)?) })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether a topic is meant. A pattern that takes too many steps on a name does not mean it.
    pub fn matches(&self, topic: &str) -> bool {
        !INTERNAL.contains(&topic) && matches!(self.pattern.find(topic, 0), Ok(Some(_)))
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for TopicPattern {}

impl Hash for TopicPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_has_to_match() {
        let check = |pattern: &str, topic: &str, expected: bool| {
            assert_eq!(TopicPattern::parse(pattern).unwrap().matches(topic), expected, "{pattern} {topic}");
        };
        check("orders-.*", "orders-eu", true);
        check("orders-.*", "my-orders-eu", false);
        check("a|b", "ab", false);
        check("a|b", "b", true);
        check("(?!secret).*", "secret-1", false);
        check("(?!secret).*", "public", true);
        check("\\p{Lower}+", "abc", true);
        check(".*", "__consumer_offsets", false);
        check(".*", "__mine", true);
        assert!(TopicPattern::parse("orders-(").is_err());
    }
}
