//! Operators, null rules and conversions.

use super::{Sample, check, template};
use pretty_assertions::assert_eq;
use serde_json::json;

#[test]
fn arithmetic_keeps_its_type() {
    check(
        &Sample::new(),
        &[
            ("1 + 2 * 3", "7"),
            ("7 / 2", "3"),
            ("7 % 4", "3"),
            ("7.0 / 2", "3.5"),
            ("2 ^ 10", "1024"),
            ("1 + 1.0", "2.0"),
            ("-(3 - 5)", "2"),
            ("10000000.0", "1.0E7"),
            ("0.0001", "1.0E-4"),
            ("123456.789", "123456.789"),
            ("'a' + 1 + 2", "a12"),
            ("1 + 2 + 'a'", "3a"),
            ("'a' + null", "anull"),
            ("'v: ' + #request.headers['X-Many']", "v: a,b"),
            ("'v: ' + {1, 'b', {2, 3}}", "v: 1,b,2,3"),
            ("new java.math.BigDecimal('0.1') + new java.math.BigDecimal('0.2')", "0.3"),
            ("new java.math.BigDecimal('10') / 4", "2.5"),
            ("T(java.math.BigDecimal).valueOf(1).add(2)", "3"),
        ],
    );
}

#[test]
fn comparisons() {
    check(
        &Sample::new(),
        &[
            ("1 == 1.0", "true"),
            ("'a' == 'a'", "true"),
            ("'1' == 1", "false"),
            ("null == null", "true"),
            ("null < 1", "true"),
            ("'a' < 'b'", "true"),
            ("2 between {1, 3}", "true"),
            ("4 between {1, 3}", "false"),
            ("'abc' matches 'a.c'", "true"),
            ("'xabc' matches 'a.c'", "false"),
            ("'a' instanceof T(String)", "true"),
            ("1 instanceof T(Integer)", "true"),
            ("5000000000 instanceof T(Integer)", "false"),
            ("{1} instanceof T(List)", "true"),
            ("{a: 1} instanceof T(java.util.Map)", "true"),
            ("null instanceof T(Object)", "false"),
            ("{1, 2} == {1, 2}", "true"),
            ("{a: 1, b: {2}} == {b: {2}, a: 1}", "true"),
            ("{'h'} == 'h'", "true"),
            ("#request.headers['X-Number'] == '7'", "true"),
            ("#request.headers['X-Number'] matches '[0-9]'", "true"),
            ("#request.headers['X-E'] < 'i'", "true"),
            ("#request.headers['X-E'].startsWith('h')", "true"),
            ("#request.headers['X-E'].length()", "1"),
            ("true and not false", "true"),
            ("false or 'yes'", "true"),
            ("1 eq 1 AND 2 GT 1", "true"),
        ],
    );
}

#[test]
fn absence() {
    let sample = Sample::new();
    check(
        &sample,
        &[
            ("null ?: 'b'", "b"),
            ("'' ?: 'b'", "b"),
            ("'a' ?: 'b'", "a"),
            ("#request.headers['None']?.get(0) ?: 'none'", "none"),
            ("#request.headers['None']?.[0] ?: 'none'", "none"),
            ("#nothing?.name?.first ?: 'none'", "none"),
            ("{a: 1}.b ?: 'none'", "none"),
            ("true ? 'y' : 'n'", "y"),
            ("false && #nothing.name", "false"),
            ("true || #nothing.name", "true"),
        ],
    );
    assert_eq!(sample.get("a{#nothing}b"), "ab");
    for source in ["{(null && true)}", "{(!null)}", "{(null + 1)}", "{(null[0])}", "{(null.x())}"] {
        assert!(sample.text(source).is_err(), "{source}");
    }
}

#[test]
fn mistakes_of_evaluation_are_errors() {
    let sample = Sample::new();
    for (source, reason) in [
        ("{(1 / 0)}", "division by zero"),
        ("{(9223372036854775807 + 1)}", "64 bits"),
        ("{('a' < 1)}", "cannot be compared"),
        ("{('a' * 2)}", "`*` has no meaning between a text and a number"),
        ("{(2 between 3)}", "list of two limits"),
        ("{(2 instanceof 3)}", "needs a type"),
        ("{({1}[3])}", "no element 3"),
        ("{({1}[-1])}", "from 0"),
        ("{('maybe' ? 1 : 2)}", "neither true nor false"),
        ("{('a' matches '(')}", "not a regular expression"),
        ("{#nope('x')}", "no function `#nope`"),
        ("{#request}", "cannot be used as a text"),
        ("{('a'.getClass())}", "no method of a text"),
        ("{#properties['loop']}", "circle"),
        ("{#properties['missing']}", "does not exist"),
    ] {
        assert!(sample.error(source).contains(reason), "{source}: {}", sample.error(source));
    }
}

#[test]
fn selections_and_projections() {
    check(
        &Sample::new(),
        &[
            ("{1, 2, 3, 4}.?[#this > 2]", "3,4"),
            ("{1, 2, 3, 4}.^[#this > 2]", "3"),
            ("{1, 2, 3, 4}.$[#this > 2]", "4"),
            ("{1, 2, 3}.![#this * 2]", "2,4,6"),
            ("{{n: 1}, {n: 2}}.![n]", "1,2"),
            ("{{n: 'a'}, {n: 'b'}}.?[n == 'b'].![n]", "b"),
            ("{'a', 'bb'}.![length()]", "1,2"),
            ("{a: 1, b: 2}.?[value > 1].size()", "1"),
            ("{a: 1, b: 2}.![key + value]", "a1,b2"),
            ("#context.attributes['jwt'].claims['roles'].?[#this == 'admin'].size() > 0", "true"),
            ("{{1, 2}, {3}}.![#this.size()]", "2,1"),
            ("{a: 1}[a]", "1"),
            ("#root == null", "true"),
            ("#none?.![#this] == null", "true"),
        ],
    );
}

#[test]
fn conversions() {
    let sample = Sample::new();
    let integer = |source: &str| super::super::integer(&template(source), &sample.scope());
    assert_eq!(integer("{#request.headers['X-Number']}"), Ok(Some(7)));
    assert_eq!(integer(" 12 "), Ok(Some(12)));
    assert_eq!(integer("{#context.attributes['number']}"), Ok(Some(42)));
    assert_eq!(integer("{#nothing}"), Ok(None));
    assert!(integer("{#request.headers['X-E']}").is_err());
    assert_eq!(sample.truth("off"), Some(false));
    assert_eq!(sample.truth("{(0)}"), Some(false));
    assert_eq!(sample.truth("{(' ')}"), None);
    assert_eq!(
        sample.json("{#context.attributes['jwt'].claims}"),
        Some(json!({"roles": ["admin", "user"], "exp": 1.5}))
    );
    assert_eq!(sample.json("{({a: {1, 2.5, null}, b: 'c'})}"), Some(json!({"a": [1, 2.5, null], "b": "c"})));
    assert_eq!(sample.json("a {(1)}"), Some(json!("a 1")));
    assert_eq!(sample.json("{#nothing}"), None);
    assert_eq!(sample.json("{#request.params}"), Some(json!({"param": ["one", "two"], "a b": ["c d"]})));
}
