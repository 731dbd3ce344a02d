//! From settings as authors write them to settings that a connector can run with.
//!
//! The schema is derived from the connector's settings struct. It completes settings (nulls and unknown members go,
//! numbers in strings and lenient enum spellings become exact, defaults are filled in) and checks them.

use super::titles;
use crate::api::Settings;
use crate::expression::Template;
use crate::reader::{kind as kind_of, quote, whole};
use crate::secrets;
use crate::token::fold;
use crate::violation::Violation;
use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The derived schema of one connector, compiled.
#[derive(Debug)]
pub struct SettingsSchema {
    document: Value,
    whole: Validator,
    part: Validator,
}

/// Where settings stand, which decides how far they are completed and what they must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All settings of a connector.
    Whole,
    /// Laid over others: filling defaults at its top level would hide what lies below, and members may be missing.
    Shared,
}

impl SettingsSchema {
    /// Derives and compiles.
    pub fn of<T: JsonSchema>() -> SettingsSchema {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        let mut document = settings.into_generator().into_root_schema_for::<T>().to_value();
        simplify(&mut document);
        titles::add(&mut document);
        let mut part = document.clone();
        if let Value::Object(part) = &mut part {
            part.remove("required");
        }
        SettingsSchema { whole: compile(&document), part: compile(&part), document }
    }

    /// The schema as JSON, draft 7.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The schema of one setting by its path, such as `consumer.topics`.
    pub fn setting(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.document, |schema, step| schema["properties"].get(step))
    }

    /// Completes settings as far as the schema says how; what remains wrong is left for `check`.
    pub fn complete(&self, mut settings: Settings, part: Part) -> Settings {
        complete_object(&self.document, &mut settings, part == Part::Whole);
        settings
    }

    /// Every violation of the schema, with paths relative to the settings.
    pub fn check(&self, settings: &Settings, part: Part) -> Vec<Violation> {
        let validator = match part {
            Part::Whole => &self.whole,
            Part::Shared => &self.part,
        };
        let instance = Value::Object(settings.clone());
        let mut violations: Vec<Violation> =
            validator.iter_errors(&instance).map(|error| explain(&self.document, &error)).collect();
        check_expressions(&self.document, "", &instance, &mut violations);
        violations
    }

    /// Completes, checks and reads settings.
    pub fn read<T: DeserializeOwned>(&self, settings: &Settings) -> Result<T, Vec<Violation>> {
        let settings = self.complete(settings.clone(), Part::Whole);
        let violations = self.check(&settings, Part::Whole);
        if !violations.is_empty() {
            return Err(violations);
        }
        serde_json::from_value(Value::Object(settings))
            .map_err(|error| vec![Violation::new("", "data.invalid", format!("#: {error}"))])
    }
}

/// Reports every text that the schema marks as a template (`x-expression`) and that cannot be parsed.
fn check_expressions(schema: &Value, pointer: &str, value: &Value, violations: &mut Vec<Violation>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let below = format!("{pointer}/{key}");
                check_expressions(&schema["properties"][key], &below, value, violations);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                check_expressions(&schema["items"], &format!("{pointer}/{index}"), value, violations);
            }
        }
        Value::String(text) if schema["x-expression"] == true => {
            if let Err(error) = Template::parse(text) {
                let message = format!("#{pointer}: the expression cannot be read: {error}");
                violations.push(Violation::new(dotted(pointer), "data.invalid", message));
            }
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[expect(clippy::expect_used, reason = "the schemas are ours; the tests compile every one of them")]
fn compile(schema: &Value) -> Validator {
    jsonschema::draft7::new(schema).expect("a derived schema compiles")
}

/// `null` is stripped before validation, so the schema need not allow it; formats are widths of Rust integers.
fn simplify(schema: &mut Value) {
    if let Value::Object(object) = schema {
        object.remove("format");
        if object.get("default").is_some_and(Value::is_null) {
            object.remove("default");
        }
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        collapse_nullable(object);
        if let Some(Value::Array(options)) = object.get_mut("enum") {
            options.retain(|option| !option.is_null());
        }
        object.values_mut().for_each(simplify);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(simplify);
    }
}

/// `anyOf: [X, null]` of an optional object becomes X; the description of the member wins over that of the type.
fn collapse_nullable(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get("anyOf") else { return };
    let mut real = options.iter().filter(|option| **option != json!({"type": "null"}));
    let (Some(Value::Object(only)), None) = (real.next().cloned(), real.next()) else { return };
    object.shift_remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
}

fn complete_object(schema: &Value, object: &mut Settings, defaults: bool) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    object.retain(|key, value| !value.is_null() && properties.contains_key(key));
    for (key, value) in object.iter_mut() {
        complete_value(&properties[key], value);
    }
    if !defaults {
        return;
    }
    for (key, property) in properties {
        if let Some(default) = property.get("default").filter(|default| !default.is_object()) {
            object.entry(key.clone()).or_insert_with(|| default.clone());
        }
    }
}

