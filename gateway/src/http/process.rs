//! From a routed request to its reply: plan, flows, entrypoint, endpoint, and back through the flows.

use super::hop;
use super::ids;
use super::reply::Reply;
use super::respond;
use super::serve::Peer;
use crate::call::Call;
use crate::call::body::Body;
use crate::consumers::Consumers;
use crate::endpoint::{Backend, Endpoint, evaluated};
use crate::entrypoint::{Entrypoint, Exchange, Handler, resume_position};
use crate::failure::{Failure, key};
use crate::flow::bridge::{Bridge, Received};
use crate::flow::messages::MessageChain;
use crate::flow::{self, Chosen, Door, Flows};
use crate::meter::EntrypointMeter;
use crate::policy::Flow;
use crate::proxy;
use crate::security;
use crate::table::runtime::{ApiRuntime, DeployedEntrypoint};
use bytes::Bytes;
use definition::policy::Phase;
use definition::qos::{EntrypointKind, Mismatch, check_connection};
use http::header::{CONTENT_LENGTH, DATE, TRAILER};
use http::{Response, StatusCode};
use std::sync::Arc;

/// Answers a call. `meter` is that of the entrypoint, once one takes the request.
pub(super) async fn answer<'a>(
    api: &'a ApiRuntime,
    peer: &Peer,
    consumers: &Consumers,
    call: &mut Call,
    meter: &mut Option<&'a Arc<EntrypointMeter>>,
) -> Result<Reply, Failure> {
    let (plan, inferred) = security::admit(&api.plans, call, peer, consumers).await?;
    let head = &call.request.head;
    call.client_identifier = ids::client_identifier(&inferred, &head.headers, head.uri.query())
        .map_err(|message| Failure::plain(StatusCode::BAD_REQUEST, message))?;

    // After security, so that nobody learns what an API offers who may not call it.
    let taken = api.entrypoints.iter().find(|entrypoint| entrypoint.handler.matches(&call.request.head));
    let entrypoint = taken.ok_or_else(respond::no_entrypoint_failure)?;
    *meter = Some(&entrypoint.meter);

    path_parameters(api, call);
    let door = Door { id: &entrypoint.id, modes: entrypoint.modes };
    let mut chosen = Chosen::new();
    if request_flows(api, &plan.flows, call, door, &mut chosen).await? == Flow::Interrupt {
        return Ok(proxy::reply(call));
    }
    match (&entrypoint.handler, entrypoint.kind) {
        (Handler::Messages(handler), Some(kind)) => {
            Box::pin(messages(api, entrypoint, (&**handler, kind), call, &chosen)).await
        }
        // Nobody calls where subscribers are called: it takes no request.
        (Handler::Push(_), _) => Err(respond::no_entrypoint_failure()),
        (Handler::Proxy, _) | (Handler::Messages(_), None) => {
            proxy::invoke(api, call).await?;
            proxied_response_flows(call, &chosen).await?;
            Ok(proxy::reply(call))
        }
    }
}

/// Shows a preflight to the flows of the API. There is no plan and no endpoint: nobody has said who calls.
pub(super) async fn preflight(
    api: &ApiRuntime,
    call: &mut Call,
    response: Response<Bytes>,
) -> Result<Reply, Failure> {
    let (head, body) = response.into_parts();
    (call.response.status, call.response.headers) = (head.status, head.headers);
    call.response.body = Body::Bytes(body);
    let mut chosen = Chosen::new();
    let door = Door { id: "", modes: &[] };
    if api.flows.request(call, door, &mut chosen).await? == Flow::Continue {
        response_flows(call, &chosen).await?;
    }
    Ok(proxy::reply(call))
}

/// Reads the parameters out of the path.
pub(crate) fn path_parameters(api: &ApiRuntime, call: &mut Call) {
    for (methods, pattern) in &api.path_patterns {
        let method = call.request.head.method.as_str();
        if methods.is_empty() || methods.iter().any(|known| known.eq_ignore_ascii_case(method)) {
            for (name, value) in pattern.parameters(call.request.path_info()) {
                call.request.path_params.retain(|(known, _)| *known != name);
                call.request.path_params.push((name, value));
            }
        }
    }
}

/// Flows of the plan, then of the API.
pub(crate) async fn request_flows(
    api: &ApiRuntime,
    of_plan: &Flows,
    call: &mut Call,
    door: Door<'_>,
    chosen: &mut Chosen,
) -> Result<Flow, Failure> {
    for flows in [of_plan, &api.flows] {
        if flows.request(call, door, chosen).await? == Flow::Interrupt {
            return Ok(Flow::Interrupt);
        }
    }
    if api.match_required && chosen.is_empty() {
        return Err(Failure::new(StatusCode::NOT_FOUND, key::FLOW_NOT_MATCHED, ""));
    }
    Ok(Flow::Continue)
}

