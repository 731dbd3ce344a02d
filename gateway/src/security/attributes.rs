//! The context attributes that every call has: about its API, its plan and who calls.

use crate::call::attributes::Attributes;
use crate::call::{Call, Consumer};
use crate::table::facts::ApiFacts;
use std::sync::{Arc, Mutex, PoisonError};

/// Sets the attributes of a call, beside those that it has.
pub(crate) fn note(call: &mut Call, plan: &str, consumer: &Consumer) {
    let facts = Arc::clone(&call.api);
    let context_path = Arc::clone(&call.request.context_path);
    write(&mut call.attributes, &facts, &context_path, plan, consumer);
}

fn write(attributes: &mut Attributes, api: &ApiFacts, context_path: &str, plan: &str, consumer: &Consumer) {
    let all = [
        ("api", &*api.id),
        ("api.name", &api.name),
        ("organization", &api.organization),
        ("environment", &api.environment),
        ("context-path", context_path),
        ("plan", plan),
        ("application", &consumer.application),
        ("user-id", &consumer.subscription),
    ];
    for (name, value) in all {
        attributes.set(name, value);
    }
}

/// The attributes that the last call of a connection began with: most connections call one API, for one consumer. Idle
/// connections are many, so that it takes no more than a pointer until there is a call.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Option<Box<Entry>>>);

struct Entry {
    api: Arc<ApiFacts>,
    context_path: Arc<str>,
    plan: Arc<str>,
    consumer: Arc<Consumer>,
    attributes: Attributes,
}

impl Remembered {
    /// Sets the attributes of a call of this consumer.
    pub(super) fn note(&self, call: &mut Call, plan: &Arc<str>, consumer: &Arc<Consumer>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let context_path = &call.request.context_path;
        let fits = |entry: &&Entry| {
            Arc::ptr_eq(&entry.api, &call.api)
                && *entry.context_path == **context_path
                && Arc::ptr_eq(&entry.plan, plan)
                && Arc::ptr_eq(&entry.consumer, consumer)
        };
        if let Some(entry) = remembered.as_deref().filter(fits) {
            call.attributes = entry.attributes.clone();
            return;
        }
        let mut attributes = Attributes::default();
        write(&mut attributes, &call.api, context_path, plan, consumer);
        let attributes = attributes.into_base();
        call.attributes = attributes.clone();
        let (api, context_path) = (Arc::clone(&call.api), Arc::clone(context_path));
        let (plan, consumer) = (Arc::clone(plan), Arc::clone(consumer));
        *remembered = Some(Box::new(Entry { api, context_path, plan, consumer, attributes }));
    }
}
