//! The choice of a plan.
//!
//! What a caller brings is remembered: whoever presents a credential that no plan knows is refused, and does not fall
//! back to a key-less plan. A selection rule that does not hold makes the chain forget it.

use super::{Kind, Plan, Token, Trouble, jwt, key_less, oauth2, ready, unauthorized};
use crate::call::Call;
use crate::consumers::{ApiKey, Consumers, Subscription};
use crate::expression::{self, Scope};
use crate::failure::{Failure, key};
use crate::http::serve::Peer;
use crate::stop::Lease;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;

/// Finds the plan that lets the caller in, and notes who calls. Answers what the client identifier is inferred from.
pub(crate) async fn admit<'a>(
    plans: &'a [Plan],
    call: &mut Call,
    peer: &Peer,
    consumers: &Consumers,
) -> Result<(&'a Plan, Arc<str>), Failure> {
    let (mut presented, mut troubled) = (false, false);
    let mut memory = oauth2::Memory::default();
    for plan in plans {
        let token = match plan.kind.token(call, presented, &mut memory).await {
            Ok(Token::Absent) => continue,
            Ok(token) => token,
            Err(Trouble) => {
                (presented, troubled) = (true, true);
                continue;
            }
        };
        presented = true;
        if matches!(token, Token::Invalid) {
            continue;
        }
        match holds(plan, call, &token).await {
            Ok(true) => {}
            Ok(false) => {
                presented = false;
                continue;
            }
            Err(Trouble) => {
                troubled = true;
                continue;
            }
        }
        let Some(access) = Access::find(plan, call, &token, consumers) else { continue };
        let inferred = access.note(plan, call, peer);
        plan.kind.enter(call, token, &access).await?;
        return Ok((plan, inferred));
    }
    Err(refusal(plans, troubled))
}

fn refusal(plans: &[Plan], troubled: bool) -> Failure {
    if troubled {
        let (status, key) = (StatusCode::SERVICE_UNAVAILABLE, key::PLAN_RESOLUTION_FAILURE);
        return Failure::new(status, key, "Temporarily Unavailable");
    }
    let bearer = plans.iter().any(|plan| matches!(plan.kind, Kind::Jwt(_) | Kind::Oauth2(_)));
    match bearer {
        true => unauthorized().header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        false => unauthorized(),
    }
}

/// Whether the selection rule holds. The claims of a token are there for it, unverified.
async fn holds(plan: &Plan, call: &mut Call, token: &Token) -> Result<bool, Trouble> {
    let Some(rule) = &plan.rule else { return Ok(true) };
    if let Token::Jwt { token, .. } = token {
        call.attributes.set(jwt::ATTRIBUTE, token.to_json());
    }
    let truth = match ready(rule, call).await {
        Ok(()) => expression::truth(rule, &Scope::of(call)).map_err(|_| Trouble),
        Err(trouble) => Err(trouble),
    };
    // What was not verified must not be left for others.
    call.attributes.remove(jwt::ATTRIBUTE);
    Ok(truth? == Some(true))
}

/// What a caller's access rests on.
pub(super) enum Access {
    Anonymous,
    Key(Arc<Subscription>, Arc<ApiKey>),
    Client(Arc<Subscription>),
}

impl Access {
    /// `None`: nobody with this token has subscribed to the plan, or not for this time.
    fn find(plan: &Plan, call: &Call, token: &Token, consumers: &Consumers) -> Option<Access> {
        let api = &call.api.id;
        let access = match token {
            Token::Absent | Token::Invalid => return None,
            Token::Nobody => return Some(Access::Anonymous),
            Token::Key { hash, .. } => {
                let (subscription, key) = consumers.by_key(api, hash, &plan.id)?;
                Access::Key(subscription, key)
            }
            Token::Jwt { client_id, .. } | Token::Introspected { client_id, .. } => {
                Access::Client(consumers.by_client(api, client_id, &plan.id)?)
            }
        };
        let now = call.request.timestamp;
        access.subscription().is_some_and(|subscription| subscription.is_open(now)).then_some(access)
    }

    fn subscription(&self) -> Option<&Arc<Subscription>> {
        match self {
            Access::Anonymous => None,
            Access::Key(subscription, _) | Access::Client(subscription) => Some(subscription),
        }
    }

    /// Writes down who calls.
    fn note(&self, plan: &Plan, call: &mut Call, peer: &Peer) -> Arc<str> {
        call.plan = Some(Arc::clone(&plan.id));
        let Some(subscription) = self.subscription() else { return key_less::note(call, plan, peer) };
        call.consumer = Some(Arc::clone(&subscription.consumer));
        let lease: Lease = match self {
            Access::Key(_, key) => Arc::from([Arc::clone(&subscription.stop), Arc::clone(&key.stop)]),
            Access::Anonymous | Access::Client(_) => Arc::from([Arc::clone(&subscription.stop)]),
        };
        call.lease = Some(lease);
        peer.attributes().note(call, &plan.id, &subscription.consumer);
        Arc::clone(&subscription.id)
    }
}

impl Kind {
    async fn token(
        &self,
        call: &mut Call,
        presented: bool,
        memory: &mut oauth2::Memory,
    ) -> Result<Token, Trouble> {
        match self {
            Kind::Jwt(plan) => Ok(plan.token(call)),
            Kind::Oauth2(plan) => Box::pin(plan.token(call, memory)).await,
            Kind::ApiKey(plan) => Ok(plan.token(call)),
            Kind::KeyLess if presented => Ok(Token::Absent),
            Kind::KeyLess => Ok(Token::Nobody),
        }
    }

    /// The last word of the plan that was chosen.
    async fn enter(&self, call: &mut Call, token: Token, access: &Access) -> Result<(), Failure> {
        match (self, token, access) {
            (Kind::Jwt(plan), Token::Jwt { token, client_id }, _) => {
                Box::pin(plan.enter(call, *token, client_id)).await
            }
            (Kind::Oauth2(plan), Token::Introspected { answer, client_id }, _) => {
                plan.enter(call, &answer, client_id)
            }
            (Kind::ApiKey(plan), Token::Key { key, .. }, Access::Key(_, found)) => {
                plan.enter(call, key, found)
            }
            _ => Ok(()),
        }
    }
}
