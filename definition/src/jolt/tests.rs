use super::*;
use serde_json::json;

fn check(operation: &str, spec: Value, expected: &str) {
    let chain = json!([{"operation": "sort"}, {"operation": operation, "spec": spec}]).to_string();
    assert_eq!(Chain::parse(&chain).expect_err(&chain).to_string(), expected, "{chain}");
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    check(
        "graphql",
        json!({}),
        "[1].spec: the operation `graphql` is not supported, use one of shift, default, remove, sort, cardinality, modify-default-beta, modify-overwrite-beta",
    );
    check("shift", json!(5), "[1].spec: must be an object");
    check(
        "shift",
        json!({"a": {"b": 5}}),
        "[1].spec.a.b: the right side must be a path, a list of paths, an object or null",
    );
    check("shift", json!({"a*&": "b"}), "[1].spec.a*&: the key `a*&` mixes * and &");
    check("shift", json!({"a": "b.*"}), "[1].spec.a: the path `*` must not hold *, write \\\\* or &");
    check("shift", json!({"a": "b["}), "[1].spec.a: `b[` needs its closing bracket");
    check("shift", json!({"a": "b[x]"}), "[1].spec.a: `[x]` is no index");
    check("shift", json!({"a": "&(1"}), "[1].spec.a: a reference needs its closing parenthesis");
    check("shift", json!({"a": "&(x)"}), "[1].spec.a: `x` is no level");
    check("shift", json!({"@(1": "a"}), "[1].spec.@(1: `@(1` needs its closing parenthesis at the end");
    check("shift", json!({"[0]": "a"}), "[1].spec.[0]: elements of lists are named without brackets here");
    check("default", json!({"a[]": {"x": 1}}), "[1].spec.a[]: `x` is no index");
    check(
        "default",
        json!({"a[]": {"2000000000": 1}}),
        "[1].spec.a[]: the index 2000000000 is too great, use less than 10000",
    );
    check("remove", json!({"a": "x"}), "[1].spec.a: the right side must be an empty text or an object");
    check("cardinality", json!({"a": "TWO"}), "[1].spec.a: the right side must be ONE, MANY or an object");
    check(
        "modify-overwrite-beta",
        json!({"a": "=eval(1)"}),
        "[1].spec.a: the function `eval` is not supported",
    );
    check(
        "modify-default-beta",
        json!({"a": "^x"}),
        "[1].spec.a: there is no context that ^ could name, use @",
    );
    check(
        "modify-default-beta",
        json!({"a": 1, "[0]": 2}),
        "[1].spec: names and indexes of one level exclude each other",
    );
    let deep = format!("{}a{}", "@(1,".repeat(5000), ")".repeat(5000));
    check("shift", json!({"a": deep}), "[1].spec.a: look-ups are nested more than 8 deep");
    assert!(Chain::parse("{").unwrap_err().to_string().starts_with("the specification: is no JSON"));
    assert_eq!(
        Chain::parse("{}").unwrap_err().to_string(),
        "the specification: must be a list of operations"
    );
    assert!(Chain::parse("[{}]").is_err());
}

#[test]
fn patterns_are_tried_from_narrow_to_wide() {
    let spec = json!({"*": "1", "a*": "2", "ab*": "3", "*-*": "4", "&1": "5", "x|y": "6", "\\*": "7"});
    let shift = shift::read("", spec.as_object().unwrap()).unwrap();
    let order: Vec<_> = shift.computed.iter().map(|(_, target)| format!("{target:?}")).collect();
    for (target, number) in order.iter().zip(["5", "4", "3", "2", "1"]) {
        assert!(target.contains(&format!("{number:?}")), "{order:?}");
    }
    let names: Vec<_> = shift.literals.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x", "y", "*"]);
}
