use super::*;
use serde_json::json;

fn run(operations: Value, input: Value) -> Result<Value, TooMuch> {
    let text = operations.to_string();
    transform(&Chain::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")), input)
}

#[track_caller]
fn check(operation: &str, spec: Value, input: Value, expected: Value) {
    let chain = json!([{"operation": operation, "spec": spec}]);
    let output = run(chain.clone(), input).unwrap();
    assert_eq!(output.to_string(), expected.to_string(), "{chain}");
}

#[test]
fn shift_moves_values() {
    let s = |spec, input, expected| check("shift", spec, input, expected);
    let rating = json!({"rating": {"primary": {"value": 3}, "quality": {"value": 4}}});
    s(
        json!({"rating": {"primary": {"value": "Rating"}, "*": {"value": "Secondary.&1.Value", "$": "Secondary.&1.Id"}}}),
        rating,
        json!({"Rating": 3, "Secondary": {"quality": {"Id": "quality", "Value": 4}}}),
    );
    s(json!({"a": "x.y[2]"}), json!({"a": 1}), json!({"x": {"y": [null, null, 1]}}));
    s(json!({"a": "x[]", "b": "x[]"}), json!({"a": 1, "b": 2}), json!({"x": [1, 2]}));
    s(json!({"a": "x", "b": "x", "c": "x"}), json!({"a": 1, "b": 2, "c": 3}), json!({"x": [1, 2, 3]}));
    s(json!({"a": ["x", "y"]}), json!({"a": {"b": 1}}), json!({"x": {"b": 1}, "y": {"b": 1}}));
    s(json!({"a": null, "*": "&"}), json!({"a": 1, "b": 2}), json!({"b": 2}));
    s(json!({"a|b": "x"}), json!({"b": 1}), json!({"x": 1}));
    s(
        json!({"tag-*": "t.&(0,1)", "*-*-c": "&(0,2).&(0,1)"}),
        json!({"tag-a": 1, "a-b-c": 2}),
        json!({"t": {"a": 1}, "b": {"a": 2}}),
    );
    s(json!({"x": "y"}), json!({"a": 1}), Value::Null);
    s(json!({"data": ""}), json!({"data": {"a": 1}}), json!({"a": 1}));
    s(json!({"a\\.b": "x\\.y", "\\*": "s"}), json!({"a.b": 1, "*": 2}), json!({"x.y": 1, "s": 2}));
}

#[test]
fn shift_looks_around() {
    let s = |spec, input, expected| check("shift", spec, input, expected);
    let photos = json!({"photos": [{"id": "a", "n": 1}, {"n": 2}, {"id": "c", "n": 3}]});
    s(
        json!({"photos": {"*": {"id": "p[#2].id", "n": "p[&1].n"}}}),
        photos.clone(),
        json!({"p": [{"id": "a", "n": 1}, {"n": 2}, {"id": "c", "n": 3}]}),
    );
    s(json!({"photos": {"*": {"n": "@(1,id)"}}}), photos.clone(), json!({"a": 1, "c": 3}));
    s(json!({"photos": {"*": {"id": {"@(1,n)": "x[]"}}}}), photos.clone(), json!({"x": [1, 3]}));
    s(json!({"photos": {"*": {"@(0,n)": "x[]"}}}), photos.clone(), json!({"x": [1, 2, 3]}));
    s(
        json!({"photos": {"*": {"id": {"@(2,n)": "x[]", "@": "y[]"}}}}),
        json!({"photos": [{"id": "a", "n": 1}]}),
        json!({"y": ["a"]}),
    );
    s(
        json!({"*": {"$": "keys[]", "#n": "types[]"}}),
        json!({"a": 1, "b": 2}),
        json!({"keys": ["a", "b"], "types": ["n", "n"]}),
    );
    s(json!({"on": {"true": {"#yes": "r"}, "*": {"#no": "r"}}}), json!({"on": true}), json!({"r": "yes"}));
    s(json!({"on": {"true": {"#yes": "r"}, "*": {"$": "r"}}}), json!({"on": "x"}), json!({"r": "x"}));
    s(json!({"a": {"b": "x.&(1,0)-&"}}), json!({"a": {"b": 1}}), json!({"x": {"a-b": 1}}));
    s(json!({"a": "x.y", "b": "x"}), json!({"b": "text", "a": 1}), json!({"x": [{"y": 1}, "text"]}));
}

#[test]
fn default_fills_in() {
    let d = |spec, input, expected| check("default", spec, input, expected);
    d(json!({"a": 1, "b": {"c": 2}}), json!({"a": 0, "b": null}), json!({"a": 0, "b": {"c": 2}}));
    d(
        json!({"*": {"x": 1}}),
        json!({"a": {}, "b": {"x": 2}, "c": 3}),
        json!({"a": {"x": 1}, "b": {"x": 2}, "c": 3}),
    );
    d(json!({"a|b": 1}), json!({"a": null}), json!({"a": 1}));
    d(json!({"l[]": {"0": "x", "2": "z"}}), json!({"l": [null, "b"]}), json!({"l": ["x", "b", "z"]}));
    d(json!({"l[]": {"*": {"n": 1}}}), json!({"l": [{}, {"n": 2}]}), json!({"l": [{"n": 1}, {"n": 2}]}));
    d(json!({"e": {}, "f": []}), json!({}), json!({"e": {}, "f": []}));
}

#[test]
fn remove_sort_and_cardinality_change_what_is_there() {
    check(
        "remove",
        json!({"a": "", "t-*": "", "b": {"c": ""}}),
        json!({"a": 1, "t-1": 2, "t": 3, "b": {"c": 4, "d": 5}}),
        json!({"t": 3, "b": {"d": 5}}),
    );
    check(
        "remove",
        json!({"l": {"0": "", "*": {"x": ""}}}),
        json!({"l": [1, {"x": 2, "y": 3}]}),
        json!({"l": [{"y": 3}]}),
    );
    check(
        "sort",
        json!(null),
        json!({"b": [{"d": 1, "c": 2}], "a": 3, "~z": 4}),
        json!({"~z": 4, "a": 3, "b": [{"c": 2, "d": 1}]}),
    );
    check(
        "cardinality",
        json!({"a": "ONE", "b": "MANY", "c": "MANY", "d": "ONE"}),
        json!({"a": [1, 2], "b": 3, "c": null, "d": []}),
        json!({"a": 1, "b": [3], "c": [], "d": null}),
    );
    check(
        "cardinality",
        json!({"l": {"@": "MANY", "*": {"x": "ONE"}}}),
        json!({"l": {"x": [1]}}),
        json!({"l": [{"x": 1}]}),
    );
}

#[test]
fn modify_computes() {
    let m = |spec, input, expected| check("modify-overwrite-beta", spec, input, expected);
    m(
        json!({"a": "=toUpper", "b": "=concat(@(1,a),'-',@(1,n))"}),
        json!({"a": "x", "n": 1}),
        json!({"a": "X", "n": 1, "b": "X-1"}),
    );
    m(
        json!({"n": ["=toInteger", 0], "m": ["=toInteger", 0]}),
        json!({"n": "12", "m": "x"}),
        json!({"n": 12, "m": 0}),
    );
    m(
        json!({"s": "=intSum(@(1,l))", "a": "=avg(1,2)", "d": "=divideAndRound(2,10,3)"}),
        json!({"l": [1, 2]}),
        json!({"l": [1, 2], "s": 3, "a": 1.5, "d": 3.33}),
    );
    m(json!({"*": "=toLower"}), json!({"a": "A", "b": 1, "c": ["X"]}), json!({"a": "a", "b": 1, "c": ["x"]}));
    m(
        json!({"l": {"*": {"n": "=size(@(1,x))"}}}),
        json!({"l": [{"x": "ab"}]}),
        json!({"l": [{"x": "ab", "n": 2}]}),
    );
    m(json!({"l": {"[1]": "b"}}), json!({"l": ["a"]}), json!({"l": ["a", "b"]}));
    m(
        json!({"a?": 1, "b?": 2, "~c": 3, "_d": 4}),
        json!({"a": 0, "c": 0, "d": null}),
        json!({"a": 1, "c": 0, "d": null}),
    );
    m(json!({"x": {"y": "@(2,a)"}}), json!({"a": 1}), json!({"a": 1, "x": {"y": 1}}));
    m(
        json!({"p": "=split('[.]',@(1,s))", "j": "=join('+',@(1,l))"}),
        json!({"s": "a.b.", "l": [1, 2]}),
        json!({"s": "a.b.", "l": [1, 2], "p": ["a", "b"], "j": "1+2"}),
    );
    m(
        json!({"a": "=squashNulls", "f": "=firstElement(@(1,a))", "e": "=elementAt(1,@(1,a))"}),
        json!({"a": [1, null, 2]}),
        json!({"a": [1, 2], "f": 1, "e": 2}),
    );
    m(
        json!({"a": "=leftPad(@(1,n),4,'0')", "b": "=substring(@(1,t),1,3)"}),
        json!({"n": 7, "t": "abcd"}),
        json!({"n": 7, "t": "abcd", "a": "0007", "b": "bc"}),
    );
    let d = |spec, input, expected| check("modify-default-beta", spec, input, expected);
    d(
        json!({"a": 1, "b": 2, "c": 3, "o": {"x": 1}}),
        json!({"a": 0, "b": null}),
        json!({"a": 0, "b": 2, "c": 3, "o": {"x": 1}}),
    );
}

#[test]
fn a_chain_runs_in_order_and_has_a_budget() {
    let chain = json!([
        {"operation": "shift", "spec": {"id": "user.id", "name": "user.name"}},
        {"operation": "default", "spec": {"user": {"role": "guest"}}},
        {"operation": "modify-overwrite-beta", "spec": {"user": {"name": "=trim"}}},
    ]);
    let output = run(chain, json!({"id": 1, "name": " ann "})).unwrap();
    assert_eq!(output.to_string(), r#"{"user":{"id":1,"name":"ann","role":"guest"}}"#);
    let index = json!([{"operation": "shift", "spec": {"i": {"*": {"$": "x[&1]"}}}}]);
    assert_eq!(run(index, json!({"i": 4_000_000_000_u32})), Err(TooMuch));
    let double = json!({"operation": "shift", "spec": {"@": ["a", "b"]}});
    assert_eq!(run(Value::Array(vec![double; 40]), json!({"x": 1})), Err(TooMuch));
    let pad = json!([{"operation": "modify-overwrite-beta", "spec": {"a": "=leftPad(@(1,n),@(1,n),'x')"}}]);
    assert_eq!(run(pad, json!({"n": 2_000_000_000})), Err(TooMuch));
}
