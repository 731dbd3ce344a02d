//! A definite path in a text, without making a document of it: what the path does not lead to is skipped.
//!
//! Most paths are of this kind and are asked once per message; skipping costs a fraction of reading everything.

use super::{Path, Step};
use crate::expression::value::Value;
use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What is at `path`. `None`: it takes the whole document to say what is there, or what is wrong with it.
pub(super) fn value(text: &str, path: &Path) -> Option<Value> {
    let simple = |step: &Step| match step {
        Step::Names(names) => names.len() == 1,
        Step::Places(places) => matches!(places.as_slice(), [place] if *place >= 0),
        Step::Slice(..) | Step::All | Step::Scan | Step::Filter(_) => false,
    };
    if !path.functions.is_empty() || !path.steps.iter().all(simple) {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Search(&path.steps).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    found
}

/// The steps that are left.
struct Search<'p>(&'p [Step]);

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        if self.0.is_empty() {
            return Value::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<Value>, A::Error> {
        let name = match self.0.first() {
            Some(Step::Names(names)) => names.first().map(AsRef::as_ref),
            _ => None,
        };
        // A leaf that is missing is null.
        let mut found = (name.is_some() && self.0.len() == 1).then_some(Value::Null);
        while let Some(wanted) = entries.next_key_seed(Wanted(name))? {
            if wanted {
                // The last one of equal names counts, as everywhere.
                found = entries.next_value_seed(Search(&self.0[1..]))?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        if let Some(Step::Places(places)) = self.0.first() {
            let mut before = places.first().copied().unwrap_or(0);
            while before > 0 && items.next_element::<IgnoredAny>()?.is_some() {
                before -= 1;
            }
            if before == 0 {
                found = items.next_element_seed(Search(&self.0[1..]))?.flatten();
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Whether a member has the name that is looked for.
struct Wanted<'n>(Option<&'n str>);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Wanted<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}
