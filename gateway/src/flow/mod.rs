//! Flows of an API or of a plan: which of them apply to a call, and their steps in order.
//!
//! Everything that can be decided when an API is deployed is decided here once: patterns, expressions and policies are
//! built with the API, and a request only walks over them.

pub(crate) mod bridge;
pub(crate) mod build;
pub(crate) mod layer;
pub(crate) mod messages;
pub(crate) mod path;
pub(crate) mod replay;
mod select;

use crate::apart;
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::policy::{Flow as Next, Policy};
use crate::seldom::warn_seldom;
use definition::api::{ChannelOperation, FlowMode, PathOperator};
use definition::connector::Mode;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use path::PathPattern;
use std::sync::Arc;

/// The flows of one chain: of a plan, or of the API.
#[derive(Default)]
pub(crate) struct Flows {
    pub(crate) mode: Option<FlowMode>,
    pub(crate) flows: Vec<Arc<Flow>>,
}

/// One enabled flow.
pub(crate) struct Flow {
    pub(crate) selector: Selector,
    pub(crate) condition: Option<Template>,
    pub(crate) request: Vec<Step>,
    pub(crate) response: Vec<Step>,
    pub(crate) subscribe: Vec<Step>,
    pub(crate) publish: Vec<Step>,
}

/// What a request must be for a flow to apply.
pub(crate) struct Selector {
    /// As it was written, for the choice of the best match.
    pub(crate) path: String,
    pub(crate) pattern: Arc<PathPattern>,
    pub(crate) operator: PathOperator,
    /// Empty: all.
    pub(crate) methods: Vec<String>,
    /// Empty: all.
    pub(crate) entrypoints: Vec<String>,
    /// Empty: all.
    pub(crate) operations: Vec<ChannelOperation>,
}

/// One enabled step.
pub(crate) struct Step {
    /// Place in the deployment, for the log.
    pub(crate) place: String,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) condition: Option<Template>,
    pub(crate) message_condition: Option<Template>,
}

/// The entrypoint that a request came through, as selectors see it.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) id: &'a str,
    pub(crate) modes: &'a [Mode],
}

/// The flows that apply to one call; chosen in the request phase and kept for the later ones.
pub(crate) type Chosen = Vec<Arc<Flow>>;

impl Flow {
    /// A flow for all requests, with steps for published messages only.
    #[cfg(test)]
    pub(crate) fn of_publish(publish: Vec<Step>) -> Flow {
        let selector = Selector {
            path: "/".to_owned(),
            pattern: Arc::new(PathPattern::Root),
            operator: PathOperator::StartsWith,
            methods: Vec::new(),
            entrypoints: Vec::new(),
            operations: Vec::new(),
        };
        let (request, response, subscribe) = (Vec::new(), Vec::new(), Vec::new());
        Flow { selector, condition: None, request, response, subscribe, publish }
    }

    pub(crate) fn steps(&self, phase: Phase) -> &[Step] {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::Publish => &self.publish,
            Phase::Subscribe => &self.subscribe,
        }
    }
}

impl Flows {
    /// Runs the request steps of the flows that apply, and adds those flows to `chosen`.
    pub(crate) async fn request(
        &self,
        call: &mut Call,
        door: Door<'_>,
        chosen: &mut Chosen,
    ) -> Result<Next, Failure> {
        match self.mode.unwrap_or(FlowMode::Default) {
            FlowMode::Default => {
                for flow in &self.flows {
                    // A condition sees what the flows before it did.
                    if flow.selector.matches(call, door) && holds(flow.condition.as_ref(), call).await? {
                        chosen.push(Arc::clone(flow));
                        if run(&flow.request, Phase::Request, call).await? == Next::Interrupt {
                            return Ok(Next::Interrupt);
                        }
                    }
                }
                Ok(Next::Continue)
            }
            FlowMode::BestMatch => {
                let mut candidates = Vec::new();
                for flow in &self.flows {
                    if flow.selector.matches(call, door) && holds(flow.condition.as_ref(), call).await? {
                        candidates.push(flow);
                    }
                }
                let Some(best) = select::best(&candidates, call.request.path_info()) else {
                    return Ok(Next::Continue);
                };
                chosen.push(Arc::clone(best));
                run(&best.request, Phase::Request, call).await
            }
        }
    }
}

/// Runs steps of the phase request or response.
pub(crate) async fn run(steps: &[Step], phase: Phase, call: &mut Call) -> Result<Next, Failure> {
    for step in steps {
        if !holds(step.condition.as_ref(), call).await? {
            continue;
        }
        let needs = step.policy.needs(phase);
        provide(needs, call).await?;
        let size = apart::size(needs, call);
        let next = match phase {
            Phase::Response => apart::run(size, step.policy.on_response(call)).await?,
            Phase::Request | Phase::Publish | Phase::Subscribe => {
                apart::run(size, step.policy.on_request(call)).await?
            }
        };
        if next == Next::Interrupt {
            tracing::debug!(step = step.place, "a policy ended the flow");
            return Ok(Next::Interrupt);
        }
    }
    Ok(Next::Continue)
}

/// Whether a condition lets its step or flow run. What cannot be evaluated does not hold.
pub(crate) async fn holds(condition: Option<&Template>, call: &mut Call) -> Result<bool, Failure> {
    let Some(condition) = condition else { return Ok(true) };
    provide(condition.needs(), call).await?;
    let size = apart::size(condition.needs(), call);
    match apart::run(size, async { expression::truth(condition, &Scope::of(call)) }).await {
        Ok(truth) => Ok(truth == Some(true)),
        Err(error) => {
            // Without the condition's text, which may hold what is nobody's business.
            warn_seldom!(api.id = %call.api.id, %error, "a condition cannot be evaluated and counts as false");
            Ok(false)
        }
    }
}

/// Reads bodies as a whole when somebody looks at them.
pub(crate) async fn provide(needs: Needs, call: &mut Call) -> Result<(), Failure> {
    if needs.request_content {
        call.request.buffer().await?;
    }
    if needs.response_content {
        call.response.buffer().await?;
    }
    Ok(())
}
