//! Key-less plans: everybody may call, and is known by the address.

use super::Plan;
use crate::call::Call;
use crate::http::serve::Peer;
use std::sync::Arc;

/// Notes who calls; answers what the client identifier is inferred from.
pub(super) fn note(call: &mut Call, plan: &Plan, peer: &Peer) -> Arc<str> {
    let consumer = peer.consumer();
    peer.attributes().note(call, &plan.id, consumer);
    call.consumer = Some(Arc::clone(consumer));
    Arc::clone(peer.inferred())
}
