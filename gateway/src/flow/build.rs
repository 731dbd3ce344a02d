//! From the flows of a deployment to flows that run, or to the reason why not.

use super::path::PathPattern;
use super::{Flow, Flows, Selector, Step};
use crate::policy::{self, Site};
use crate::table::build::{Rejection, invalid};
use definition::api::{self, FlowMode, PathOperator};
use definition::expression::Template;
use definition::policy::Phase;
use std::sync::Arc;

/// What the flows of one API have in common.
pub(crate) struct Builder<'a> {
    pub(crate) resources: &'a crate::resource::Resources,
    pub(crate) shared: &'a crate::endpoint::Shared,
    pub(crate) mode: FlowMode,
}

impl Builder<'_> {
    /// The enabled flows of a list at `path`.
    pub(crate) fn flows(&self, path: &str, flows: &[api::Flow]) -> Result<Flows, Rejection> {
        let mut built = Vec::new();
        for (index, flow) in flows.iter().enumerate().filter(|(_, flow)| flow.enabled) {
            built.push(Arc::new(self.flow(&format!("{path}[{index}]"), flow)?));
        }
        Ok(Flows { mode: Some(self.mode), flows: built })
    }

    fn flow(&self, path: &str, flow: &api::Flow) -> Result<Flow, Rejection> {
        let steps = |phase: Phase, steps: &[api::Step]| {
            let enabled = steps.iter().enumerate().filter(|(_, step)| step.enabled);
            let place = |index| format!("{path}.{}[{index}]", phase.label());
            enabled.map(|(index, step)| self.step(&place(index), step)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Flow {
            selector: selector(path, &flow.selectors)?,
            condition: condition(path, &flow.selectors)?,
            request: steps(Phase::Request, &flow.request)?,
            response: steps(Phase::Response, &flow.response)?,
            subscribe: steps(Phase::Subscribe, &flow.subscribe)?,
            publish: steps(Phase::Publish, &flow.publish)?,
        })
    }

    fn step(&self, place: &str, step: &api::Step) -> Result<Step, Rejection> {
        let Some(factory) = policy::factory(&step.policy) else {
            let message = format!("the policy `{}` is not available in this version", step.policy);
            return Err(Rejection::new("POLICY_UNKNOWN", place, message));
        };
        let site = Site { resources: self.resources, shared: self.shared };
        let settings = step.configuration.clone().unwrap_or_default();
        let policy = factory(&settings, &site).map_err(|violations| {
            let Rejection { path, message, .. } = invalid(&format!("{place}.configuration"), &violations);
            Rejection::new("POLICY_CONFIGURATION", path, message)
        })?;
        Ok(Step {
            place: place.to_owned(),
            policy,
            condition: template(&format!("{place}.condition"), step.condition.as_deref())?,
            message_condition: template(
                &format!("{place}.messageCondition"),
                step.message_condition.as_deref(),
            )?,
        })
    }
}

/// A blank expression is none.
pub(crate) fn template(path: &str, source: Option<&str>) -> Result<Option<Template>, Rejection> {
    let Some(source) = source.map(str::trim).filter(|source| !source.is_empty()) else { return Ok(None) };
    let parsed = Template::condition(source);
    parsed.map(Some).map_err(|error| Rejection::new("EXPRESSION_SYNTAX", path, error.to_string()))
}

/// The first selector of each kind counts.
fn selector(path: &str, selectors: &[api::Selector]) -> Result<Selector, Rejection> {
    let mut found = Selector {
        path: "/".to_owned(),
        pattern: Arc::new(PathPattern::Root),
        operator: PathOperator::StartsWith,
        methods: Vec::new(),
        entrypoints: Vec::new(),
        operations: Vec::new(),
    };
    let first = selectors.iter().enumerate().find_map(|(index, selector)| match selector {
        api::Selector::Http { path, path_operator, methods } => {
            found.methods = methods.clone();
            Some((index, path, *path_operator))
        }
        api::Selector::Channel { operations, channel, channel_operator, entrypoints } => {
            found.operations = operations.clone();
            found.entrypoints = entrypoints.clone();
            Some((index, channel, *channel_operator))
        }
        api::Selector::Condition { .. } => None,
    });
    if let Some((index, selected, operator)) = first {
        let pattern = PathPattern::new(selected, operator).map_err(|error| {
            let message = format!("the path `{selected}` cannot be read as a pattern: {error}");
            Rejection::new("FLOW_PATH", format!("{path}.selectors[{index}]"), message)
        })?;
        found.pattern = Arc::new(pattern);
        (found.path, found.operator) = (selected.clone(), operator);
    }
    Ok(found)
}

fn condition(path: &str, selectors: &[api::Selector]) -> Result<Option<Template>, Rejection> {
    let source = selectors.iter().find_map(|selector| match selector {
        api::Selector::Condition { condition } => Some(condition.as_str()),
        api::Selector::Http { .. } | api::Selector::Channel { .. } => None,
    });
    template(&format!("{path}.selectors"), source)
}
