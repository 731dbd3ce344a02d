use super::*;
use crate::call::Call;
use serde_json::json;

const BODY: &str =
    r#"{"name":"ann","tags":["x","y"],"n":3,"price":0.1,"ok":true,"none":null,"of":{"a":1,"b":2}}"#;

fn rendered(source: &str) -> Result<String, RenderError> {
    let template = Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut call =
        Call::sample("POST /ctx/a/b?p=1&p=2&q=x", &[("X-One", "1"), ("two", "a"), ("two", "b")], BODY);
    call.attributes.set("user", "ann");
    call.response.status = http::StatusCode::CREATED;
    call.response.set_body("answer");
    let mut message = Message::new(Some("content".into()));
    message.headers = vec![("Foo".to_owned(), "bar".to_owned())];
    message.metadata.push(("topic".into(), json!("t")));
    render(&template, Model { call: &call, message: Some(&message), response: true })
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(rendered(source).as_deref(), Ok(expected), "{source}");
}

#[track_caller]
fn fails(source: &str, expected: &str) {
    assert_eq!(rendered(source).map_err(|error| error.to_string()), Err(expected.to_owned()), "{source}");
}

#[test]
fn the_model_is_what_authors_know() {
    check("${request.headers['X-One'][0]} ${request.headers['x-one']} ${request.headers.two[1]}", "1 1 b");
    check(
        "${request.method} ${request.path} ${request.pathInfo} ${request.paths[1]}",
        "POST /ctx/a/b /a/b ctx",
    );
    check("${request.params.p?join('+')} ${request.params['q'][0]}", "1+2 x");
    check("${context.attributes['user']} ${context.attributes['gravitee.attribute.user']}", "ann ann");
    check("${response.status} ${response.content}", "201 answer");
    check("${message.content} ${message.headers.foo[0]} ${message.metadata.topic}", "content bar t");
    check("${context.dictionaries['d']!'none'}", "none");
    check("<#assign body = request.content?eval>${body.name} ${body.of.b} ${body.tags[0]}", "ann 2 x");
}

#[test]
fn what_is_missing_is_an_error_unless_there_is_a_default() {
    fails("${request.headers['None']}", "request.headers['None'] is missing");
    fails("${a.b.c!'x'}", "a is missing");
    check("${(a.b.c)!'x'} ${a!} ${a!'x' + 'y'} ${(a!'x') + 'y'}", "x  xy xy");
    check("${a??} ${(a.b)??} ${request??}", "false false true");
    check("<#assign b = request.content?eval>${b.none!'null'} ${(b.of.c)!0}", "null 0");
    fails("${request.headers}", "request.headers is a hash, expected a text");
    fails("${request.headers.two}", "request.headers.two is a list, expected a text");
    fails("<#if 'true'></#if>", "an expression is a text, expected true or false");
}

#[test]
fn operators_follow_their_precedence() {
    check(
        "${1 + 2 * 3} ${(1 + 2) * 3} ${7 / 2} ${6 / 2} ${7 % 4} ${-2 + 1} ${0.1 + 0.2}",
        "7 9 3.5 3 3 -1 0.3",
    );
    check("${'a' + 1 + 2} ${1 + 2 + 'a'} ${\"<${1 + 1}>\"} ${'\\x41\\n'}${r'\\n'}", "a12 3a <2> A\n\\n");
    check(
        "${1 == 1.0} ${'a' != 'b'} ${1 lt 2} ${2 gte 3} ${(2 > 1)} ${2 > 1}",
        "true true true false true true",
    );
    check("${true && !false || false} ${request.headers['X-One'] == '1'}", "true true");
    check(
        "${[1, 2] ? size} ${{'a': 1}.a} ${(1..3)?join(',')} ${(3..1)?join(',')} ${(0..<2)?join(',')}",
        "2 1 1,2,3 3,2,1 0,1",
    );
    check(
        "${'abcdef'[1..2]} ${'abcdef'[4..]} ${'abc'[0]} ${'abc'[1..*9]} ${[1,2,3][1..]?join('')}",
        "bc ef a bc 23",
    );
    check("${([1] + [2])?join('')} ${({'a': 1} + {'a': 2}).a} ${12345678}", "12 2 12345678");
    fails("${1 / 0}", "a division by zero");
    fails("${'a' == 1}", "an expression is a text, expected a number");
}

