//! JSON paths, XPath and bodies as members.

use super::{Sample, check};
use crate::call::Call;

const STORE: &str = r#"{"store": {
    "book": [
        {"category": "reference", "author": "Rees", "title": "Sayings", "price": 8.95},
        {"category": "fiction", "author": "Waugh", "title": "Sword", "price": 12.99, "tags": ["a", "b"]},
        {"category": "fiction", "author": "Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8}
    ],
    "bicycle": {"color": "red", "price": 19.95}
}, "a.b": {"c d": null}, "limit": 10, "empty": [], "numbers": [3, 1, 2]}"#;

fn store() -> Sample {
    let mut sample = Sample::new();
    sample.call = Call::sample("POST /ctx/", &[], STORE);
    sample
}

#[test]
fn json_paths() {
    let sample = store();
    for (path, expected) in [
        ("$.store.bicycle.color", "red"),
        ("store.bicycle.color", "red"),
        ("$['store']['bicycle']['color']", "red"),
        ("$['a.b']['c d']", ""),
        ("$.store.book[0].author", "Rees"),
        ("$.store.book[-1].author", "Melville"),
        ("$.store.book[*].author", "Rees,Waugh,Melville"),
        ("$.store.book[0,2].author", "Rees,Melville"),
        ("$.store.book[1:].author", "Waugh,Melville"),
        ("$.store.book[:-1].author", "Rees,Waugh"),
        ("$..author", "Rees,Waugh,Melville"),
        ("$.store..price", "8.95,12.99,8,19.95"),
        ("$..book[2].title", "Moby Dick"),
        ("$.store.*.color", "red"),
        ("$..book[?(@.isbn)].title", "Moby Dick"),
        ("$.store.book[?(@.price < 10)].title", "Sayings,Moby Dick"),
        ("$.store.book[?(@.price < $.limit)].title", "Sayings,Moby Dick"),
        ("$.store.book[?(@.price > 8 && @.category == \"fiction\")].title", "Sword"),
        ("$.store.book[?(@.price == 8 || @.author == \"Rees\")].title", "Sayings,Moby Dick"),
        ("$.store.book[?(!(@.isbn))].title", "Sayings,Sword"),
        ("$.store.book[?(@.author =~ /.*EES/i)].title", "Sayings"),
        ("$.store.book[?(@.category in [\"reference\", \"x\"])].title", "Sayings"),
        ("$.store.book[?(@.category nin [\"reference\"])].title", "Sword,Moby Dick"),
        ("$.store.book[?(@.tags contains \"b\")].title", "Sword"),
        ("$.store.book[?(@.tags subsetof [\"a\", \"b\", \"c\"])].title", "Sword"),
        ("$.store.book[?(@.tags anyof [\"b\"])].title", "Sword"),
        ("$.store.book[?(@.tags size 2)].title", "Sword"),
        ("$.store.book[?(@.tags empty false)].title", "Sword"),
        ("$.store.book.length()", "3"),
        ("$.numbers.min()", "1.0"),
        ("$.numbers.max()", "3.0"),
        ("$.numbers.sum()", "6.0"),
        ("$.numbers.avg()", "2.0"),
        ("$.numbers.first()", "3"),
        ("$.numbers.last()", "2"),
        ("$.numbers.index(1)", "1"),
        ("$.numbers.append(4)", "3,1,2,4"),
        ("$.store.bicycle.keys()", "color,price"),
        ("$.concat($.store.bicycle.color, \"-\", $.limit)", "red-10"),
        ("$.store.book[?(@.price > 100)].title", ""),
        ("$.empty[*]", ""),
    ] {
        let source = format!("a{{#jsonPath(#request.content, '{}')}}", path.replace('\'', "''"));
        assert_eq!(sample.text(&source).map(Option::unwrap), Ok(format!("a{expected}")), "{path}");
    }
    assert_eq!(
        sample.json("{#jsonPath(#request.content, \"$.store.bicycle['color', 'price']\")}").unwrap(),
        serde_json::json!({"color": "red", "price": 19.95})
    );
}

