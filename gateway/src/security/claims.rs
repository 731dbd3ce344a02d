//! Claims: what tokens, and authorization servers about tokens, say.

use serde_json::{Map, Value};

/// Claims by name.
pub(super) type Claims = Map<String, Value>;

/// A claim that is a text or a number, as text. A flat name wins over a path with dots.
pub(super) fn text(claims: &Claims, path: &str) -> Option<String> {
    let nested = || {
        let mut steps = path.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    };
    match claims.get(path).or_else(nested)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text, or the first text of a list.
pub(super) fn first(claims: &Claims, name: &str) -> Option<String> {
    match claims.get(name)? {
        Value::Array(items) => items.first()?.as_str().map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            text(claims, name)
        }
    }
}

/// The scopes of `scope`, else of `scp`: a list, or one text with separators.
pub(super) fn scopes(claims: &Claims, separator: &str) -> Vec<String> {
    let texts = |value: &Value| match value {
        Value::String(text) => text.split(separator).map(str::trim).map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let mut scopes: Vec<String> =
        claims.get("scope").or_else(|| claims.get("scp")).map(texts).unwrap_or_default();
    scopes.retain(|scope| !scope.is_empty());
    scopes
}

/// Whether what is required is there: all of it when strict, else any of it.
pub(super) fn suffice(scopes: &[String], required: &[String], strict: bool) -> bool {
    let has = |scope: &String| scopes.contains(scope);
    required.is_empty() || if strict { required.iter().all(has) } else { required.iter().any(has) }
}

/// Seconds since 1970, also when written with a fraction.
pub(super) fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, NoTime> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            // A fraction of a second decides nothing.
            let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
            whole.map(Some).ok_or(NoTime)
        }
    }
}

/// A date that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoTime;

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_claim_is_found_by_its_flat_name_then_by_its_path() {
        let claims = claims(json!({"a.b": "flat", "a": {"b": "deep", "c": {"d": 7}}, "e": "", "f": [1]}));
        let found = ["a.b", "a.c.d", "a.x", "e", "f", "g.h"].map(|path| text(&claims, path));
        assert_eq!(found, [Some("flat".to_owned()), Some("7".to_owned()), None, None, None, None]);
    }

    #[test]
    fn scopes_are_a_text_or_a_list() {
        let found = |value: Value, separator: &str| scopes(&claims(value), separator).join("|");
        assert_eq!(found(json!({"scope": "a  b", "scp": "c"}), " "), "a|b");
        assert_eq!(found(json!({"scp": ["a", "b c"]}), " "), "a|b c");
        assert_eq!(found(json!({"scope": "a,b"}), ","), "a|b");
        assert_eq!(found(json!({}), " "), "");
        let (has, wanted) = (["a", "b"].map(str::to_owned), ["a", "x"].map(str::to_owned));
        assert!(!suffice(&has, &wanted, true) && suffice(&has, &wanted, false) && suffice(&has, &[], true));
        assert!(!suffice(&[], &wanted, false));
    }

    #[test]
    fn a_date_must_be_a_number() {
        let claims = claims(json!({"a": 5, "b": 5.9, "c": "5"}));
        assert_eq!((seconds(&claims, "a"), seconds(&claims, "b")), (Ok(Some(5)), Ok(Some(5))));
        assert_eq!((seconds(&claims, "c"), seconds(&claims, "d")), (Err(NoTime), Ok(None)));
    }
}
