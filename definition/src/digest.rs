//! Content addresses. Equal content has equal digests, whatever the order in which an author wrote members.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// SHA-256.
pub type Digest = [u8; 32];

/// JSON without white space and with the members of every object sorted by name.
pub fn canonical_bytes(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    serde_json::to_vec(&value)
}

/// Reads canonical bytes back.
pub fn from_canonical<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<Value>(bytes).and_then(serde_json::from_value)
}

/// The address of a resource: SHA-256 over kind, schema version and body, each with its length in front.
pub fn resource_digest(kind: &str, schema_version: u32, body: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update((kind.len() as u64).to_be_bytes());
    hash.update(kind.as_bytes());
    hash.update(schema_version.to_be_bytes());
    hash.update(body);
    hash.finalize().into()
}

/// The digest of a set of resources: independent of the order in which they are given.
pub fn set_digest<'a>(resources: impl IntoIterator<Item = (&'a str, &'a str, &'a [u8])>) -> Digest {
    let mut rows: Vec<_> = resources.into_iter().collect();
    rows.sort_unstable();
    let mut hash = Sha256::new();
    for (kind, id, digest) in rows {
        for part in [kind.as_bytes(), id.as_bytes(), digest] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn member_order_does_not_matter_and_content_does() {
        let a = canonical_bytes(&json!({"b": 1, "a": {"y": 2, "x": [1, {"q": 1, "p": 2}]}})).unwrap();
        let b = canonical_bytes(&json!({"a": {"x": [1, {"p": 2, "q": 1}], "y": 2}, "b": 1})).unwrap();
        assert_eq!(a, b);
        assert_ne!(resource_digest("api", 1, &a), resource_digest("api", 2, &a));
        assert_ne!(resource_digest("api", 1, &a), resource_digest("ap", 1, &a));
    }

    #[test]
    fn a_set_has_one_digest_in_any_order() {
        let forward = set_digest([("api", "1", &b"x"[..]), ("api", "2", b"y")]);
        assert_eq!(forward, set_digest([("api", "2", &b"y"[..]), ("api", "1", b"x")]));
        assert_ne!(forward, set_digest([("api", "1", &b"x"[..])]));
    }
}
