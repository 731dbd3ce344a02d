//! One request on its way through an API: what policies read and change, and what they leave for each other.
//!
//! A call lives from the route to the end of the response's head. Message flows outlive it; they keep it without its
//! bodies.

pub(crate) mod attributes;
pub(crate) mod body;
pub(crate) mod coding;
pub(crate) mod leased;
pub(crate) mod metadata;
pub(crate) mod request;
pub(crate) mod response;
#[cfg(test)]
mod sample;
pub(crate) mod tee;

use crate::flow::layer::Layer;
use crate::http::ids::Ids;
use crate::stop::{Lease, Stop};
use crate::table::facts::ApiFacts;
use attributes::Attributes;
use definition::consumer::SubscriptionResource;
use http::HeaderMap;
use metadata::Metadata;
use request::Request;
use response::Response;
use std::sync::{Arc, LazyLock};

/// The client identifier of a call that has none yet.
static NOBODY: LazyLock<Arc<str>> = LazyLock::new(|| "".into());

/// One request in progress.
pub(crate) struct Call {
    /// What expressions may know about the API.
    pub(crate) api: Arc<ApiFacts>,
    pub(crate) ids: Ids,
    pub(crate) request: Request,
    pub(crate) response: Response,
    pub(crate) attributes: Attributes,
    /// Id of the plan whose security let the caller in.
    pub(crate) plan: Option<Arc<str>>,
    /// Known with the plan.
    pub(crate) consumer: Option<Arc<Consumer>>,
    /// What the consumer's access hangs on, for streams that outlast it; `None` for key-less plans.
    pub(crate) lease: Option<Lease>,
    /// Known once the subscription is.
    pub(crate) client_identifier: Arc<str>,
    /// Ends what outlives the response's head.
    pub(crate) stop: Arc<Stop>,
    /// Ends what outlives a redeploy as well.
    pub(crate) removed: Arc<Stop>,
    /// Endpoints that gave this call no answer, as `group/endpoint`: another attempt goes elsewhere when it can.
    pub(crate) failed: Vec<Arc<str>>,
    /// The one that it waits for.
    pub(crate) asked: Option<Arc<str>>,
    /// What policies put around the endpoint, outermost first.
    pub(crate) layers: Vec<Arc<dyn Layer>>,
    /// Headers of the answer, whatever it will be and whoever gives it.
    pub(crate) answer_headers: HeaderMap,
}

/// Who calls, as `#subscription` sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumer {
    /// Subscription id; the caller's address for key-less plans.
    pub(crate) subscription: Arc<str>,
    /// `1` for key-less plans.
    pub(crate) application: Arc<str>,
    pub(crate) application_name: Option<Arc<str>>,
    pub(crate) client_id: Option<Arc<str>>,
    pub(crate) metadata: Metadata,
    pub(crate) push: bool,
}

impl Consumer {
    /// Of a subscription.
    pub(crate) fn of(subscription: &SubscriptionResource) -> Self {
        Consumer {
            subscription: subscription.id.as_str().into(),
            application: subscription.application.as_str().into(),
            application_name: Some(subscription.application_name.as_str().into()),
            client_id: subscription.client_id.as_deref().map(Into::into),
            metadata: subscription.metadata.clone().into(),
            push: subscription.push,
        }
    }
}

impl Call {
    pub(crate) fn new(api: Arc<ApiFacts>, ids: Ids, request: Request) -> Self {
        Call {
            api,
            ids,
            request,
            response: Response::default(),
            attributes: Attributes::default(),
            plan: None,
            consumer: None,
            lease: None,
            client_identifier: Arc::clone(&NOBODY),
            stop: Stop::never(),
            removed: Stop::never(),
            failed: Vec::new(),
            asked: None,
            layers: Vec::new(),
            answer_headers: HeaderMap::new(),
        }
    }

    /// Whether an endpoint was asked and gave no answer.
    pub(crate) fn got_no_answer_from(&self, endpoint: &str) -> bool {
        let asked = self.asked.iter().chain(&self.failed);
        asked.into_iter().any(|asked| **asked == *endpoint)
    }

    /// The call as message flows keep it: without bodies and layers.
    pub(crate) fn snapshot(&self) -> Call {
        Call {
            api: Arc::clone(&self.api),
            ids: self.ids.clone(),
            request: self.request.snapshot(),
            response: self.response.snapshot(),
            attributes: self.attributes.clone(),
            plan: self.plan.clone(),
            consumer: self.consumer.clone(),
            lease: self.lease.clone(),
            client_identifier: Arc::clone(&self.client_identifier),
            stop: Arc::clone(&self.stop),
            removed: Arc::clone(&self.removed),
            failed: Vec::new(),
            asked: None,
            layers: Vec::new(),
            answer_headers: HeaderMap::new(),
        }
    }
}