fn complete_value(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(object) => complete_object(schema, object, true),
        Value::Array(items) => {
            items.iter_mut().for_each(|item| complete_value(&schema["items"], item));
        }
        Value::String(text) => {
            if let Some(exact) = exact_text(schema, text) {
                *value = exact;
            }
        }
        Value::Number(_) if schema["type"] == "integer" => {
            if let Some(number) = whole(value) {
                *value = number.into();
            }
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// A number in a string, or another spelling of an enum value.
fn exact_text(schema: &Value, text: &str) -> Option<Value> {
    match schema["type"].as_str() {
        Some("integer") => text.trim().parse::<i64>().ok().map(Value::from),
        Some("number") => {
            text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::from)
        }
        _ => {
            let options = schema["enum"].as_array()?;
            options.iter().find(|option| option.as_str().is_some_and(|o| fold(o) == fold(text))).cloned()
        }
    }
}

fn explain(schema: &Value, error: &jsonschema::ValidationError<'_>) -> Violation {
    let pointer = error.instance_path().as_str();
    if let ValidationErrorKind::Required { property } = error.kind() {
        let key = property.as_str().unwrap_or_default();
        let message = format!("#{pointer}: required key [{key}] not found, it must be set");
        return Violation::new(dotted(&format!("{pointer}/{key}")), "data.invalid", message);
    }
    let reason = reason(schema, pointer, error.kind(), error.instance());
    Violation::new(dotted(pointer), "data.invalid", format!("#{pointer}: {reason}"))
}

fn reason(schema: &Value, pointer: &str, kind: &ValidationErrorKind, found: &Value) -> String {
    let node = schema_at(schema, pointer);
    let found = match found {
        value if secrets::holds_secrets(node) => kind_of(value).to_owned(),
        Value::String(text) => quote(text),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => kind_of(found).to_owned(),
    };
    if let ValidationErrorKind::Type { kind: TypeKind::Single(expected) } = kind {
        let expected = expected.to_string();
        return format!("expected type: {expected}, found: {found}; send {}", example(&expected));
    }
    if let ValidationErrorKind::Enum { options } = kind {
        let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        return format!("{found} is not a valid enum value, use one of {}", options.join(", "));
    }
    match (kind.keyword(), &node["minimum"], &node["maximum"]) {
        ("minimum" | "maximum", Value::Number(min), Value::Number(max)) => {
            format!("{found} is out of range, use a value from {min} to {max}")
        }
        ("minimum", min, _) => format!("{found} is too small, use {min} or more"),
        ("maximum", _, max) => format!("{found} is too large, use {max} or less"),
        ("minLength" | "minItems", _, _) => "must not be empty, give a value or leave the key out".to_owned(),
        ("pattern", _, _) => format!("{found} does not match pattern {}", node["pattern"]),
        (keyword, _, _) => format!("{found} breaks the rule {keyword} = {}", node[keyword]),
    }
}

fn example(json_type: &str) -> &'static str {
    match json_type {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "a text",
    }
}

/// The part of the schema that rules a place of the settings.
fn schema_at<'a>(schema: &'a Value, pointer: &str) -> &'a Value {
    pointer.split('/').skip(1).fold(schema, |schema, step| {
        if step.parse::<usize>().is_ok() { &schema["items"] } else { &schema["properties"][step] }
    })
}

/// A JSON pointer in the spelling of violation paths.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        if step.parse::<usize>().is_ok() {
            path.push_str(&format!("[{step}]"));
        } else {
            path = crate::reader::join(&path, step);
        }
    }
    path
}
