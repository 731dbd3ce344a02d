//! The level-triggered core: what has to change so that a gateway holds what it should.
//!
//! `plan` is a pure function of the wanted and the held resources. Streams, logs and notifications only decide when
//! it runs, so whatever they lose costs time and never correctness. A delta is the same function over the resources
//! that changed between two pictures.

use super::state::{EnvState, Key};
use super::view::NodeView;
use definition::digest::Digest;
use std::collections::BTreeMap;

/// One change of a gateway's holdings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Upsert(Key, Digest),
    Delete(Key),
}

impl Change {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Change::Upsert(key, _) | Change::Delete(key) => key,
        }
    }
}

/// What turns `held` into `desired`: upserts first, so that nothing is torn down before its replacement is there.
/// Each in the order of its key, whatever the order of the arguments.
pub(crate) fn plan(
    desired: impl IntoIterator<Item = (Key, Digest)>,
    held: impl IntoIterator<Item = (Key, Digest)>,
) -> Vec<Change> {
    let desired: BTreeMap<Key, Digest> = desired.into_iter().collect();
    let held: BTreeMap<Key, Digest> = held.into_iter().collect();
    let upserts = desired
        .iter()
        .filter(|(key, digest)| held.get(*key) != Some(*digest))
        .map(|(key, digest)| Change::Upsert(key.clone(), *digest));
    let deletes =
        held.keys().filter(|key| !desired.contains_key(*key)).map(|key| Change::Delete(key.clone()));
    upserts.chain(deletes).collect()
}

/// The change of visibility for one gateway between two pictures of the same epoch.
pub(crate) fn delta(old: &EnvState, new: &EnvState, view: &NodeView) -> Vec<Change> {
    let visible = |state: &EnvState, key: &Key| Some((key.clone(), view.sees(key, state.get(key)?)?.digest));
    let changed: Vec<&Key> = new.changed_since(old.head).collect();
    let desired: Vec<_> = changed.iter().filter_map(|key| visible(new, key)).collect();
    let held: Vec<_> = changed.iter().filter_map(|key| visible(old, key)).collect();
    plan(desired, held)
}

/// True when every removal is explained: the resource is known to be gone, or not to be this gateway's.
pub(crate) fn removals_are_explained(changes: &[Change], state: &EnvState) -> bool {
    changes.iter().all(|change| match change {
        Change::Upsert(..) => true,
        Change::Delete(key) => state.get(key).is_some(),
    })
}

#[cfg(test)]
mod tests;
