//! The beginning of a run: a request that nobody sent passes the flows like one of a client, and opens the endpoint.

use super::{Ended, PushRun};
use crate::call::body::Body;
use crate::call::request::Request;
use crate::call::{Call, Consumer};
use crate::endpoint::{StartingCursor, SubscribeRequest, evaluated};
use crate::flow::bridge::Received;
use crate::flow::{Chosen, Door};
use crate::http::ids::Ids;
use crate::http::{hop, process};
use crate::message::MessageStream;
use crate::policy::Flow;
use crate::security::{PushPlan, attributes};
use crate::table::runtime::DeployedEntrypoint;
use definition::qos::EntrypointKind;
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Name of the method of such requests.
const METHOD: &[u8] = b"OTHER";
/// What cannot stand in a path as it is.
const NOT_IN_PATHS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// An open source.
pub(super) struct Opened {
    pub(super) messages: MessageStream,
    /// After all flows. The headers of its response go into every call of the callback.
    pub(super) call: Call,
}

/// Runs the flows and opens the source. The error says how the run ends instead.
pub(super) async fn open(
    run: &PushRun,
    entrypoint: &DeployedEntrypoint,
    plan: &PushPlan,
) -> Result<Opened, Ended> {
    let api = &*run.api;
    let failed = |failure| Ended::of(&failure);
    let mut call = pseudo_call(run, plan);
    process::path_parameters(api, &mut call);
    let door = Door { id: &entrypoint.id, modes: entrypoint.modes };
    let mut chosen = Chosen::new();
    let flow =
        process::request_flows(api, &plan.flows, &mut call, door, &mut chosen).await.map_err(failed)?;
    if flow == Flow::Interrupt {
        return Err(refused(&mut call).await.unwrap_or(Ended::Completed));
    }
    let endpoint = process::choose(api, entrypoint, EntrypointKind::Webhook, &call).map_err(failed)?;
    let evaluated = evaluated::attributes(&*endpoint, &mut call).await.map_err(failed)?;
    let received = Received::default();
    let endpoint = process::bridged(endpoint, &chosen, &mut call, &received).await.map_err(failed)?;
    let request = SubscribeRequest {
        qos: entrypoint.qos,
        client_identifier: Arc::clone(&call.client_identifier),
        recovery: None,
        limit: None,
        limit_duration: None,
        starting_cursor: StartingCursor::default(),
        attributes: evaluated,
    };
    let messages = endpoint.subscribe(request).await.map_err(failed)?;
    process::response_flows(&mut call, &chosen).await.map_err(failed)?;
    if let Some(ended) = refused(&mut call).await {
        return Err(ended);
    }
    hop::strip_framing(&mut call.response.headers);
    received.set(call.snapshot());
    Ok(Opened { messages, call })
}

/// The request: no method of HTTP, no body, no headers, and the channel as its path.
fn pseudo_call(run: &PushRun, plan: &PushPlan) -> Call {
    let (subscription, facts) = (&run.subscription, &run.api.facts);
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = Method::from_bytes(METHOD).unwrap_or_default();
    let channel =
        subscription.configuration.as_ref().and_then(|configuration| configuration.channel.as_deref());
    head.uri = path(channel.unwrap_or_default());
    let nobody = Ipv4Addr::UNSPECIFIED;
    let request = Request::new(head, Body::Empty, "/".into(), nobody.into(), (nobody, 0).into());
    let mut call = Call::new(Arc::clone(facts), Ids::of(&HeaderMap::new(), None), request);
    let consumer = Consumer::of(subscription);
    call.stop = Arc::clone(&run.api.stop);
    call.client_identifier = Arc::clone(&consumer.subscription);
    call.plan = Some(Arc::clone(&plan.id));
    attributes::note(&mut call, &plan.id, &consumer);
    call.consumer = Some(Arc::new(consumer));
    call
}

/// The path of a channel.
fn path(channel: &str) -> Uri {
    let channel = channel.trim().trim_start_matches('/');
    let path = format!("/{}", utf8_percent_encode(channel, NOT_IN_PATHS));
    Uri::try_from(path).unwrap_or_default()
}

/// How the run ends when a flow made an answer that refuses.
async fn refused(call: &mut Call) -> Option<Ended> {
    let status = call.response.status;
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let body = call.response.buffer().await.unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    Some(Ended::failed(format!("A policy refused the subscription with status {}: {text}", status.as_u16())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_path() {
        let check = |channel, expected| assert_eq!(path(channel).path(), expected, "{channel}");
        check("", "/");
        check("/orders", "/orders");
        check("orders/eu", "/orders/eu");
        check("//a b?c#d{e}", "/a%20b%3Fc%23d%7Be%7D");
        check("grüße", "/gr%C3%BC%C3%9Fe");
    }
}
