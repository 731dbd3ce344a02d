//! The test vectors of the language, in their order.

use super::{Sample, template};
use definition::expression::Template;
use pretty_assertions::assert_eq;
use serde_json::json;

#[test]
fn texts() {
    let mut sample = Sample::new();
    sample.call.attributes.set("gravitee.attribute.api", "its value");
    sample.extra.push(("group", json!(["v"])));
    for (source, expected) in [
        ("{#request.headers['X-E']}", "h"),
        ("{#request.headers['X-Many']}", "a,b"),
        ("{#request.headers['X-Many'][0]}", "a"),
        ("custom-{#request.headers['X-E']}", "custom-h"),
        ("{#request.headers['X-E']+'-custom'}", "h-custom"),
        ("{ #request.headers['X-E'] }", "h"),
        ("[{id: {#request.paths[3]}, age: 0}]", "[{id: 123, age: 0}]"),
        ("{1 == 1}", "{1 == 1}"),
        ("{(1 == 1)}", "true"),
        ("{ '/p' == #request.pathInfo}", "{ '/p' == #request.pathInfo}"),
        (r#"{T(java.lang.String).format("%scd", "{2}")}"#, "{2}cd"),
        ("/api/[0-9]{2}/(.*)", "/api/[0-9]{2}/(.*)"),
        ("{2} {(' 7'.trim() == '7')} {3}", "{2} true {3}"),
        ("{#jsonPath(#request.content, '$.age') + 20}", "55"),
        ("{#context.attributes['api']}", "its value"),
        ("{#context.attributes.api}", "its value"),
        ("{#request.params.param}", "one,two"),
        ("{#request.params['param']}", "one,two"),
        ("{(new java.lang.String(T(java.util.Base64).getDecoder().decode('b3Jp')))}", "ori"),
        ("{#endpoints['g1']}/{#group[0]}", "g1:/v"),
        ("{#properties['a']}", "x-1"),
    ] {
        assert_eq!(sample.get(source), expected, "{source}");
    }
}

#[test]
fn truths() {
    let mut sample = Sample::new();
    sample.extra.push(("p", json!({"nothingness": null})));
    for (source, expected) in [
        ("{#request.headers['None'] == null}", Some(true)),
        ("{#jsonPath(#p, '$.nothingness')?.contains('G')?:false}", Some(false)),
        ("true", Some(true)),
        ("{ #request.headers.containsAllKeys({'X-E', 'X-Many'}) }", Some(true)),
        ("{ #request.headers.containsAllKeys({'X-E', 'X-None'}) }", Some(false)),
        ("{ (#timestamp > 2) && (#timestamp < 2) }", Some(false)),
        ("{#message.headers.foo == #subscription.metadata['bar']}", Some(true)),
        ("{#request.headers['X-E'] == 'h'}", Some(true)),
        ("{#request.headers['X-Many'] == 'a'}", Some(false)),
        ("{#request.headers['None']}", None),
        ("", None),
    ] {
        assert_eq!(sample.truth(source), expected, "{source}");
    }
    let mut sample = Sample::new();
    sample.call = crate::call::Call::sample("GET /ctx/my/path/A58", &[], "");
    sample.call.request.context_path = "/ctx/".into();
    assert_eq!(
        sample.truth("{#request.pathInfo.matches('/my/path/[A-Z]{1}[0-9]{2}')}"),
        Some(true),
        "the path info is {}",
        sample.get("{#request.pathInfo}")
    );
}

#[test]
fn xpath_numbers_are_real() {
    let mut sample = Sample::new();
    sample.call = crate::call::Call::sample("POST /ctx/", &[], "<person><age>35</age></person>");
    assert_eq!(sample.get("{#xpath(#request.content, './/age', 'number') + 20}"), "55.0");
}

#[test]
fn absent_and_refused() {
    let sample = Sample::new();
    assert_eq!(sample.text("{#jsonPath(#request.content, '$.something')}"), Ok(None));
    for source in [
        "{#request.headers['None'][0] == 'x'}",
        "{#request.params.remove('x')}",
        "{T(java.lang.Class).forName('X')}",
        "{(new java.lang.Thread())}",
        "{#jsonPath(#request.content, '$.some.thing')}",
        "{#request.nothing}",
        "{#unknown.name}",
    ] {
        assert!(sample.text(source).is_err(), "{source}");
    }
    assert!(Template::parse("{#").is_err());
}

#[test]
fn constants_are_not_copied() {
    let sample = Sample::new();
    let template = template("constant");
    let text = crate::expression::text(&template, &sample.scope());
    assert!(matches!(text, Ok(Some(std::borrow::Cow::Borrowed("constant")))));
}
