//! Steps that see messages, one by one and in order, for one connection.

use super::{Chosen, Step, holds, provide};
use crate::apart;
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::message::Message;
use crate::policy::Policy;
use definition::expression::Template;
use definition::policy::Phase;
use std::sync::Arc;

/// The steps of one direction.
pub(crate) struct MessageChain {
    phase: Phase,
    steps: Vec<MessageStep>,
}

struct MessageStep {
    policy: Arc<dyn Policy>,
    condition: Option<Template>,
}

impl MessageChain {
    /// The steps whose conditions hold for this connection. Conditions are asked once, here.
    pub(crate) async fn connect(chosen: &Chosen, phase: Phase, call: &mut Call) -> Result<Self, Failure> {
        let mut steps = Vec::new();
        for step in chosen.iter().flat_map(|flow| flow.steps(phase)) {
            if holds(step.condition.as_ref(), call).await? {
                // The body of the request is there only now: messages do not read it.
                provide(step.policy.needs(phase), call).await?;
                steps.push(MessageStep::new(step, phase, call));
            }
        }
        Ok(MessageChain { phase, steps })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Passes a message through the steps. `None`: a step dropped it.
    pub(crate) async fn run(&self, call: &Call, mut message: Message) -> Result<Option<Message>, Failure> {
        for step in &self.steps {
            let size = message.content.as_ref().map_or(0, |content| content.len());
            match apart::run(size, step.run(call, message, self.phase)).await? {
                Some(changed) => message = changed,
                None => return Ok(None),
            }
        }
        // What other connections of a shared fetch made of the record is not what this one sends.
        message.frames = None;
        Ok(Some(message))
    }
}

impl MessageStep {
    fn new(step: &Step, phase: Phase, call: &Call) -> Self {
        let policy = step.policy.connect(call, phase).unwrap_or_else(|| Arc::clone(&step.policy));
        MessageStep { policy, condition: step.message_condition.clone() }
    }

    async fn run(&self, call: &Call, message: Message, phase: Phase) -> Result<Option<Message>, Failure> {
        if !self.applies(call, &message) {
            return Ok(Some(message));
        }
        self.policy.on_message(call, message, phase).await
    }

    fn applies(&self, call: &Call, message: &Message) -> bool {
        let Some(condition) = &self.condition else { return true };
        let scope = Scope::of_message(call, message);
        expression::truth(condition, &scope).is_ok_and(|truth| truth == Some(true))
    }
}
