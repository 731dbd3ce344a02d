//! Evaluation on real calls and messages.

mod dates;
mod documents;
mod garbage;
mod hostile;
mod methods;
mod operators;
mod roots;
mod vectors;

use super::{EvaluationError, Scope};
use crate::call::{Call, Consumer};
use crate::message::Message;
use crate::table::facts::{ApiFacts, NodeFacts};
use definition::expression::Template;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the tests look at.
pub(super) struct Sample {
    pub(super) call: Call,
    pub(super) message: Message,
    pub(super) extra: Vec<(&'static str, Json)>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let headers =
            [("Host", "api.test"), ("X-E", "h"), ("X-Many", "a"), ("X-Many", "b"), ("X-Number", "7")];
        let line = "POST /ctx/stores/123?param=one&param=two&a%20b=c+d";
        let mut call = Call::sample(line, &headers, r#"{"age": 35, "name": "Ann", "tags": ["x", "y"]}"#);
        let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        call.api = Arc::new(ApiFacts {
            id: "api-1".into(),
            name: "sample".to_owned(),
            version: "2".to_owned(),
            properties: [
                property("a", "x-{{b}}"),
                property("b", "1"),
                property("h", "by header"),
                property("loop", "{{loop}}"),
                property("missing", "{{nowhere}}"),
            ]
            .into_iter()
            .collect(),
            endpoints: vec!["g1".to_owned()],
            node: Arc::new(NodeFacts {
                id: "node-1".to_owned(),
                tags: vec!["eu".to_owned()],
                tenant: Some("t".to_owned()),
            }),
            ..ApiFacts::default()
        });
        call.attributes.set("api", "api-1");
        call.attributes.set("jwt", json!({"claims": {"roles": ["admin", "user"], "exp": 1.5}}));
        call.attributes.set("number", 42);
        call.attributes.set("list", json!([1, 2, 3, 4]));
        call.request.path_params = vec![("id".to_owned(), "123".to_owned())];
        call.consumer = Some(Arc::new(Consumer {
            subscription: "sub-1".into(),
            metadata: BTreeMap::from([("bar".to_owned(), "blue".to_owned())]).into(),
            ..Consumer::default()
        }));
        let mut message = Message::new(Some(r#"{"color": "blue", "size": 3}"#.into()));
        message.id = Some("m-1".to_owned());
        message.headers = vec![("foo".to_owned(), "blue".to_owned()), ("Foo-Two".to_owned(), "2".to_owned())];
        message.metadata = vec![("topic".into(), json!("demo")), ("offset".into(), json!(12))];
        message.attributes.insert("mine".to_owned(), json!("yes"));
        Sample { call, message, extra: Vec::new() }
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope { call: &self.call, message: Some(&self.message), extra: &self.extra }
    }

    pub(super) fn text(&self, source: &str) -> Result<Option<String>, EvaluationError> {
        super::text(&template(source), &self.scope()).map(|text| text.map(|text| text.into_owned()))
    }

    /// A text that has to be there.
    pub(super) fn get(&self, source: &str) -> String {
        match self.text(source) {
            Ok(Some(text)) => text,
            other => panic!("{source}: {other:?}"),
        }
    }

    /// The reason why there is no value.
    pub(super) fn error(&self, source: &str) -> String {
        self.text(source).map_or_else(|error| error.to_string(), |value| panic!("{source}: {value:?}"))
    }

    pub(super) fn truth(&self, source: &str) -> Option<bool> {
        super::truth(&template(source), &self.scope()).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    pub(super) fn json(&self, source: &str) -> Option<Json> {
        super::json(&template(source), &self.scope()).unwrap_or_else(|error| panic!("{source}: {error}"))
    }
}

pub(super) fn template(source: &str) -> Template {
    Template::parse(source).unwrap_or_else(|error| panic!("{source:?} {error}"))
}

/// Each expression, without its braces, with its value as a text.
pub(super) fn check(sample: &Sample, table: &[(&str, &str)]) {
    for (source, expected) in table {
        assert_eq!(sample.get(&format!("{{({source})}}")), *expected, "{source}");
    }
}
