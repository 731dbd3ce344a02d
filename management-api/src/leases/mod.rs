//! Push subscriptions have one owner: the gateway that delivers them. A row per subscription names it, with a
//! generation that grows whenever the subscription is given to somebody.
//!
//! Any management node decides, and all of them agree: the decision is a pure function of what the store says
//! (`assign`), and a row changes only from the generation that was decided upon. Whatever is reported under an older
//! generation means nothing. A gateway that nobody hears of keeps what it runs; after `PUSH_LEASE_MS` others get it
//! too, and the broker-side group, queue or session of the subscription keeps that overlap from losing anything.

pub(crate) mod assign;
pub(crate) mod keeper;
pub(crate) mod roll;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A gateway process: what a dead one owned is not its successor's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) node: String,
    pub(crate) process: String,
}

/// What an owner is told of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    /// `<organization>/<environment>`.
    pub(crate) environment: String,
    pub(crate) generation: u64,
}

/// Who owns what, as the keeper read it last; sessions tell their gateways the difference.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) owned: BTreeMap<Owner, BTreeMap<Uuid, Owned>>,
}

/// `None` until the store was read: nobody is told that he owns nothing because nobody has looked.
pub(crate) type Seen = Option<Arc<Picture>>;
