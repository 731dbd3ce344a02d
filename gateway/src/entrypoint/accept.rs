//! The Accept header as a list of media types with their qualities.

use http::HeaderMap;
use http::header::ACCEPT;

/// One member of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// Lower case, without parameters.
    pub(crate) name: String,
    /// Thousandths; 0: not acceptable.
    pub(crate) quality: u16,
}

/// The members of one header value, in its order.
pub(crate) fn media_types(value: &str) -> impl Iterator<Item = MediaType> {
    value.split(',').filter_map(|member| {
        let mut parts = member.split(';');
        let name =
            parts.next().map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())?;
        let quality = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Some(MediaType { name, quality: quality.unwrap_or(1000) })
    })
}

/// Header values as they were sent.
pub(crate) fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok())
}

/// All acceptable members of all values, best first; equal ones in their order.
pub(crate) fn ranked(headers: &HeaderMap) -> Vec<MediaType> {
    let mut all: Vec<_> = values(headers).flat_map(media_types).filter(|member| member.quality > 0).collect();
    all.sort_by_key(|member| std::cmp::Reverse(member.quality));
    all
}

/// What is no number counts as the best, as if it were not there.
fn thousandths(text: &str) -> u16 {
    let quality: f32 = text.parse().unwrap_or(1.0);
    // Clamped before, so that the cast neither truncates nor changes the sign; not a number becomes 0.
    (quality.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_ranked_by_quality() {
        let mut headers = HeaderMap::new();
        headers
            .append(ACCEPT, "application/json;q=0.2, Application/XML; charset=utf-8 ;Q=0.9".parse().unwrap());
        headers.append(ACCEPT, "text/html;q=0,text/plain;q=abc,*/*;q=0.2,,".parse().unwrap());
        let names: Vec<_> =
            ranked(&headers).into_iter().map(|m| format!("{} {}", m.name, m.quality)).collect();
        assert_eq!(names, ["text/plain 1000", "application/xml 900", "application/json 200", "*/* 200"]);
        assert_eq!(ranked(&HeaderMap::new()), []);
    }
}
