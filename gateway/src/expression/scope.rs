//! A call and, in message phases, a message, as expressions see them.

use super::Scope;
use super::roots::{Bean, Entries, Pairs, Roots};
use super::value::Value;
use crate::message::Message;
use http::{HeaderMap, Version};
use std::borrow::Cow;

impl Roots for Scope<'_> {
    fn variable(&self, name: &str) -> Option<Value> {
        Some(match name {
            "request" => Value::Bean(Bean::Request),
            "response" => Value::Bean(Bean::Response),
            "message" if self.message.is_some() => Value::Bean(Bean::Message),
            "context" => Value::Bean(Bean::Context),
            "api" => Value::Bean(Bean::Api),
            "properties" => Value::Entries(Entries::Properties),
            "dictionaries" => Value::Entries(Entries::Dictionaries),
            "endpoints" => Value::Entries(Entries::Endpoints),
            "node" => Value::Bean(Bean::Node),
            "subscription" if self.call.consumer.is_some() => Value::Bean(Bean::Subscription),
            _ => {
                let (_, value) = self.extra.iter().find(|(known, _)| *known == name)?;
                further(value)
            }
        })
    }

    fn member(&self, bean: Bean, name: &str) -> Option<Value> {
        match bean {
            Bean::Request => self.request(name),
            Bean::Response => self.response(name),
            Bean::Message => self.message_member(name),
            Bean::Context => (name == "attributes").then_some(Value::Entries(Entries::Attributes)),
            Bean::Api => self.api(name),
            Bean::Node => self.node(name),
            Bean::Subscription => self.subscription(name),
            Bean::Ssl => self.ssl(name),
            Bean::ClientPrincipal | Bean::ServerPrincipal => principal(name),
        }
    }

    fn content(&self, bean: Bean) -> Option<&[u8]> {
        match bean {
            Bean::Request => self.call.request.body.bytes().map(AsRef::as_ref),
            Bean::Response => self.call.response.body.bytes().map(AsRef::as_ref),
            Bean::Message => self.message.and_then(|message| message.content.as_deref()),
            _ => None,
        }
    }

    fn pairs(&self, of: &Pairs) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        match of {
            Pairs::RequestHeaders => headers(&self.call.request.head.headers),
            Pairs::ResponseHeaders => headers(&self.call.response.headers),
            Pairs::MessageHeaders => borrowed(self.message.map_or(&[], |message| &message.headers)),
            Pairs::PathParameters => borrowed(&self.call.request.path_params),
            Pairs::Parameters => {
                let parameters = self.call.request.params().into_iter();
                parameters.map(|(name, value)| (name.into(), value.into())).collect()
            }
            Pairs::Owned(_) => Vec::new(),
        }
    }

    fn pair(&self, of: &Pairs, name: &str) -> Vec<Value> {
        match of {
            Pairs::RequestHeaders => header(&self.call.request.head.headers, name),
            Pairs::ResponseHeaders => header(&self.call.response.headers, name),
            Pairs::MessageHeaders => {
                let headers = self.message.map_or(&[][..], |message| &message.headers);
                named(headers, |other| other.eq_ignore_ascii_case(name))
            }
            Pairs::PathParameters => named(&self.call.request.path_params, |other| other == name),
            Pairs::Parameters => {
                let parameters = self.call.request.params().into_iter();
                parameters.filter(|(other, _)| other == name).map(|(_, value)| Value::text(value)).collect()
            }
            Pairs::Owned(_) => Vec::new(),
        }
    }

    fn entry(&self, of: Entries, key: &str) -> Option<Value> {
        match of {
            Entries::Attributes => self.call.attributes.get(key).map(Value::from),
            Entries::MessageAttributes => self.message?.attributes.get(key).map(Value::from),
            Entries::MessageMetadata => {
                let (_, value) = self.message?.metadata.iter().find(|(name, _)| name == key)?;
                Some(Value::from(value))
            }
            Entries::Properties => self.call.api.properties.get(key).map(|value| value.as_str().into()),
            // No dictionaries are deployed in this version: each is absent.
            Entries::Dictionaries => None,
            Entries::Endpoints => {
                self.call.api.endpoints.iter().find(|name| *name == key).map(|name| format!("{name}:").into())
            }
            Entries::SubscriptionMetadata => self.call.consumer.as_ref()?.metadata.get(key).map(Value::from),
        }
    }

    fn entries(&self, of: Entries) -> Vec<(Cow<'_, str>, Value)> {
        match of {
            Entries::Attributes => owned(self.call.attributes.shared().iter()),
            Entries::MessageAttributes => {
                self.message.map(|message| owned(message.attributes.iter())).unwrap_or_default()
            }
            Entries::MessageMetadata => {
                let metadata = self.message.map_or(&[][..], |message| &message.metadata);
                metadata.iter().map(|(name, value)| (name.as_ref().into(), Value::from(value))).collect()
            }
            Entries::Properties => {
                let properties = self.call.api.properties.iter();
                properties.map(|(key, value)| (key.into(), value.as_str().into())).collect()
            }
            Entries::Dictionaries => Vec::new(),
            Entries::Endpoints => {
                let names = self.call.api.endpoints.iter();
                names.map(|name| (name.into(), format!("{name}:").into())).collect()
            }
            Entries::SubscriptionMetadata => {
                let metadata = self.call.consumer.as_ref().map(|consumer| consumer.metadata.all());
                let all = metadata.iter().flat_map(|metadata| metadata.iter());
                all.map(|(key, value)| (key.clone().into(), value.as_str().into())).collect()
            }
        }
    }
}

