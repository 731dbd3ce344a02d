//! Any template is read or refused; what was read prints as something that is read as the same; evaluating it on any
//! content ends. The template is the first line, the content the rest.
#![no_main]

use definition::expression::{Part, Template};
use gateway::probe::Probe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (source, content) = input.split_once('\n').unwrap_or((input, "{\"a\": [1, \"b\"]}"));
    let Ok(template) = Template::parse(source) else { return };
    for part in template.parts() {
        let Part::Expression(expression) = part else { continue };
        let printed = format!("{{({expression})}}");
        // Parentheses nest too: what is as deep as allowed may print as something that is too deep.
        if let Ok(again) = Template::parse(&printed) {
            assert_eq!(again.parts(), std::slice::from_ref(part), "{printed}");
        }
    }
    let mut probe = Probe { content: content.as_bytes().to_vec(), ..Probe::default() };
    probe.headers.insert("x", "value".parse().expect("a header"));
    drop(probe.text(&template));
});
