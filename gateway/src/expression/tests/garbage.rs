//! Expressions that nobody would write end with a value or an error.

use super::Sample;
use definition::expression::Template;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Far more than an evaluation may take.
const PATIENCE: Duration = Duration::from_secs(5);

const VALUES: &[&str] = &[
    "null",
    "true",
    "1",
    "0",
    "-7",
    "2.5",
    "9223372036854775807",
    "1e300",
    "'a'",
    "''",
    "'é,b'",
    "'2024-02-30'",
    "{1, 2}",
    "{}",
    "{:}",
    "{a: 1}",
    "#request",
    "#request.headers",
    "#request.params",
    "#request.headers['X-Many']",
    "#request.content",
    "#request.jsonContent",
    "#request.paths",
    "#message.metadata",
    "#context.attributes",
    "#properties",
    "#endpoints",
    "#this",
    "#nothing",
    "T(Math)",
    "T(Integer)",
    "T(String)",
    "T(byte[])",
    "T(java.time.LocalDate).of(2024, 1, 31)",
    "T(java.time.Instant).ofEpochMilli(0)",
    "new java.util.Date(0)",
    "new java.math.BigDecimal('1.50')",
    "new java.math.BigDecimal('1e900')",
    "'a'.getBytes()",
    "T(java.util.Base64).getDecoder()",
    "T(java.util.UUID).randomUUID()",
    "new java.util.Random()",
    "new java.text.SimpleDateFormat('yyyy-MM-dd hh:mm a Z')",
    "T(java.time.ZoneId).of('+02')",
    "{a: 1}.entrySet()[0]",
];

const METHODS: &[&str] = &[
    "length",
    "contains",
    "substring",
    "charAt",
    "indexOf",
    "split",
    "replaceAll",
    "replaceFirst",
    "replace",
    "repeat",
    "matches",
    "format",
    "concat",
    "toUpperCase",
    "trim",
    "chars",
    "hashCode",
    "toString",
    "equals",
    "compareTo",
    "get",
    "getOrDefault",
    "size",
    "keySet",
    "values",
    "subList",
    "getFirst",
    "getAll",
    "containsAllKeys",
    "toSingleValueMap",
    "intValue",
    "setScale",
    "pow",
    "divide",
    "remainder",
    "abs",
    "floorMod",
    "max",
    "round",
    "parseInt",
    "toHexString",
    "plusDays",
    "plusMonths",
    "minusYears",
    "plusNanos",
    "withDayOfMonth",
    "atZone",
    "parse",
    "getTime",
    "decode",
    "encodeToString",
    "nextInt",
    "join",
    "valueOf",
    "getYear",
    "name",
    "now",
    "of",
];

const PATHS: &[&str] = &[
    "$",
    "@",
    "..",
    ".",
    "a",
    "tags",
    "[0]",
    "[-1]",
    "[1:]",
    "[:-9]",
    "[*]",
    ".*",
    "[?(",
    "@.a",
    "==",
    "=~",
    "/x/i",
    "in",
    "[1]",
    ")]",
    "&&",
    "!",
    "'x'",
    ".length()",
    ".sum()",
    ".index(",
    ")",
    "['a','tags']",
    "size",
    "1",
    "\u{e9}",
    "\\",
];

fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(VALUES).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let arguments = prop::collection::vec(inner.clone(), 0..3);
        let operator = prop::sample::select(vec![
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "==",
            "<",
            ">=",
            "&&",
            "matches",
            "between",
            "instanceof",
            "?:",
        ]);
        let selection = prop::sample::select(vec![".?[", ".^[", ".$[", ".![", "["]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), prop::sample::select(METHODS), arguments)
                .prop_map(|(target, name, list)| format!("({target}).{name}({})", list.join(", "))),
            (inner.clone(), prop::sample::select(METHODS))
                .prop_map(|(target, name)| format!("({target})?.{name}")),
            (inner.clone(), selection, inner).prop_map(|(a, open, b)| format!("({a}){open}{b}]")),
        ]
    })
}

fn ends(source: &str) -> Result<(), TestCaseError> {
    let template =
        Template::parse(source).map_err(|error| TestCaseError::fail(format!("{source} {error}")))?;
    let sample = Sample::new();
    let started = Instant::now();
    // The value or the reason does not matter; that there is one does.
    drop(crate::expression::text(&template, &sample.scope()));
    drop(crate::expression::json(&template, &sample.scope()));
    prop_assert!(started.elapsed() < PATIENCE, "{} took {:?}", source, started.elapsed());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_expression_ends(source in value()) {
        ends(&format!("{{({source})}}"))?;
    }

    #[test]
    fn any_json_path_ends(path in prop::collection::vec(prop::sample::select(PATHS), 0..10)) {
        ends(&format!("{{#jsonPath(#request.content, '{}')}}", path.concat().replace('\'', "''")))?;
    }

    #[test]
    fn any_xpath_ends(path in "[a-c/@*\\[\\]().:=1'|, -]{0,24}") {
        ends(&format!("{{#xpath('<a b=\"1\"><c>1</c>x</a>', '{}', 'node_list')}}", path.replace('\'', "''")))?;
    }

    #[test]
    fn any_date_pattern_ends(pattern in "[yMdHhmsSaEDZXxzVnkKuL' :.,T-]{0,16}", text in "[0-9a-zA-Z:.+ -]{0,20}") {
        let pattern = pattern.replace('\'', "''");
        ends(&format!("{{(T(java.time.LocalDateTime).now().format(T(java.time.format.DateTimeFormatter).ofPattern('{pattern}')))}}"))?;
        ends(&format!("{{(new java.text.SimpleDateFormat('{pattern}').parse('{text}'))}}"))?;
    }

    #[test]
    fn any_format_ends(format in "[%a0-9.$,+sdxfebcn-]{0,16}") {
        ends(&format!("{{(T(String).format('{format}', 1, 'a', 2.5, null))}}"))?;
    }
}
