//! What is read as what, what is refused where, and that garbage never panics.

mod properties;

use super::ast::Expression;
use super::{Needs, Part, SyntaxError, Template};
use pretty_assertions::assert_eq;
use serde_json::json;

/// The parts in words: text as it is, expressions printed in angle brackets.
fn parts(source: &str) -> Vec<String> {
    let template = Template::parse(source).unwrap_or_else(|error| panic!("{source:?} {error}"));
    let print = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Expression(expression) => format!("<{expression}>"),
    };
    template.parts().iter().map(print).collect()
}

fn single(source: &str) -> String {
    parts(&format!("{{({source})}}")).concat().trim_matches(['<', '>']).to_owned()
}

fn error(source: &str) -> SyntaxError {
    Template::parse(source).err().unwrap_or_else(|| panic!("{source:?} is accepted"))
}

#[test]
fn only_some_braces_open_an_expression() {
    for literal in
        ["", "a", "{", "}", "{}", "{2}", r#"{"a":1}"#, "{1 == 1}", "{ '/p' == #request.pathInfo}", "{!#a}"]
    {
        assert_eq!(Template::parse(literal).unwrap().literal(), Some(literal), "{literal}");
    }
    assert_eq!(parts("/api/[0-9]{2}/(.*)"), ["/api/[0-9]{2}/(.*)"]);
    assert_eq!(parts("{Title} {The (x)}"), ["{Title} {The (x)}"]);
    assert_eq!(parts("{ #a }-{(1)}{T(Math).PI}"), ["<#a>", "-", "<1>", "<T(Math).PI>"]);
    assert_eq!(parts("[{id: {#request.paths[2]}, age: 0}]"), ["[{id: ", "<#request.paths[2]>", ", age: 0}]"]);
    assert_eq!(parts("{2} {(' 7'.trim() == '7')} {3}"), ["{2} ", "<' 7'.trim() == '7'>", " {3}"]);
    let format = r#"{T(java.lang.String).format("%scd", "{2}")}"#;
    assert_eq!(parts(format), ["<T(java.lang.String).format('%scd', '{2}')>"]);
}

#[test]
fn the_whole_grammar_is_read() {
    for (source, printed) in [
        ("# request . path", "#request.path"),
        ("1 + 2 * 3 - 4", "(1 + (2 * 3)) - 4"),
        ("1 == 2 and !true OR NOT false", "((1 == 2) && (!true)) || (!false)"),
        ("a eq b ? 1 : 2", "(a == b) ? 1 : 2"),
        ("#a ?: #b ?: 'c'", "#a ?: (#b ?: 'c')"),
        ("2 ^ -3 mod 4 div 5", "((2 ^ (-3)) % 4) / 5"),
        ("0x1F + 10L + 1.5 + 2f + 1e3", "(((31 + 10) + 1.5) + 2.0) + 1000.0"),
        ("'it''s' + \"a\"\"b\"", r#"'it''s' + 'a"b'"#),
        ("#a?.b?.c(1, {2})?.['x'][0]", "#a?.b?.c(1, {2})?.['x'][0]"),
        ("#a.?[#this > 1].^[true].$[x].![name.first]", "#a.?[#this > 1].^[true].$[x].![name.first]"),
        ("#a?.?[true]?.![#this]", "#a?.?[true]?.![#this]"),
        ("{}", "{}"),
        ("{:}", "{:}"),
        ("{a: 1, 'b c': {2, 3}, (#k): #v ? 1 : 2}", "{'a': 1, 'b c': {2, 3}, (#k): (#v ? 1 : 2)}"),
        ("new java.lang.String(#b)", "new java.lang.String(#b)"),
        ("5 between {1, 10}", "5 between {1, 10}"),
        ("#x instanceof T(String)", "#x instanceof T(String)"),
        ("T(byte[])", "T(byte[])"),
        ("'abc' matches '[a-z]+'", "'abc' matches '[a-z]+'"),
        ("NULL == null", "null == null"),
        ("#jsonPath(#request.content, '$.a')", "#jsonPath(#request.content, '$.a')"),
        ("#a.matches('x') && #a.not", "#a.matches('x') && #a.not"),
        ("1.toString()", "(1).toString()"),
    ] {
        assert_eq!(single(source), printed, "{source}");
        assert_eq!(single(&single(source)), single(source), "{source}");
    }
}

#[test]
fn mistakes_are_refused_with_their_position() {
    for (source, position, reason) in [
        ("{#", 2, "expected the name of a variable behind `#`, found the end"),
        ("{#a", 3, "expected an operator or the closing `}` of the expression, found the end"),
        ("é {#a.}", 6, "expected the name of a property or method, found `}`"),
        ("{#a['x}", 4, "the text that begins here has no closing '"),
        ("{#a = 1}", 4, "assignment is not allowed"),
        ("{#a++}", 3, "nothing can be changed"),
        ("{(--#a)}", 2, "nothing can be changed"),
        ("{(1 < 2 < 3)}", 8, "cannot follow another one of its kind"),
        ("{(&bean)}", 2, "references to beans are not supported"),
        ("{(@bean)}", 2, "references to beans are not supported"),
        ("{(1 ;)}", 4, "`;` has no meaning in an expression"),
        ("{(12abc)}", 2, "expected a number"),
        ("{(99999999999999999999)}", 2, "64 bits"),
        ("{(0x)}", 2, "64 bits"),
        ("{(1 ? 2)}", 7, "expected `:`, found `)`"),
        ("{#f(1 2)}", 6, "expected `,` or `)`, found a number"),
        ("{T(a.)}", 5, "expected the next part of the name of a type"),
        ("{({1 2})}", 5, "expected `,` or the closing `}` of the list"),
        ("{#a b}", 4, "expected an operator or the closing `}` of the expression, found `b`"),
    ] {
        let error = error(source);
        assert_eq!((error.position, error.message.contains(reason)), (position, true), "{source}: {error}");
    }
    let error = error("{#").to_string();
    assert!(error.starts_with("at character 2: expected"), "{error}");
}

#[test]
fn nesting_is_bounded_whatever_its_kind() {
    for (open, close) in
        [("(", ")"), ("{", "}"), ("!", ""), ("- ", ""), ("#a[", "]"), ("1?", ":1"), ("#f(", ")")]
    {
        for levels in [1000, 20_000] {
            let source = format!("{{({}1{})}}", open.repeat(levels), close.repeat(levels));
            assert!(error(&source).message.contains("nested deeper"), "{open}");
        }
    }
    // Chains make tall trees without recursion while they are read.
    for link in [".a", "[0]", " + 1", " ?: 1", ".![1]", "?.b()"] {
        let source = format!("{{#a{}}}", link.repeat(5000));
        assert!(error(&source).message.contains("nested deeper"), "{link}");
    }
    let levels = 40;
    let source = format!("{{({}1{})}}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(parts(&source), ["<1>"]);
    assert!(error(&"x".repeat(crate::limits::TEMPLATE_MAX_BYTES + 1)).message.contains("longer than"));
}

#[test]
fn bare_rules_get_their_braces() {
    let rule = Template::condition("#context.attributes['jwt'].claims['a'] == 'b'").unwrap();
    assert_eq!(rule.source(), "{#context.attributes['jwt'].claims['a'] == 'b'}");
    assert_eq!(rule.literal(), None);
    assert_eq!(Template::condition("true").unwrap().literal(), Some("true"));
    assert_eq!(Template::condition("{#a}").unwrap().source(), "{#a}");
    assert_eq!(Template::condition("#a =").unwrap_err().position, 3);
}

#[test]
fn what_is_needed_is_found_without_evaluating() {
    let needs = |source: &str| Template::parse(source).unwrap().needs();
    let none = Needs::default();
    assert_eq!(needs("x {#request.headers['content']} {#response.status}"), none);
    let request = Needs { request_content: true, ..none };
    for source in [
        "{#request.content}",
        "{#request?.jsonContent.a}",
        "{#request['xmlContent']}",
        "{#request[#name]}",
        "{({#request}[0])}",
        "{#a ?: #jsonPath(#request.content, '$')}",
        "{#a.?[#request.content != null]}",
        "{({a: 1, (#request.content): 2})}",
    ] {
        assert_eq!(needs(source), request, "{source}");
    }
    assert_eq!(needs("{#response.content}"), Needs { response_content: true, ..none });
    let both = Needs { message: true, request_content: true, ..none };
    assert_eq!(needs("{#message.content == #request.content}"), both);
    assert_eq!(
        needs("{#message.headers.foo == #subscription.metadata['bar']}"),
        Needs { message: true, ..none }
    );
}

#[test]
fn a_template_is_a_string_in_documents() {
    let template: Template = serde_json::from_value(json!("a{#b}")).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap(), json!("a{#b}"));
    let refused = serde_json::from_value::<Template>(json!("a{#")).unwrap_err();
    assert!(refused.to_string().contains("at character 3"), "{refused}");
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<Template>();
    assert_eq!(schema.get("x-expression"), Some(&json!(true)));
}

#[test]
fn trees_hold_what_was_written() {
    let template = Template::parse("{#a.b}").unwrap();
    let [Part::Expression(Expression::Property { target, name, safe: false })] = template.parts() else {
        panic!("{template:?}")
    };
    assert_eq!((target.as_ref(), name.as_ref()), (&Expression::Variable("a".into()), "b"));
}
