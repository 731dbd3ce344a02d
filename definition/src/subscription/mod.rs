//! Subscriptions: an application's use of a plan. What is allowed when are pure transitions here; the store only
//! records them.

mod configuration;
mod document;
pub mod webhook;
mod webhook_settings;

pub use configuration::{ConsumerConfiguration, Shape};
pub use document::{
    SubscriptionDecision, SubscriptionRequest, SubscriptionUpdate, read_decision, read_request,
    read_transfer, read_update,
};

use crate::token::tokens;

tokens! {
    /// Where a subscription stands with the publisher of the API.
    pub enum SubscriptionStatus {
        Pending = "PENDING",
        Accepted = "ACCEPTED",
        Rejected = "REJECTED",
        Paused = "PAUSED",
        Closed = "CLOSED",
    }
}

tokens! {
    /// Whether the consumer wants messages now; independent of the publisher's status.
    pub enum ConsumerStatus { Started = "STARTED", Stopped = "STOPPED", Failure = "FAILURE" }
}

/// What the publisher does to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionAction {
    Accept,
    Reject,
    Pause,
    Resume,
    Close,
}

/// What the consumer does to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerAction {
    Start,
    Stop,
    /// After the gateway gave up delivering.
    ResumeFailure,
}

/// Why an action is refused: the text is the `technicalCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionTransitionError {
    #[error("subscription.processed")]
    Processed,
    #[error("subscription.notPausable")]
    NotPausable,
    #[error("subscription.notPaused")]
    NotPaused,
    #[error("subscription.closed")]
    Closed,
}

impl SubscriptionStatus {
    /// The status after `action`, or why it is refused. A pending subscription that is closed was never used, so it
    /// counts as rejected.
    pub fn after(
        self,
        action: SubscriptionAction,
    ) -> Result<SubscriptionStatus, SubscriptionTransitionError> {
        use SubscriptionAction as A;
        use SubscriptionStatus as S;
        use SubscriptionTransitionError as E;
        match (self, action) {
            (S::Pending, A::Accept) => Ok(S::Accepted),
            (S::Pending, A::Reject | A::Close) => Ok(S::Rejected),
            (S::Accepted, A::Pause) => Ok(S::Paused),
            (S::Paused, A::Resume) => Ok(S::Accepted),
            (S::Accepted | S::Paused, A::Close) => Ok(S::Closed),
            (S::Accepted | S::Paused | S::Rejected | S::Closed, A::Accept | A::Reject) => Err(E::Processed),
            (S::Pending | S::Paused | S::Rejected | S::Closed, A::Pause) => Err(E::NotPausable),
            (S::Pending | S::Accepted | S::Rejected | S::Closed, A::Resume) => Err(E::NotPaused),
            (S::Rejected | S::Closed, A::Close) => Err(E::Closed),
        }
    }

    /// True until it is rejected or closed: an application has one live subscription per plan.
    pub fn is_live(self) -> bool {
        match self {
            SubscriptionStatus::Pending | SubscriptionStatus::Accepted | SubscriptionStatus::Paused => true,
            SubscriptionStatus::Rejected | SubscriptionStatus::Closed => false,
        }
    }
}

impl ConsumerStatus {
    /// The status after `action`, or why it is refused.
    pub fn after(self, action: ConsumerAction) -> Result<ConsumerStatus, SubscriptionTransitionError> {
        match (self, action) {
            (ConsumerStatus::Started, ConsumerAction::Stop) => Ok(ConsumerStatus::Stopped),
            (ConsumerStatus::Stopped, ConsumerAction::Start)
            | (ConsumerStatus::Failure, ConsumerAction::ResumeFailure) => Ok(ConsumerStatus::Started),
            (ConsumerStatus::Stopped | ConsumerStatus::Failure, ConsumerAction::Stop) => {
                Err(SubscriptionTransitionError::NotPausable)
            }
            (ConsumerStatus::Started | ConsumerStatus::Failure, ConsumerAction::Start)
            | (ConsumerStatus::Started | ConsumerStatus::Stopped, ConsumerAction::ResumeFailure) => {
                Err(SubscriptionTransitionError::NotPaused)
            }
        }
    }
}

#[cfg(test)]
mod tests;
