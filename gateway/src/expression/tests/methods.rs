//! Methods and types, and that nothing else can be called.

use super::{Sample, check};

#[test]
fn texts() {
    check(
        &Sample::new(),
        &[
            ("'héllo'.length()", "5"),
            ("''.isEmpty() && ' '.isBlank() && 'a'.blank == false", "true"),
            ("'hello'.contains('ell')", "true"),
            ("'hello'.startsWith('he') && 'hello'.endsWith('lo')", "true"),
            ("'a'.equals('a') && 'a'.equalsIgnoreCase('A')", "true"),
            ("'a'.compareTo('b')", "-1"),
            ("'hello'.indexOf('l')", "2"),
            ("'hello'.indexOf('l', 3)", "3"),
            ("'hello'.lastIndexOf('l')", "3"),
            ("'hello'.indexOf('z')", "-1"),
            ("'hello'.charAt(1)", "e"),
            ("'hello'.substring(1)", "ello"),
            ("'hello'.substring(1, 3)", "el"),
            ("'Hello'.toLowerCase() + 'Hello'.toUpperCase()", "helloHELLO"),
            ("' a '.trim() + ' a '.strip()", "aa"),
            ("'a.b.c'.replace('.', '-')", "a-b-c"),
            ("'a1b22'.replaceAll('[0-9]+', '#')", "a#b#"),
            ("'a1b22'.replaceFirst('[0-9]+', '#')", "a#b22"),
            ("'John Smith'.replaceAll('(\\w+) (\\w+)', '$2 $1')", "Smith John"),
            ("'a,b,,'.split(',').length", "2"),
            ("'a,b,c'.split(',', 2)[1]", "b,c"),
            ("'a'.concat('b')", "ab"),
            ("'ab'.repeat(3)", "ababab"),
            ("'hello'.hashCode()", "99162322"),
            ("'abc'.matches('[a-c]+')", "true"),
            ("'abcabc'.matches('(abc)\\1')", "true"),
            ("'a-b'.matches('\\Qa-b\\E')", "true"),
            ("'é'.matches('\\w')", "false"),
            ("'ab'.chars()", "97,98"),
            ("'%s-%03d'.formatted('a', 7)", "a-007"),
            ("T(String).join('-', {'a', 'b'})", "a-b"),
            ("T(String).join('-', 'a', 'b')", "a-b"),
            ("T(String).valueOf(1.0)", "1.0"),
            (
                "T(String).format('%5d|%-5s|%.2f|%,d|%x|%b|%%', 42, 'ab', 2.345, 1234567, 255, true)",
                "   42|ab   |2.35|1,234,567|ff|true|%",
            ),
            ("T(String).format('%2$s %1$s', 'a', 'b')", "b a"),
        ],
    );
}

#[test]
fn collections() {
    check(
        &Sample::new(),
        &[
            ("{1, 2}.contains(2) && {1, 2}.size() == 2 && !{1}.isEmpty()", "true"),
            ("{1, 2}.get(1)", "2"),
            ("{'a', 'b'}.indexOf('b')", "1"),
            ("{'a', 'b'}.getFirst() + {'a', 'b'}.getLast() + {'a'}.peek()", "aba"),
            ("{'a', 'b'}.toString()", "[a, b]"),
            ("{a: 1}.get('a')", "1"),
            ("{a: 1}.getOrDefault('b', 2)", "2"),
            ("{a: 1}.containsKey('a') && {a: 1}.containsValue(1)", "true"),
            ("{a: 1, b: 2}.keySet() + '-' + {a: 1, b: 2}.values()", "a,b-1,2"),
            ("{a: 1}.entrySet().![key]", "a"),
            ("{:}.isEmpty()", "true"),
            ("#request.headers.getFirst('X-Many')", "a"),
            ("#request.headers.get('X-Many')", "a"),
            ("#request.headers.getAll('X-Many')", "a,b"),
            ("#request.headers.containsKey('x-many') && !#request.headers.contains('none')", "true"),
            ("#request.headers.toSingleValueMap()['x-many']", "a"),
            ("#request.headers.names().size()", "4"),
            ("#request.params.getFirst('param')", "one"),
            ("#request.params.get('param').size()", "2"),
            ("#request.params.containsAllKeys('param', 'a b')", "true"),
            ("T(java.util.Collections).max({1, 3, 2})", "3"),
            ("T(java.util.Collections).min({'b', 'a'})", "a"),
            ("T(java.util.Collections).frequency({1, 1, 2}, 1)", "2"),
            ("T(java.util.Collections).disjoint({1}, {2})", "true"),
        ],
    );
}

#[test]
fn types() {
    check(
        &Sample::new(),
        &[
            ("T(Math).max(1, 2) + T(java.lang.Math).abs(-3)", "5"),
            ("T(Math).round(2.5)", "3"),
            ("T(Math).floor(2.7)", "2.0"),
            ("T(Math).pow(2, 3)", "8.0"),
            ("T(Math).floorMod(-1, 3)", "2"),
            ("T(Math).random() < 1", "true"),
            ("T(Math).PI > 3", "true"),
            ("T(Integer).parseInt('42') + 1", "43"),
            ("T(Integer).MAX_VALUE", "2147483647"),
            ("T(Long).valueOf('5000000000')", "5000000000"),
            ("T(Double).parseDouble('1.5')", "1.5"),
            ("T(Boolean).parseBoolean('TRUE')", "true"),
            ("new java.math.BigDecimal('1.005').setScale(2)", "1.01"),
            ("new java.math.BigDecimal('3').compareTo(2)", "1"),
            ("(7.9).intValue()", "7"),
            ("(7).doubleValue()", "7.0"),
            ("T(java.util.UUID).randomUUID().toString().length()", "36"),
            ("T(System).currentTimeMillis() > 1600000000000", "true"),
            ("T(java.util.Base64).getEncoder().encodeToString('a>b?'.getBytes())", "YT5iPw=="),
            (
                "T(java.util.Base64).getUrlEncoder().withoutPadding().encodeToString('a>b?'.getBytes())",
                "YT5iPw",
            ),
            ("T(java.net.URLEncoder).encode('a b&é', 'UTF-8')", "a+b%26%C3%A9"),
            ("T(java.net.URLDecoder).decode('a+b%26', 'UTF-8')", "a b&"),
            ("new java.util.Random().nextInt(1)", "0"),
            ("#xmlEscape('<a>&')", "&lt;a&gt;&amp;"),
            ("#jsonEscape({'a\"', 'b'})", "a\\\" b"),
            ("#xmlEscape(null) == null", "true"),
        ],
    );
}

#[test]
fn nothing_else_can_be_called() {
    let sample = Sample::new();
    for source in [
        "T(java.lang.Runtime).getRuntime().exec('ls')",
        "T(java.lang.System).getenv()",
        "T(java.lang.System).exit(0)",
        "T(java.lang.System).getProperty('user.home')",
        "T(org.springframework.util.StreamUtils)",
        "new java.io.File('/etc/passwd')",
        "new java.net.URL('http://localhost')",
        "''.class.forName('java.lang.Runtime')",
        "'a'.getClass()",
        "{1}.add(2)",
        "{a: 1}.put('b', 2)",
        "#request.headers.add('a', 'b')",
        "#request.headers.remove('X-E')",
        "#request.body",
        "#context.setAttribute('a', 'b')",
        "#context.attributes.clear()",
        "#node.environment",
    ] {
        assert!(sample.text(&format!("{{({source})}}")).is_err(), "{source}");
    }
}
