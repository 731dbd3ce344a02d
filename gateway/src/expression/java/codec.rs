//! Base64 and URL encoding.

use super::{Type, bytes};
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::instance::Instance;
use crate::expression::method::Answer;
use crate::expression::value::Value;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use std::borrow::Cow;
use url::form_urlencoded;

pub(super) fn call(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    Ok(match (of, name, arguments) {
        (Type::Base64, "getEncoder" | "getMimeEncoder", []) => {
            Some(Value::instance(Instance::Encoder { url: false, padding: true }))
        }
        (Type::Base64, "getUrlEncoder", []) => {
            Some(Value::instance(Instance::Encoder { url: true, padding: true }))
        }
        (Type::Base64, "getDecoder" | "getMimeDecoder", []) => {
            Some(Value::instance(Instance::Decoder { url: false }))
        }
        (Type::Base64, "getUrlDecoder", []) => Some(Value::instance(Instance::Decoder { url: true })),
        // Only UTF-8 is spoken, whatever charset is named.
        (Type::UrlEncoder, "encode", [text] | [text, _]) => {
            let text = evaluator.argument(text)?;
            evaluator.budget.spend_text(text.len().saturating_mul(3))?;
            Some(Value::text(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()))
        }
        (Type::UrlDecoder, "decode", [text] | [text, _]) => {
            let text = evaluator.argument(text)?;
            evaluator.budget.spend_text(text.len())?;
            let spaced = text.replace('+', " ");
            let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy();
            Some(Value::text(Cow::into_owned(decoded)))
        }
        _ => None,
    })
}

pub(in crate::expression) fn encoder(
    evaluator: &mut Evaluator<'_>,
    url: bool,
    padding: bool,
    name: &str,
    arguments: &[Value],
) -> Answer {
    Ok(match (name, arguments) {
        ("withoutPadding", []) => Some(Value::instance(Instance::Encoder { url, padding: false })),
        ("encodeToString" | "encode", [value]) => {
            let bytes = bytes(value)?;
            evaluator.budget.spend_text(bytes.len().saturating_mul(2))?;
            let text = engine(url, padding).encode(&bytes);
            Some(if name == "encode" { Value::Bytes(text.into()) } else { Value::text(text) })
        }
        _ => None,
    })
}

pub(in crate::expression) fn decoder(
    evaluator: &mut Evaluator<'_>,
    url: bool,
    name: &str,
    arguments: &[Value],
) -> Answer {
    let ("decode", [value]) = (name, arguments) else { return Ok(None) };
    let bytes = bytes(value)?;
    evaluator.budget.spend_text(bytes.len())?;
    let decoded =
        engine(url, true).decode(&bytes).map_err(|_| EvaluationError::new("the text is not base64"))?;
    Ok(Some(Value::Bytes(Bytes::from(decoded))))
}

fn engine(url: bool, padding: bool) -> GeneralPurpose {
    let alphabet = if url { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(padding)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}