impl Scope<'_> {
    fn request(&self, name: &str) -> Option<Value> {
        let request = &self.call.request;
        Some(match name {
            "id" => self.call.ids.request.as_str().into(),
            "transactionId" => self.call.ids.transaction.as_str().into(),
            "uri" => request.head.uri.path_and_query().map_or("/", |target| target.as_str()).into(),
            "path" => request.path().into(),
            "paths" => segments(request.path()),
            "pathInfo" => request.path_info().into(),
            "pathInfos" => segments(request.path_info()),
            "contextPath" => request.context_path.as_ref().into(),
            "params" => Value::Pairs(Pairs::Parameters),
            "pathParams" => Value::Pairs(Pairs::PathParameters),
            "headers" => Value::Pairs(Pairs::RequestHeaders),
            "method" => request.head.method.as_str().into(),
            "scheme" => request.head.uri.scheme_str().unwrap_or("http").into(),
            "host" => self.host().into(),
            "version" => version(request.head.version).into(),
            "timestamp" => request.timestamp.into(),
            "remoteAddress" => request.remote.to_string().into(),
            "localAddress" => request.local.ip().to_string().into(),
            "ssl" => Value::Bean(Bean::Ssl),
            _ => return None,
        })
    }

    fn host(&self) -> Option<&str> {
        let head = &self.call.request.head;
        let header = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        head.uri.authority().map(|authority| authority.as_str()).or(header)
    }

    fn response(&self, name: &str) -> Option<Value> {
        match name {
            "status" => Some(i64::from(self.call.response.status.as_u16()).into()),
            "reason" => Some(self.call.response.status.canonical_reason().into()),
            "headers" => Some(Value::Pairs(Pairs::ResponseHeaders)),
            _ => None,
        }
    }

    fn message_member(&self, name: &str) -> Option<Value> {
        let message: &Message = self.message?;
        Some(match name {
            "id" => message.id.as_deref().into(),
            "attributes" => Value::Entries(Entries::MessageAttributes),
            "attributeNames" => {
                Value::list(message.attributes.keys().map(|name| name.as_str().into()).collect())
            }
            "metadata" => Value::Entries(Entries::MessageMetadata),
            "headers" => Value::Pairs(Pairs::MessageHeaders),
            // A failure travels beside messages here, never as one.
            "error" => false.into(),
            _ => return None,
        })
    }

    fn api(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(self.call.api.id.as_ref().into()),
            "name" => Some(self.call.api.name.as_str().into()),
            "version" => Some(self.call.api.version.as_str().into()),
            "properties" => Some(Value::Entries(Entries::Properties)),
            _ => None,
        }
    }

    fn node(&self, name: &str) -> Option<Value> {
        let node = &self.call.api.node;
        match name {
            "id" => Some(node.id.as_str().into()),
            "version" => Some(node.version().into()),
            "shardingTags" => Some(Value::list(node.tags.iter().map(|tag| tag.as_str().into()).collect())),
            "tenant" => Some(node.tenant.as_deref().into()),
            // A node has none in this version.
            "zone" => Some(Value::Null),
            _ => None,
        }
    }

    fn subscription(&self, name: &str) -> Option<Value> {
        let consumer = self.call.consumer.as_ref()?;
        match name {
            "id" => Some(consumer.subscription.as_ref().into()),
            "type" => Some(if consumer.push { "PUSH" } else { "STANDARD" }.into()),
            "metadata" => Some(Value::Entries(Entries::SubscriptionMetadata)),
            "applicationName" => Some(consumer.application_name.as_deref().into()),
            "clientId" => Some(consumer.client_id.as_deref().into()),
            _ => None,
        }
    }

    /// Listeners speak plain HTTP in this version, so that there is no session to tell about.
    fn ssl(&self, name: &str) -> Option<Value> {
        match name {
            "clientHost" => Some(self.call.request.remote.to_string().into()),
            "clientPort" => Some(Value::Null),
            "client" => Some(Value::Bean(Bean::ClientPrincipal)),
            "server" => Some(Value::Bean(Bean::ServerPrincipal)),
            _ => None,
        }
    }
}

