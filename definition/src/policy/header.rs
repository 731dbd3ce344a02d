//! Rules for lists of headers that policies set.

use super::transform_headers::{Header, is_header_name};
use crate::violation::Violation;

/// Names that cannot be sent, with paths from the settings. Blank names are skipped when headers are set.
pub(super) fn violations(list: &str, headers: &[Header]) -> Vec<Violation> {
    let named = headers.iter().enumerate().filter(|(_, header)| !header.name.trim().is_empty());
    let wrong = named.filter(|(_, header)| !is_header_name(header.name.trim()));
    wrong
        .map(|(index, header)| {
            let (path, name) = (format!("{list}[{index}].name"), crate::reader::quote(&header.name));
            let message = format!(
                "#/{list}/{index}/name: {name} is no HTTP header name, use letters, digits and dashes"
            );
            Violation::new(path, "data.invalid", message)
        })
        .collect()
}
