//! What the author of a subscription wrote on it. Open streams see a change at once: filters that compare with it decide
//! about the next message already.

use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Metadata of one subscription; clones are the same metadata.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata(Arc<ArcSwap<BTreeMap<String, String>>>);

impl From<BTreeMap<String, String>> for Metadata {
    fn from(values: BTreeMap<String, String>) -> Self {
        Metadata(Arc::new(ArcSwap::from_pointee(values)))
    }
}

impl Metadata {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.load().get(key).cloned()
    }

    /// Everything, as it is now.
    pub(crate) fn all(&self) -> Arc<BTreeMap<String, String>> {
        self.0.load_full()
    }

    /// Lets everybody who has this metadata see these values.
    pub(crate) fn replace(&self, values: BTreeMap<String, String>) {
        self.0.store(Arc::new(values));
    }
}
