//! Policy `json-threat-protection`: refuses JSON that is made to hurt its reader. Nothing of the document is kept while it
//! is looked at, but the names of the objects that are open.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::json_threat_protection::JsonThreatProtection;
use definition::violation::Violation;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

const DETECTED: &str = "JSON_THREAT_DETECTED";
const MAX_DEPTH: &str = "JSON_THREAT_MAX_DEPTH";
const MAX_ENTRIES: &str = "JSON_THREAT_MAX_ENTRIES";
const MAX_NAME_LENGTH: &str = "JSON_THREAT_MAX_NAME_LENGTH";
const MAX_VALUE_LENGTH: &str = "JSON_THREAT_MAX_VALUE_LENGTH";
const MAX_ARRAY_SIZE: &str = "JSON_MAX_ARRAY_SIZE";
const ENFORCE_JSON: &str = "JSON_THREAT_ENFORCE_JSON";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = JsonThreatProtection::parse(settings)?;
    Ok(Arc::new(JsonThreatPolicy { settings }))
}

struct JsonThreatPolicy {
    settings: JsonThreatProtection,
}

#[async_trait]
impl Policy for JsonThreatPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        Needs { request_content: true, ..Needs::default() }
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let json = is_json(&call.request.head.headers);
        let body = call.request.buffer().await?;
        if body.is_empty() {
            return Ok(Flow::Continue);
        }
        if json == Some(false) {
            return match self.settings.enforce_json {
                true => Err(Failure::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    ENFORCE_JSON,
                    "Unsupported Media Type",
                )),
                false => Ok(Flow::Continue),
            };
        }
        let found = Cell::new(None);
        let mut reader = serde_json::Deserializer::from_slice(body);
        let looked = Look { settings: &self.settings, depth: 0, found: &found }.deserialize(&mut reader);
        match looked.and_then(|()| reader.end()) {
            Ok(()) => Ok(Flow::Continue),
            Err(_) => {
                Err(Failure::new(StatusCode::BAD_REQUEST, found.get().unwrap_or(DETECTED), "Bad Request"))
            }
        }
    }
}

/// Whether the body says that it is JSON; `None`: it does not say what it is.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let text = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(essence.ends_with("/json") || essence.ends_with("+json"))
}

/// Looks at one value.
#[derive(Clone, Copy)]
struct Look<'a> {
    settings: &'a JsonThreatProtection,
    /// Objects and lists around the value.
    depth: usize,
    /// Why the document is refused.
    found: &'a Cell<Option<&'static str>>,
}

impl Look<'_> {
    /// Checks a number against a limit; a negative one is none.
    fn within<E: serde::de::Error>(&self, number: usize, limit: i64, key: &'static str) -> Result<(), E> {
        if usize::try_from(limit).is_ok_and(|limit| number > limit) {
            return Err(self.refuse(key));
        }
        Ok(())
    }

    fn refuse<E: serde::de::Error>(&self, key: &'static str) -> E {
        self.found.set(Some(key));
        E::custom(key)
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        self.within(self.depth + 1, self.settings.max_depth, MAX_DEPTH)?;
        Ok(Look { depth: self.depth + 1, ..*self })
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.within(text.chars().count(), self.settings.max_value_length, MAX_VALUE_LENGTH)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (inner, mut count) = (self.deeper()?, 0);
        while items.next_element_seed(inner)?.is_some() {
            count += 1;
            self.within(count, self.settings.max_array_size, MAX_ARRAY_SIZE)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (inner, mut count, mut names) = (self.deeper()?, 0, HashSet::new());
        while let Some(name) = members.next_key::<String>()? {
            count += 1;
            self.within(count, self.settings.max_entries, MAX_ENTRIES)?;
            self.within(name.chars().count(), self.settings.max_name_length, MAX_NAME_LENGTH)?;
            if self.settings.prevent_duplicate_key && !names.insert(name) {
                return Err(A::Error::custom("duplicate"));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: Value, content_type: &str, body: &str) -> String {
        let headers: Vec<_> =
            Some(("content-type", content_type)).filter(|_| !content_type.is_empty()).into_iter().collect();
        let mut call = Call::sample("POST /ctx", &headers, body);
        let policy = super::super::sample::build(build, settings);
        policy.on_request(&mut call).await.map_or_else(
            |failure| format!("{} {} {}", failure.status.as_u16(), failure.key.unwrap(), failure.message),
            |_| "passed".to_owned(),
        )
    }

    async fn check(settings: Value, good: &str, bad: &str, key: &str) {
        assert_eq!(ask(settings.clone(), "application/json", good).await, "passed", "{good}");
        assert_eq!(ask(settings, "application/json", bad).await, format!("400 {key} Bad Request"), "{bad}");
    }

    #[tokio::test]
    async fn every_limit_holds() {
        check(json!({"maxDepth": 2}), "[[1]]", r#"[{"a": []}]"#, MAX_DEPTH).await;
        check(json!({"maxEntries": 2}), r#"{"a":1,"b":{"c":1}}"#, r#"{"a":1,"b":2,"c":3}"#, MAX_ENTRIES)
            .await;
        check(json!({"maxNameLength": 2}), r#"{"éé":1}"#, r#"{"abc":1}"#, MAX_NAME_LENGTH).await;
        check(json!({"maxValueLength": 2}), r#"["éé", 12345]"#, r#"["abc"]"#, MAX_VALUE_LENGTH).await;
        check(json!({"maxArraySize": 2}), "[1,2]", "[1,2,3]", MAX_ARRAY_SIZE).await;
        check(json!({}), r#"{"a":{"a":1}}"#, r#"{"a":1,"\u0061":2}"#, DETECTED).await;
        check(json!({"preventDuplicateKey": false}), r#"{"a":1,"a":2}"#, "{", DETECTED).await;
        check(json!({"maxDepth": -1}), "[]", &"[".repeat(100_000), DETECTED).await;
        check(json!({"maxArraySize": -1}), &format!("[0{}]", ",0".repeat(1000)), "[] []", DETECTED).await;
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(json!({}), &nested(100), &nested(101), MAX_DEPTH).await;
    }

    #[tokio::test]
    async fn other_types_are_refused_or_let_through() {
        let refused = "415 JSON_THREAT_ENFORCE_JSON Unsupported Media Type";
        assert_eq!(ask(json!({}), "text/plain", "x").await, refused);
        assert_eq!(ask(json!({"enforceJson": false}), "text/plain", "x").await, "passed");
        assert_eq!(ask(json!({}), "", "x").await, "400 JSON_THREAT_DETECTED Bad Request");
        assert_eq!(
            ask(json!({}), "application/hal+json; charset=utf-8", "x").await,
            "400 JSON_THREAT_DETECTED Bad Request"
        );
        assert_eq!(ask(json!({}), "text/plain", "").await, "passed");
    }
}
