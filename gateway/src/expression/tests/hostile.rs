//! Whatever is written or sent, an evaluation ends soon.

use super::{Sample, template};
use crate::call::Call;
use std::time::{Duration, Instant};

/// Far more than any of these takes, far less than what they would take without limits; builds for tests are slow.
const PATIENCE: Duration = Duration::from_secs(10);

fn body(content: &str) -> Sample {
    let mut sample = Sample::new();
    sample.call = Call::sample("POST /ctx/", &[], content);
    sample
}

/// The expression fails, and soon.
fn refuses(sample: &Sample, source: &str, reason: &str) {
    let started = Instant::now();
    let error = sample.error(source);
    assert!(error.contains(reason), "{source}: {error}");
    assert!(started.elapsed() < PATIENCE, "{source} took {:?}", started.elapsed());
}

#[test]
fn texts_and_lists_do_not_grow_without_end() {
    let sample = Sample::new();
    refuses(&sample, "{('a'.repeat(1000000000))}", "more than 2097152 bytes");
    refuses(&sample, "{('a'.repeat(1000000).replace('a', 'b'.repeat(1000000)))}", "more than 2097152 bytes");
    refuses(&sample, "{('a'.repeat(1000000).replaceAll('a', 'bbbbbbbbbb'))}", "longer than");
    refuses(&sample, "{(T(String).format('%999999999d', 1))}", "not understood");
    refuses(&sample, "{('a'.repeat(200000).chars())}", "more than 100000 elements");
    let mut nested = "{1,2,3,4,5,6,7,8,9,10}".to_owned();
    for _ in 0..8 {
        nested = format!("{{1,2,3,4,5,6,7,8,9,10}}.![{nested}]");
    }
    refuses(&sample, &format!("{{({nested})}}"), "500000 steps");
    refuses(&sample, "{(new java.math.BigDecimal('1e999999999') + 1)}", "digits");
    refuses(&sample, "{(new java.math.BigDecimal('99999999').pow(100000))}", "exponent");
    refuses(&sample, "{('a'.repeat(1000000) + 'a'.repeat(1000000) + 'a'.repeat(1000000))}", "2097152");
}

#[test]
fn regular_expressions_give_up() {
    let sample = Sample::new();
    let evil = format!("'{}!'", "a".repeat(40));
    // Linear here, whatever they cost elsewhere.
    assert_eq!(sample.truth(&format!("{{({evil}.matches('(a+)+b'))}}")), Some(false));
    assert_eq!(sample.truth(&format!("{{({evil} matches '(a|aa)+$')}}")), Some(false));
    refuses(&sample, &format!("{{({evil}.matches('(?=(a+)+b)(a*)*c\\1'))}}"), "too many steps");
    refuses(&sample, "{('a'.matches('((a{1000}){1000}){1000}'))}", "too large");
    refuses(&sample, "{('a'.repeat(300000).matches('a*'))}", "longer than");
    refuses(&sample, "{('a'.repeat(20000).matches('(a)*\\1b'))}", "longer than");
    refuses(&sample, &format!("{{('a'.matches('{}'))}}", "a".repeat(5000)), "longer than");
    // A search that goes to the end of the text for each of its matches.
    let started = Instant::now();
    drop(sample.text("{('a'.repeat(250000).replaceAll('a.*b|a', 'c').length())}"));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn json_paths_end_on_any_document() {
    let wide = format!("[{}]", vec![r#"{"a":{"b":[1,2,3]}}"#; 20_000].join(","));
    let sample = body(&wide);
    refuses(&sample, "{#jsonPath(#request.content, '$..*..*..*')}", "more than");
    refuses(&sample, "{#jsonPath(#request.content, '$..[?(@..b)]..[?(@..b)]')}", "more than");
    refuses(&sample, "{#jsonPath(#request.content, '$[?($[?($..a)])]')}", "more than");
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    refuses(&body(&deep), "{#jsonPath(#request.content, '$..a')}", "not JSON");
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    refuses(&body(&deep), "{#jsonPath(#request.content, '$..[0]..[0]..[0]..[0]..[0]')}", "more than");
    let nested = format!("$[?({}@.a{})]", "(".repeat(1000), ")".repeat(1000));
    refuses(&sample, &format!("{{#jsonPath(#request.content, '{nested}')}}"), "less nesting");
    refuses(&sample, &format!("{{#jsonPath(#request.content, '${}')}}", ".a".repeat(2000)), "longer than");
}

#[test]
fn xml_has_no_bombs() {
    let bomb = "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><l>&b;</l>";
    refuses(&body(bomb), "{#xpath(#request.content, '/l')}", "entity");
    assert_eq!(body(bomb).get("{#request.xmlContent.size()}"), "0");
    let file = "<!DOCTYPE l [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><l a=\"&f;\">&f;</l>";
    refuses(&body(file), "{#xpath(#request.content, '/l')}", "entity");
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    refuses(&body(&deep), "{#xpath(#request.content, '/a')}", "deeper");
    let wide = format!("<r>{}</r>", "<a><b/></a>".repeat(5000));
    refuses(&body(&wide), "{#xpath(#request.content, '//a[//b[//a]]')}", "too expensive");
    refuses(&body(&wide), "{#xpath(#request.content, '//*//*//*')}", "too expensive");
    refuses(&body(&wide), "{#xpath(#request.content, '//a[/r/a/b]')}", "too expensive");
    let parentheses = format!("{}1{}", "(".repeat(200), ")".repeat(200));
    refuses(&body("<r/>"), &format!("{{#xpath(#request.content, '{parentheses}')}}"), "too deeply");
}

#[test]
fn the_deepest_expression_fits_on_the_stack() {
    let sample = Sample::new();
    let deepest = definition::limits::EXPRESSION_MAX_DEPTH - 3;
    for (open, close) in
        [("{", "}"), ("(1 + ", ")"), ("T(Math).max(1, ", ")"), ("{1}.![", "]"), ("#a ?: ", "")]
    {
        let source = format!("{{({}1{})}}", open.repeat(deepest / 2), close.repeat(deepest / 2));
        let template = template(&source);
        // On the stack of a worker thread.
        assert!(crate::expression::json(&template, &sample.scope()).is_ok(), "{open}");
    }
}
