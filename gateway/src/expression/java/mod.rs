//! The Java types that expressions may name, and what can be done with them. Nothing else exists: no reflection, no
//! process, no environment.

pub(super) mod chance;
pub(super) mod codec;
mod collections;
pub(super) mod date_pattern;
pub(super) mod format;
mod math;
pub(super) mod moment;
mod numbers;
pub(super) mod time;

use super::convert;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::instance::Instance;
use super::method::text::join;
use super::value::Value;
use bytes::Bytes;

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    String,
    Boolean,
    Byte,
    Short,
    Integer,
    Long,
    Float,
    Double,
    Number,
    BigDecimal,
    BigInteger,
    Math,
    System,
    List,
    Map,
    Collections,
    Uuid,
    Random,
    Base64,
    UrlEncoder,
    UrlDecoder,
    Date,
    Calendar,
    SimpleDateFormat,
    LocalDate,
    LocalDateTime,
    ZonedDateTime,
    Instant,
    ZoneId,
    DateTimeFormatter,
}

/// Package and name. Types of `java.lang` need no package.
const TYPES: &[(&str, &str, Type)] = &[
    ("java.lang", "Object", Type::Object),
    ("java.lang", "String", Type::String),
    ("java.lang", "CharSequence", Type::String),
    ("java.lang", "Boolean", Type::Boolean),
    ("java.lang", "Byte", Type::Byte),
    ("java.lang", "Short", Type::Short),
    ("java.lang", "Integer", Type::Integer),
    ("java.lang", "Long", Type::Long),
    ("java.lang", "Float", Type::Float),
    ("java.lang", "Double", Type::Double),
    ("java.lang", "Number", Type::Number),
    ("java.lang", "Math", Type::Math),
    ("java.lang", "System", Type::System),
    ("java.math", "BigDecimal", Type::BigDecimal),
    ("java.math", "BigInteger", Type::BigInteger),
    ("java.util", "List", Type::List),
    ("java.util", "Collection", Type::List),
    ("java.util", "ArrayList", Type::List),
    ("java.util", "Map", Type::Map),
    ("java.util", "Collections", Type::Collections),
    ("java.util", "UUID", Type::Uuid),
    ("java.util", "Random", Type::Random),
    ("java.util", "Base64", Type::Base64),
    ("java.util", "Date", Type::Date),
    ("java.util", "Calendar", Type::Calendar),
    ("java.net", "URLEncoder", Type::UrlEncoder),
    ("java.net", "URLDecoder", Type::UrlDecoder),
    ("java.text", "SimpleDateFormat", Type::SimpleDateFormat),
    ("java.time", "LocalDate", Type::LocalDate),
    ("java.time", "LocalDateTime", Type::LocalDateTime),
    ("java.time", "ZonedDateTime", Type::ZonedDateTime),
    ("java.time", "OffsetDateTime", Type::ZonedDateTime),
    ("java.time", "Instant", Type::Instant),
    ("java.time", "ZoneId", Type::ZoneId),
    ("java.time", "ZoneOffset", Type::ZoneId),
    ("java.time.format", "DateTimeFormatter", Type::DateTimeFormatter),
    // Primitive types have no package either.
    ("", "boolean", Type::Boolean),
    ("", "byte", Type::Byte),
    ("", "short", Type::Short),
    ("", "int", Type::Integer),
    ("", "long", Type::Long),
    ("", "float", Type::Float),
    ("", "double", Type::Double),
];

fn find(name: &str) -> Result<Type, EvaluationError> {
    // Authors write `List` and `Map` behind `instanceof` without the package that Java asks for.
    let (package, short) = name.rsplit_once('.').unwrap_or(("", name));
    let is = |(known, named, _): &&(&str, &str, Type)| {
        *named == short && (*known == package || package.is_empty() && is_bare(known, short))
    };
    let found = TYPES.iter().find(is).map(|(_, _, found)| *found);
    found.ok_or_else(|| EvaluationError::new(format!("the type `{name}` is not available in expressions")))
}

fn is_bare(package: &str, short: &str) -> bool {
    matches!(package, "" | "java.lang") || matches!(short, "List" | "Map")
}

/// `T(name)`
pub(super) fn named(name: &str, array: bool) -> Result<Value, EvaluationError> {
    Ok(Value::instance(Instance::Type { of: find(name)?, array }))
}

