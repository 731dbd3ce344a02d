//! Any JSON document is read as a definition or refused; what was read is the same after it was stored and loaded.
#![no_main]

use definition::api::Api;
use definition::dialect::{ReadApi, read_api};
use definition::digest::{canonical_bytes, from_canonical};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(document) = serde_json::from_slice::<Value>(input) else { return };
    let Ok(api) = read_api(&document, ReadApi::Create) else { return };
    let stored = canonical_bytes(&api).expect("a definition can be stored");
    let loaded: Api = from_canonical(&stored).expect("what was stored can be loaded");
    assert_eq!(loaded, api);
});
