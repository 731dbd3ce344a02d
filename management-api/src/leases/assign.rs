//! Who should own what: a pure function of the gateways and the leases.
//!
//! An owner that can go on keeps what it has, unless another one that could take it has at least two fewer. What has
//! no owner goes to whoever has the fewest. Gateways that are about to stop get nothing and keep what they have until
//! they give it back; those that refused the API get nothing while there are others.

use super::Owner;
use crate::sync::tags_match;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A gateway process that can own push subscriptions.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) owner: Owner,
    pub(crate) tags: BTreeSet<String>,
    /// `<organization>/<environment>`, those that it serves.
    pub(crate) environments: BTreeSet<String>,
    /// It holds everything that it should run.
    pub(crate) ready: bool,
    /// It is about to stop.
    pub(crate) draining: bool,
    /// It was heard of within the time of a lease.
    pub(crate) alive: bool,
    /// Ids of APIs whose newest content it refused.
    pub(crate) refused: BTreeSet<String>,
}

/// A push subscription.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) subscription: Uuid,
    pub(crate) environment: String,
    pub(crate) api: String,
    /// Tags of its API; `None`: the API is not deployed.
    pub(crate) tags: Option<Vec<String>>,
    /// Accepted, and started by its consumer.
    pub(crate) wanted: bool,
    pub(crate) owner: Option<Owner>,
    pub(crate) generation: u64,
}

/// A change of owner, from the generation that it was decided upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) subscription: Uuid,
    pub(crate) generation: u64,
    pub(crate) to: Option<Owner>,
}

impl Node {
    fn serves(&self, lease: &Lease) -> bool {
        let tags = lease.tags.as_ref().filter(|_| lease.wanted);
        tags.is_some_and(|tags| tags_match(&self.tags, tags))
            && self.environments.contains(&lease.environment)
    }

    fn can_take(&self, lease: &Lease) -> bool {
        self.alive && self.ready && !self.draining && self.serves(lease)
    }

    fn refuses(&self, lease: &Lease) -> bool {
        self.refused.contains(&lease.api)
    }
}

/// The changes that are due. Without `judge` nobody is taken for dead: whoever decides has not looked for long enough.
pub(crate) fn assign(nodes: &[Node], leases: &[Lease], judge: bool) -> Vec<Move> {
    let nodes: BTreeMap<&Owner, &Node> = nodes.iter().map(|node| (&node.owner, node)).collect();
    let mut load: BTreeMap<&Owner, usize> = nodes.keys().map(|owner| (*owner, 0)).collect();
    let mut owners: Vec<Option<&Owner>> = Vec::with_capacity(leases.len());
    for lease in leases {
        let owner = lease.owner.as_ref().and_then(|owner| nodes.get(owner)).copied();
        let owner = owner.filter(|node| node.serves(lease) && keeps(node, lease, &nodes, judge));
        let owner = owner.map(|node| &node.owner);
        owner.into_iter().for_each(|owner| *load.entry(owner).or_default() += 1);
        owners.push(owner);
    }
    for (lease, owner) in leases.iter().zip(&mut owners).filter(|(_, owner)| owner.is_none()) {
        *owner = fewest(&nodes, &load, lease);
        owner.iter().for_each(|owner| *load.entry(owner).or_default() += 1);
    }
    even_out(&nodes, leases, &mut owners, &mut load);
    let moves = leases.iter().zip(owners).filter(|(lease, owner)| lease.owner.as_ref() != *owner);
    moves
        .map(|(lease, owner)| Move {
            subscription: lease.subscription,
            generation: lease.generation,
            to: owner.cloned(),
        })
        .collect()
}

/// Whether an owner that serves a lease keeps it: it lives and did not refuse the API, or nobody else is better.
fn keeps(node: &Node, lease: &Lease, nodes: &BTreeMap<&Owner, &Node>, judge: bool) -> bool {
    let mut others = nodes.values().filter(|other| other.can_take(lease));
    if node.alive || !judge {
        return !node.refuses(lease) || others.all(|other| other.refuses(lease));
    }
    others.next().is_none()
}

fn fewest<'a>(
    nodes: &BTreeMap<&'a Owner, &'a Node>,
    load: &BTreeMap<&'a Owner, usize>,
    lease: &Lease,
) -> Option<&'a Owner> {
    let able = nodes.iter().filter(|(_, node)| node.can_take(lease)).map(|(owner, _)| *owner);
    let refuses = |owner: &Owner| nodes.get(owner).is_none_or(|node| node.refuses(lease));
    able.min_by_key(|owner| (refuses(owner), load.get(*owner).copied().unwrap_or(0)))
}

/// Moves one lease after the other from owners that could go on to those that have at least two fewer. Every step
/// makes the sum of the squared loads smaller, so this ends.
fn even_out<'a>(
    nodes: &BTreeMap<&'a Owner, &'a Node>,
    leases: &[Lease],
    owners: &mut [Option<&'a Owner>],
    load: &mut BTreeMap<&'a Owner, usize>,
) {
    loop {
        let mut moved = false;
        for (lease, owner) in leases.iter().zip(owners.iter_mut()) {
            let Some(from) = *owner else { continue };
            let goes_on = nodes.get(from).is_some_and(|node| node.can_take(lease));
            let Some(to) = fewest(nodes, load, lease).filter(|_| goes_on) else { continue };
            let of = |owner: &Owner| load.get(owner).copied().unwrap_or(0);
            if of(to) + 1 < of(from) {
                load.entry(from).and_modify(|count| *count -= 1);
                *load.entry(to).or_default() += 1;
                *owner = Some(to);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