#[test]
fn directives_choose_and_repeat() {
    check("<#if n??>a<#elseif request.method == 'POST'>b<#else>c</#if>", "b");
    check("<#if (3 > 2)>a</#if><#if 3 gt 4>b<#else>c</#if>", "ac");
    check("<#list ['a', 'b'] as x>${x?index}${x}<#sep>, </#list>", "0a, 1b");
    check("<#list [] as x>${x}<#else>none</#list>", "none");
    check(
        "<#list [1, 2, 3, 4] as x><#if x == 2><#continue></#if><#if x == 4><#break></#if>${x}</#list>",
        "13",
    );
    check("<#list {'a': 1, 'b': 2} as k, v>${k}=${v}<#if k?has_next>;</#if></#list>", "a=1;b=2");
    check("<#list [1, 2] as x><#list [3] as y>${x}${y}${x?is_last?string('!', '')}</#list></#list>", "1323!");
    check("<#list ['a'] as x>${x_index}${x_has_next}${x?counter}</#list>", "0false1");
    check("<#assign a = 1 b = a + 1>${b}<#assign c>[${b}]</#assign>${c}", "2[2]");
    check("a\n<#-- c -->\n<#if true>\n  b\n</#if>\nc<#noparse>${x}</#noparse>", "a\n  b\nc${x}");
}

#[test]
fn built_ins_change_and_ask() {
    check(
        "${' a '?trim} ${'ab'?upper_case} ${'ab'?cap_first} ${'aBc'?length} ${'a\"b'?json_string}",
        "a AB Ab 3 a\\\"b",
    );
    check(
        "${'<a&\"'?html} ${'a b/c'?url} ${'x'?left_pad(3, '0')} ${'x'?right_pad(3)}|",
        "&lt;a&amp;&quot; a%20b%2Fc 00x x  |",
    );
    check(
        "${'a,b'?split(',')?size} ${'aXbX'?replace('X', '-')} ${'abc'?contains('b')} ${'abc'?index_of('z')}",
        "2 a-b- true -1",
    );
    check(
        "${'5'?number + 1} ${3.7?int} ${3.2?ceiling} ${2.5?round} ${(-3)?abs} ${'true'?boolean?then('y', 'n')}",
        "6 3 4 3 3 y",
    );
    check(
        "${''?has_content} ${x?has_content} ${(x.y)?has_content} ${[1]?has_content}",
        "false false false true",
    );
    check(
        "${{'b': 1, 'a': 2}?keys?sort?join(',')} ${[3, 1, 2]?sort?first} ${[1, 5]?max} ${[1, 2]?reverse?join('')}",
        "a,b 1 5 21",
    );
    check(
        "${[{'n': 2}, {'n': 1}]?sort_by('n')[0].n} ${['a']?seq_contains('a')} ${request?keys?seq_contains('path')}",
        "1 true true",
    );
    check(
        "${'k=v'?keep_before('=')}${'k=v'?keep_after('=')} ${'/a'?remove_beginning('/')} ${'abc'?substring(1, 2)}",
        "kv a b",
    );
    check(
        "${request.content?eval.ok?string('yes', 'no')} ${1234.5?c} ${'x'?is_string} ${request?is_hash}",
        "yes 1234.5 true true",
    );
    fails("${'{'?eval}", "?eval reads JSON, and this is none");
    fails("${'a'?number}", "a text is no number");
}

#[test]
fn work_and_size_have_limits() {
    fails("<#list 1..1000000000 as x></#list>", "the template takes too many steps");
    let nested = "<#list 1..1000 as a><#list 1..1000 as b></#list></#list>";
    fails(nested, "the template takes too many steps");
    fails(
        "<#assign s = 'xxxxxxxxxxxxxxxx'><#list 1..60 as i><#assign s = s + s></#list>",
        "a text is larger than 10 MiB",
    );
    fails(
        "<#assign s = [1]><#list 1..60 as i><#assign s = s + s></#list>",
        "the template takes too many steps",
    );
    fails("<#assign s = 'x'?left_pad(9000000)>${s?replace('', s)}", "a text is larger than 10 MiB");
    fails("${1..}", "a range without an end is possible as an index only");
    fails("${'a'[1..5]}", "a range reaches outside of what it is taken from");
}
