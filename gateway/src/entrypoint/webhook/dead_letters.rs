//! Where messages go that a callback refuses: an endpoint of the API, whose confirmation settles them.

use super::PushRun;
use crate::endpoint::{Attributes, Backend, PublishContext};
use crate::failure::Failure;
use crate::message::Message;
use crate::proxy;
use crate::table::groups::Groups;
use crate::table::runtime::DeployedEntrypoint;
use definition::api::Qos;
use std::sync::Arc;

/// The dead-letter target of an entrypoint.
pub(super) struct DeadLetters {
    groups: Arc<Groups>,
    /// Of an endpoint or of a group.
    name: String,
    context: PublishContext,
}

impl DeadLetters {
    /// `None`: the entrypoint has none.
    pub(super) fn of(run: &PushRun, entrypoint: &DeployedEntrypoint) -> Option<DeadLetters> {
        let context = PublishContext {
            // Confirmed by the broker, whatever the level of what was read.
            qos: Qos::Auto,
            client_identifier: run.subscription.id.as_str().into(),
            // Those of the run say where to read, and must not lead what was refused back there.
            attributes: Attributes::default(),
        };
        let name = entrypoint.dead_letters.clone()?;
        Some(DeadLetters { groups: Arc::clone(&run.api.groups), name, context })
    }

    /// Publishes a message; returns after the broker confirmed it.
    pub(super) async fn take(&self, message: Message) -> Result<(), Failure> {
        let choice = self.groups.named(&self.name).ok_or_else(proxy::no_endpoint)?;
        let Backend::Messages(endpoint) = &choice.endpoint.backend else { return Err(proxy::no_endpoint()) };
        endpoint.publish(&self.context, message).await
    }
}