/// A subject that is not there: defined is false, every attribute is null.
fn principal(name: &str) -> Option<Value> {
    match name {
        "defined" => Some(false.into()),
        "attributes" => Some(Value::map::<&str>([])),
        "dn" | "cn" | "o" | "ou" | "c" | "l" | "st" | "e" | "uid" | "dc" | "serialnumber" | "street"
        | "surname" | "givenname" | "title" | "businessCategory" => Some(Value::Null),
        _ => None,
    }
}

/// A further root. Headers in it compare without case, as those of the call do.
fn further(value: &serde_json::Value) -> Value {
    let Some(members) = value.as_object() else { return Value::from(value) };
    Value::map(members.iter().map(|(key, value)| {
        let headers = (key == "headers").then(|| value.as_object()).flatten();
        (key.as_str(), headers.map_or_else(|| Value::from(value), header_object))
    }))
}

fn header_object(headers: &serde_json::Map<String, serde_json::Value>) -> Value {
    let mut pairs = Vec::new();
    for (name, value) in headers {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let texts =
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        pairs.extend(texts.map(|text| (name.clone(), text)));
    }
    Value::headers(pairs)
}

fn segments(path: &str) -> Value {
    Value::list(path.split('/').map(Value::from).collect())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP_1_0",
        Version::HTTP_2 => "HTTP_2",
        _ => "HTTP_1_1",
    }
}

pub(super) fn headers(headers: &HeaderMap) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pair = |(name, value): (&'_ http::HeaderName, &'_ http::HeaderValue)| {
        (name.as_str().to_owned().into(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
    };
    headers.iter().map(pair).collect()
}

pub(super) fn header(headers: &HeaderMap, name: &str) -> Vec<Value> {
    let values = headers.get_all(name).iter();
    values.map(|value| Value::text(String::from_utf8_lossy(value.as_bytes()))).collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn named(pairs: &[(String, String)], is: impl Fn(&str) -> bool) -> Vec<Value> {
    pairs.iter().filter(|(name, _)| is(name)).map(|(_, value)| value.as_str().into()).collect()
}

fn owned<'a, 's>(
    entries: impl Iterator<Item = (&'a String, &'a serde_json::Value)>,
) -> Vec<(Cow<'s, str>, Value)> {
    entries.map(|(key, value)| (Cow::Owned(key.clone()), Value::from(value))).collect()
}