/// In the same order as the request flows: what was chosen then applies now.
pub(crate) async fn response_flows(call: &mut Call, chosen: &Chosen) -> Result<(), Failure> {
    for chosen in chosen {
        if flow::run(&chosen.response, Phase::Response, call).await? == Flow::Interrupt {
            break;
        }
    }
    Ok(())
}

/// Flows change what a response says, not how it is framed: a body that is passed on keeps the backend's word for its
/// length, and one that a policy made has the length that it has.
async fn proxied_response_flows(call: &mut Call, chosen: &Chosen) -> Result<(), Failure> {
    if chosen.iter().all(|flow| flow.response.is_empty()) || call.response.upgrade.is_some() {
        return response_flows(call, chosen).await;
    }
    let before = call.response.headers.clone();
    let bodiless = matches!(call.response.body, Body::Empty);
    response_flows(call, chosen).await?;
    let (headers, body) = (&mut call.response.headers, &call.response.body);
    hop::strip_framing(headers);
    let kept = match body {
        Body::Stream(_) => true,
        // The answer to HEAD, or one without content, may say a length for a body that is not there.
        Body::Empty => bodiless,
        Body::Bytes(_) => false,
    };
    for name in [CONTENT_LENGTH, TRAILER, DATE] {
        if let Some(value) = before.get(&name).filter(|_| kept || name == DATE) {
            headers.insert(name, value.clone());
        }
    }
    Ok(())
}

/// Bridges the entrypoint to an endpoint.
async fn messages(
    api: &ApiRuntime,
    entrypoint: &DeployedEntrypoint,
    (handler, kind): (&dyn Entrypoint, EntrypointKind),
    call: &mut Call,
    chosen: &Chosen,
) -> Result<Reply, Failure> {
    let endpoint = choose(api, entrypoint, kind, call)?;
    let attributes = evaluated::attributes(&*endpoint, call).await?;
    let received = Received::default();
    let endpoint = bridged(endpoint, chosen, call, &received).await?;
    let body = call.request.body.take();
    let exchange = Exchange {
        head: &call.request.head,
        ids: &call.ids,
        client_identifier: &call.client_identifier,
        qos: entrypoint.qos,
        endpoint: &endpoint,
        stop: &api.stop,
        lease: call.lease.as_ref(),
        meter: &entrypoint.meter,
        attributes: &attributes,
    };
    let mut reply = handler.handle(exchange, body).await?;
    if chosen.iter().any(|flow| !flow.response.is_empty()) {
        call.response.status = reply.status();
        call.response.headers = reply.headers_mut().clone();
        response_flows(call, chosen).await?;
        // The head of a handshake is not the author's to change; it would break the handshake.
        if !matches!(reply, Reply::Upgrade { .. }) {
            hop::strip_framing(&mut call.response.headers);
            if let Some(length) = reply.headers_mut().remove(CONTENT_LENGTH) {
                call.response.headers.insert(CONTENT_LENGTH, length);
            }
            *reply.headers_mut() = call.response.headers.clone();
            reply.set_status(call.response.status);
        }
        received.set(call.snapshot());
    }
    Ok(reply)
}

/// The endpoint in turn, when it can do what the entrypoint promises.
pub(crate) fn choose(
    api: &ApiRuntime,
    entrypoint: &DeployedEntrypoint,
    kind: EntrypointKind,
    call: &Call,
) -> Result<Arc<dyn Endpoint>, Failure> {
    let choice = proxy::choose(api, call, entrypoint.modes)?.choice;
    let (Backend::Messages(endpoint), Some(endpoint_kind)) = (&choice.endpoint.backend, choice.group.kind)
    else {
        return Err(proxy::no_endpoint());
    };
    // Checked when the API was saved as well; whether a client resumes is known only now.
    let resuming = resume_position(&call.request.head, kind).is_some();
    check_connection(api.family, kind, endpoint_kind, entrypoint.qos, resuming).map_err(|mismatch| {
        let key = match mismatch {
            Mismatch::Level => key::INCOMPATIBLE_QOS,
            Mismatch::Capabilities => key::INCOMPATIBLE_QOS_CAPABILITIES,
        };
        Failure::new(StatusCode::BAD_REQUEST, key, mismatch.to_string())
    })?;
    Ok(Arc::clone(endpoint))
}

/// The endpoint with the steps for messages, when there are any.
pub(crate) async fn bridged(
    endpoint: Arc<dyn Endpoint>,
    chosen: &Chosen,
    call: &mut Call,
    received: &Received,
) -> Result<Arc<dyn Endpoint>, Failure> {
    if chosen.iter().all(|flow| flow.publish.is_empty() && flow.subscribe.is_empty()) {
        return Ok(endpoint);
    }
    let publish = MessageChain::connect(chosen, Phase::Publish, call).await?;
    let subscribe = MessageChain::connect(chosen, Phase::Subscribe, call).await?;
    if publish.is_empty() && subscribe.is_empty() {
        return Ok(endpoint);
    }
    Ok(Arc::new(Bridge::new(endpoint, publish, subscribe, call, received.clone())))
}