#[test]
fn what_json_paths_refuse() {
    let sample = store();
    for (path, reason) in [
        ("$.store.car.color", "`car`, which the document lacks"),
        ("$.limit.x", "asks a number for a member"),
        ("$.store.book[7]", "leads to nothing"),
        ("$.store[0]", "asks a map for an element"),
        ("$.", "expected a name"),
        ("$[", "not valid at character 2"),
        ("$['a'", "expected `]`"),
        ("$.a b", "expected `.`, `[` or the end"),
        ("$[?(@.a ==)]", "a value or a path"),
        ("$.nope()", "a function that exists"),
    ] {
        let source = format!("{{#jsonPath(#request.content, \"{path}\")}}");
        assert!(sample.error(&source).contains(reason), "{path}: {}", sample.error(&source));
    }
    assert!(sample.error("{#jsonPath('{', '$')}").contains("not JSON"));
    assert!(sample.error("{#jsonPath(null, '$')}").contains("null"));
}

#[test]
fn xpath_and_xml() {
    let mut sample = Sample::new();
    let xml = "<?xml version=\"1.0\"?><!DOCTYPE r><r xmlns=\"urn:x\" xmlns:s=\"urn:s\"><a id=\"1\">one</a>\
               <a id=\"2\">two &amp; &#51;</a><s:b>ns</s:b><c/><![CDATA[<x>]]></r>";
    sample.call = Call::sample("POST /ctx/", &[], xml);
    check(
        &sample,
        &[
            ("#xpath(#request.content, '/r/a[2]')", "two & 3"),
            ("#xpath(#request.content, '//a[@id=1]', 'string')", "one"),
            ("#xpath(#request.content, 'count(//a)', 'number')", "2.0"),
            ("#xpath(#request.content, '//zzz', 'boolean')", "false"),
            ("#xpath(#request.content, '//zzz') == ''", "true"),
            ("#xpath(#request.content, '/r/s:b')", "ns"),
            ("#xpath(#request.content, '//a', 'node_list')[1]", "two & 3"),
            ("#xpath(#request.content, '//a', 'node')", "one"),
            ("#xpath(#request.content, '//a/@id', 'node_list')", "1,2"),
            ("#request.xmlContent.r.a[0]['']", "one"),
            ("#request.xmlContent.r.a[1].id", "2"),
            ("#request.xmlContent.r['s:b']", "ns"),
        ],
    );
    for source in
        ["#xpath(#request.content, '//[')", "#xpath('<a>', '//a')", "#xpath('<a/>', '//a', 'thing')"]
    {
        assert!(sample.text(&format!("{{({source})}}")).is_err(), "{source}");
    }
}

#[test]
fn a_path_has_one_value_whether_all_of_the_text_is_read_or_not() {
    let sample = store();
    let paths = [
        "$",
        "$.store.bicycle",
        "$.store.bicycle.price",
        "$.store.book[1].tags[1]",
        "$.store.book[1].tags[2]",
        "$.store.book[9].title",
        "$.store.book.title",
        "$.store[0]",
        "$.store.nothing",
        "$.nothing.at.all",
        "$['a.b']['c d']",
        "$['a.b']['c d'].e",
        "$.limit",
    ];
    for path in paths {
        let once = sample.text(&format!("{{#jsonPath(#request.content, \"{path}\")}}"));
        // The second path on a text is looked for in the document.
        let source =
            format!("{{({{#jsonPath(#request.content, '$'), #jsonPath(#request.content, \"{path}\")}}[1])}}");
        assert_eq!(once, sample.text(&source), "{path}");
    }
    let twice = Call::sample("POST /ctx/", &[], r#"{"a": 1, "a": {"b": 2}, "c": 3} rest"#);
    let mut sample = Sample::new();
    sample.call = twice;
    assert!(
        sample.error("{#jsonPath(#request.content, '$.a.b')}").contains("not JSON"),
        "the rest is looked at too"
    );
    sample.call = Call::sample("POST /ctx/", &[], r#"{"a": {"b": 1}, "a": {"b": 2}}"#);
    assert_eq!(sample.get("{#jsonPath(#request.content, '$.a.b')}"), "2");
}
