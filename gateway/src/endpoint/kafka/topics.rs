//! The topics that a client reads: some by their names, or those that a pattern matches.

use definition::connector::kafka::TopicPattern;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// New partitions of named topics are looked for this often.
const NEW_PARTITIONS: Duration = Duration::from_secs(10);
/// New topics that a pattern matches are looked for this often.
const NEW_TOPICS: Duration = Duration::from_secs(2);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Topics {
    /// Sorted; each exists, or reading fails.
    Named(Vec<Arc<str>>),
    /// Whatever matches, now or later.
    Matching(TopicPattern),
}

impl Topics {
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self, Topics::Matching(_))
    }

    /// Whether a topic is one of them, existing or not.
    pub(super) fn contains(&self, topic: &str) -> bool {
        match self {
            Topics::Named(names) => names.iter().any(|name| **name == *topic),
            Topics::Matching(pattern) => pattern.matches(topic),
        }
    }

    /// How often to look whether there is more to read.
    pub(super) fn refresh(&self) -> Duration {
        if self.is_pattern() { NEW_TOPICS } else { NEW_PARTITIONS }
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Named(names) => f.debug_list().entries(names).finish(),
            Topics::Matching(pattern) => write!(f, "/{}/", pattern.source()),
        }
    }
}
