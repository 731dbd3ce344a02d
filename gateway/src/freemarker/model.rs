//! The roots of templates and their members, read when they are asked for.

use super::number::Number;
use super::value::Value;
use super::{Model, Run};
use crate::call::request::Request;
use crate::message::Message;
use http::HeaderMap;
use http::header::HOST;
use indexmap::IndexMap;
use std::sync::Arc;

/// What a template sees without asking for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Request,
    Response,
    Message,
    Context,
    /// Attributes of the context; both forms of a name are one.
    Attributes,
}

/// Members of the roots that can be listed.
const REQUEST: &[&str] = &[
    "id",
    "transactionId",
    "uri",
    "path",
    "paths",
    "pathInfo",
    "pathInfos",
    "contextPath",
    "params",
    "pathParams",
    "headers",
    "method",
    "scheme",
    "host",
    "version",
    "timestamp",
    "remoteAddress",
    "localAddress",
    "content",
];
const RESPONSE: &[&str] = &["status", "headers", "content"];
const MESSAGE: &[&str] = &["id", "content", "contentLength", "headers", "metadata", "attributes", "error"];
const CONTEXT: &[&str] = &["attributes", "properties", "dictionaries"];

impl Run<'_> {
    /// A root by its name.
    pub(super) fn root(&self, name: &str) -> Option<Value> {
        match name {
            "request" => Some(Value::Root(Root::Request)),
            "response" if self.model.response => Some(Value::Root(Root::Response)),
            "message" if self.model.message.is_some() => Some(Value::Root(Root::Message)),
            "context" => Some(Value::Root(Root::Context)),
            _ => None,
        }
    }

    /// A member of a root.
    pub(super) fn root_member(&self, root: Root, name: &str) -> Option<Value> {
        let Model { call, message, .. } = self.model;
        match root {
            Root::Request => self.request(&call.request, name),
            Root::Response => match name {
                "status" => Some(Value::Number(Number::Integer(call.response.status.as_u16().into()))),
                "headers" => Some(headers(&call.response.headers)),
                "content" => call.response.body.bytes().map(|bytes| text(bytes)),
                _ => None,
            },
            Root::Message => of_message(message?, name),
            Root::Context => match name {
                "attributes" => Some(Value::Root(Root::Attributes)),
                "properties" => {
                    let properties = call.api.properties.iter();
                    let properties =
                        properties.map(|(name, value)| (name.clone(), Value::text_of(value.as_str())));
                    Some(Value::Hash(Arc::new(properties.collect())))
                }
                "dictionaries" => Some(Value::Hash(Arc::default())),
                _ => None,
            },
            Root::Attributes => call.attributes.get(name).map(Value::of_json),
        }
    }

    /// The names of a root's members.
    pub(super) fn root_names(&self, root: Root) -> Vec<String> {
        let names = match root {
            Root::Request => REQUEST,
            Root::Response => RESPONSE,
            Root::Message => MESSAGE,
            Root::Context => CONTEXT,
            Root::Attributes => {
                let mut names: Vec<_> = self.model.call.attributes.shared().keys().cloned().collect();
                names.sort();
                return names;
            }
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn request(&self, request: &Request, name: &str) -> Option<Value> {
        let head = &request.head;
        let split = |path: &str| Value::list_of(path.split('/').map(Value::text_of));
        Some(match name {
            "id" => Value::text_of(self.model.call.ids.request.as_str()),
            "transactionId" => Value::text_of(self.model.call.ids.transaction.as_str()),
            "uri" => Value::text_of(head.uri.path_and_query().map_or("/", |target| target.as_str())),
            "path" => Value::text_of(request.path()),
            "paths" => split(request.path()),
            "pathInfo" => Value::text_of(request.path_info()),
            "pathInfos" => split(request.path_info()),
            "contextPath" => Value::text_of(&*request.context_path),
            "params" => {
                let params = request.params();
                Value::multi_map_of(params.iter().map(|(name, value)| (name.as_str(), value.clone())))
            }
            "pathParams" => Value::multi_map_of(
                request.path_params.iter().map(|(name, value)| (name.as_str(), value.clone())),
            ),
            "headers" => headers(&head.headers),
            "method" => Value::text_of(head.method.as_str()),
            "scheme" => Value::text_of(head.uri.scheme_str().unwrap_or("http")),
            "host" => Value::text_of(host(request)?),
            "version" => Value::text_of(format!("{:?}", head.version).replace(['/', '.'], "_")),
            "timestamp" => Value::Number(Number::Integer(request.timestamp)),
            "remoteAddress" => Value::text_of(request.remote.to_canonical().to_string()),
            "localAddress" => Value::text_of(request.local.ip().to_canonical().to_string()),
            "content" => text(request.body.bytes()?),
            _ => return None,
        })
    }
}

fn host(request: &Request) -> Option<String> {
    let target = request.head.uri.authority().map(|authority| authority.as_str().to_owned());
    target.or_else(|| request.head.headers.get(HOST)?.to_str().ok().map(str::to_owned))
}

fn of_message(message: &Message, name: &str) -> Option<Value> {
    let content = message.content.as_deref();
    Some(match name {
        "id" => Value::text_of(message.id.as_deref()?),
        "content" => text(content?),
        "contentLength" => {
            Value::Number(Number::Integer(i64::try_from(content.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX)))
        }
        "headers" => {
            Value::headers_of(message.headers.iter().map(|(name, value)| (name.as_str(), value.clone())))
        }
        "metadata" => {
            let members =
                message.metadata.iter().map(|(name, value)| (name.to_string(), Value::of_json(value)));
            Value::Hash(Arc::new(members.collect()))
        }
        "attributes" => {
            let members: IndexMap<_, _> = message
                .attributes
                .iter()
                .map(|(name, value)| (name.clone(), Value::of_json(value)))
                .collect();
            Value::Hash(Arc::new(members))
        }
        "error" => Value::Bool(false),
        _ => return None,
    })
}

fn headers(headers: &HeaderMap) -> Value {
    Value::headers_of(
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())),
    )
}

fn text(bytes: &[u8]) -> Value {
    Value::text_of(String::from_utf8_lossy(bytes))
}