/// `new name(arguments)`
pub(super) fn construct(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Value, EvaluationError> {
    let made = match (find(name)?, arguments) {
        (Type::String, []) => Some(Value::text("")),
        (Type::String, [Value::Bytes(bytes)] | [Value::Bytes(bytes), _]) => {
            evaluator.budget.spend_text(bytes.len())?;
            Some(Value::text(String::from_utf8_lossy(bytes)))
        }
        (Type::String, [value]) => Some(Value::text(convert::text(value, evaluator)?)),
        (Type::BigDecimal | Type::BigInteger, [value]) => Some(numbers::decimal(evaluator, value)?),
        (Type::Random, [] | [_]) => Some(Value::instance(Instance::Random)),
        (of @ (Type::Date | Type::SimpleDateFormat), arguments) => time::construct(evaluator, of, arguments)?,
        _ => None,
    };
    made.ok_or_else(|| {
        let count = arguments.len();
        EvaluationError::new(format!("`new {name}` with {count} arguments is not available in expressions"))
    })
}

/// `T(type).name(arguments)`
pub(super) fn call_static(
    evaluator: &mut Evaluator<'_>,
    of: Type,
    name: &str,
    arguments: &[Value],
) -> super::method::Answer {
    match of {
        Type::Math => math::call(name, arguments),
        Type::String => text(evaluator, name, arguments),
        Type::Boolean
        | Type::Byte
        | Type::Short
        | Type::Integer
        | Type::Long
        | Type::Float
        | Type::Double
        | Type::BigDecimal
        | Type::BigInteger => numbers::call(evaluator, of, name, arguments),
        Type::System | Type::Uuid => chance::call(evaluator, of, name, arguments),
        Type::Collections | Type::List | Type::Map => collections::call(evaluator, of, name, arguments),
        Type::Base64 | Type::UrlEncoder | Type::UrlDecoder => codec::call(evaluator, of, name, arguments),
        Type::Calendar
        | Type::LocalDate
        | Type::LocalDateTime
        | Type::ZonedDateTime
        | Type::Instant
        | Type::ZoneId
        | Type::DateTimeFormatter => time::call(evaluator, of, name, arguments),
        Type::Object | Type::Number | Type::Random | Type::Date | Type::SimpleDateFormat => Ok(None),
    }
}

fn text(evaluator: &mut Evaluator<'_>, name: &str, arguments: &[Value]) -> super::method::Answer {
    Ok(match (name, arguments) {
        ("format", [pattern, values @ ..]) => {
            let pattern = evaluator.argument(pattern)?;
            Some(Value::text(format::format(evaluator, &pattern, values)?))
        }
        ("join", [separator, parts @ ..]) => {
            let separator = evaluator.argument(separator)?;
            Some(join(evaluator, &separator, parts)?)
        }
        ("valueOf" | "copyValueOf", [Value::Null]) => Some(Value::text("null")),
        ("valueOf" | "copyValueOf", [value]) => Some(Value::text(convert::text(value, evaluator)?)),
        _ => None,
    })
}

/// `value instanceof T(type)`. A null is an instance of nothing.
pub(super) fn is_instance(value: &Value, of: &Value) -> Result<bool, EvaluationError> {
    let Value::Instance(of) = of else {
        return Err(EvaluationError::new("`instanceof` needs a type, such as `T(String)`"));
    };
    let Instance::Type { of, array } = of.as_ref() else {
        return Err(EvaluationError::new("`instanceof` needs a type, such as `T(String)`"));
    };
    if *array {
        return Ok(matches!(value, Value::List(_)) || (*of == Type::Byte && matches!(value, Value::Bytes(_))));
    }
    Ok(match (of, value) {
        (_, Value::Null) => false,
        (Type::Object, _) => true,
        (Type::String, value) => matches!(value, Value::Text(_)),
        (Type::Boolean, value) => matches!(value, Value::Boolean(_)),
        // Integers have one width here; the narrow type means that the value fits into it.
        (Type::Integer, Value::Integer(value)) => i32::try_from(*value).is_ok(),
        (Type::Long, value) => matches!(value, Value::Integer(_)),
        (Type::Double | Type::Float, value) => matches!(value, Value::Real(_)),
        (Type::Number, value) => super::number::real(value).is_some(),
        (Type::BigDecimal, value) => matches!(value, Value::Decimal(_)),
        (Type::List, value) => matches!(value, Value::List(_)),
        (Type::Map, value) => matches!(value, Value::Map(_) | Value::Entries(_) | Value::Pairs(_)),
        _ => false,
    })
}

/// An argument that has to be bytes; a text means its UTF-8 bytes.
pub(super) fn bytes(value: &Value) -> Result<Bytes, EvaluationError> {
    match value.single() {
        Value::Bytes(bytes) => Ok(bytes.clone()),
        Value::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        other => Err(EvaluationError::new(format!("{} cannot be used as bytes", other.kind()))),
    }
}
