//! Key-less plans: everybody may call, and is known by the address.

use crate::call::Call;
use crate::http::serve::Peer;
use std::sync::Arc;

/// Notes who calls; answers what the client identifier is inferred from.
pub(super) fn admit(call: &mut Call, peer: &Peer) -> Arc<str> {
    call.consumer = Some(Arc::clone(peer.consumer()));
    Arc::clone(peer.inferred())
}
