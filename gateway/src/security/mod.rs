//! Plans: who may call. The plans of an API are asked in a fixed order of their kinds; the first one that takes what the
//! caller brought decides. A kind is one file here and one in `definition`.

mod api_key;
pub(crate) mod attributes;
pub(crate) mod bearer;
mod chain;
mod claims;
pub(crate) mod jwt;
mod key_less;
pub(crate) mod oauth2;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub(crate) use api_key::KeyNames;
pub(crate) use chain::admit;

use crate::call::Call;
use crate::endpoint::Shared;
use crate::failure::{Failure, key};
use crate::flow::build::{Builder, template};
use crate::flow::{Flows, provide};
use crate::resource::Resources;
use crate::table::build::{Rejection, invalid};
use definition::deployment::DeployedPlan;
use definition::digest::Digest;
use definition::expression::Template;
use definition::plan::{PlanSecurity, PlanSecurityType, PlanStatus};
use http::StatusCode;
use std::sync::Arc;

/// A plan that lets callers in.
pub(crate) struct Plan {
    pub(crate) id: Arc<str>,
    pub(crate) flows: Flows,
    /// What a call has to fulfil for this plan to be considered.
    rule: Option<Template>,
    kind: Kind,
}

/// A plan that lets nobody in: its traffic leaves the gateway.
pub(crate) struct PushPlan {
    pub(crate) id: Arc<str>,
    pub(crate) flows: Flows,
}

/// In the order in which they are asked.
enum Kind {
    Jwt(Box<jwt::JwtPlan>),
    Oauth2(Box<oauth2::Oauth2Plan>),
    ApiKey(api_key::ApiKeyPlan),
    KeyLess,
}

/// What a caller brought for a kind of plan.
enum Token {
    Absent,
    /// There is something, and it cannot be a credential of this kind.
    Invalid,
    /// An API key: its hash, and the key itself for the attribute.
    Key {
        hash: Digest,
        key: String,
    },
    /// A token of a client that is not verified yet.
    Jwt {
        client_id: String,
        token: Box<jwt::Decoded>,
    },
    /// A token that the authorization server vouched for.
    Introspected {
        client_id: String,
        answer: oauth2::Answer,
    },
    /// Nothing is asked for.
    Nobody,
}

/// It could not be found out what the caller brought: whose fault it is, is not the caller's to know.
struct Trouble;

impl Kind {
    fn order(&self) -> u16 {
        match self {
            Kind::Jwt(_) => 0,
            Kind::Oauth2(_) => 100,
            Kind::ApiKey(_) => 500,
            Kind::KeyLess => 1000,
        }
    }
}

/// The answer to whom no plan lets in.
pub(crate) fn unauthorized() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, key::PLAN_UNRESOLVABLE, "Unauthorized")
}

/// Builds the open plans of an API: those that let callers in, in the order in which they are asked, and the others.
pub(crate) fn build(
    plans: &[DeployedPlan],
    flows: &Builder<'_>,
) -> Result<(Vec<Plan>, Vec<PushPlan>), Rejection> {
    let (mut built, mut push) = (Vec::new(), Vec::new());
    for (index, plan) in plans.iter().enumerate() {
        let path = format!("plans[{index}]");
        let rule = template(&format!("{path}.selectionRule"), plan.selection_rule.as_deref())?;
        let kind = kind(&path, &plan.security, flows.resources, flows.shared)?;
        let flows_of_plan = flows.flows(&format!("{path}.flows"), &plan.flows)?;
        let open = matches!(plan.status, PlanStatus::Published | PlanStatus::Deprecated);
        if !open || !is_for_this_node(plan, flows.shared) {
            continue;
        }
        let (id, flows) = (plan.id.as_str().into(), flows_of_plan);
        match kind {
            Some(kind) => built.push(Plan { id, flows, rule, kind }),
            None => push.push(PushPlan { id, flows }),
        }
    }
    // A stable sort: of two plans of a kind, the one that the author put first.
    built.sort_by_key(|plan| plan.kind.order());
    Ok((built, push))
}

/// A plan with sharding tags is only for gateways that have one of them.
fn is_for_this_node(plan: &DeployedPlan, shared: &Shared) -> bool {
    let here = &shared.node.tags;
    plan.tags.is_empty() || here.is_empty() || plan.tags.iter().any(|tag| here.contains(tag))
}

fn kind(
    path: &str,
    security: &PlanSecurity,
    resources: &Resources,
    shared: &Shared,
) -> Result<Option<Kind>, Rejection> {
    let settings = security.configuration.as_ref();
    let kind = match security.security_type {
        PlanSecurityType::Subscription => return Ok(None),
        PlanSecurityType::KeyLess => Ok(Kind::KeyLess),
        PlanSecurityType::ApiKey => api_key::ApiKeyPlan::new(settings, &shared.key_names).map(Kind::ApiKey),
        PlanSecurityType::Jwt => jwt::JwtPlan::new(settings, shared).map(|plan| Kind::Jwt(Box::new(plan))),
        PlanSecurityType::Oauth2 => {
            oauth2::Oauth2Plan::new(settings, resources).map(|plan| Kind::Oauth2(Box::new(plan)))
        }
    };
    kind.map(Some).map_err(|violations| {
        let place = format!("{path}.security.configuration");
        let Rejection { path, message, .. } = invalid(&place, &violations);
        Rejection::new("PLAN_SECURITY", path, message)
    })
}

/// Makes available what a template reads.
async fn ready(template: &Template, call: &mut Call) -> Result<(), Trouble> {
    provide(template.needs(), call).await.map_err(|_| Trouble)
}
