//! Any path on any document ends. The path is the first line, the document the rest.
#![no_main]

use gateway::probe::Probe;
use libfuzzer_sys::fuzz_target;

const DOCUMENT: &str =
    r#"{"a": [{"b": 1, "c": "x"}, {"b": 2.5, "d": [1, 2, 3]}], "e": {"f": null, "g": true}}"#;

fuzz_target!(|input: &str| {
    let (path, document) = input.split_once('\n').unwrap_or((input, DOCUMENT));
    let probe = Probe { content: document.as_bytes().to_vec(), ..Probe::default() };
    drop(probe.json_path(path));
});
