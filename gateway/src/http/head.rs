//! The head of a response that this crate writes itself: streams and upgrades over HTTP/1.

use bytes::Bytes;
use http::Response;
use http::header::{CONNECTION, DATE, TRANSFER_ENCODING};
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How the body behind the head ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// HTTP/1.1; the connection serves further requests when `keep_alive`.
    Chunked { keep_alive: bool },
    /// HTTP/1.0: the end of the connection is the end of the body.
    UntilClose,
    /// No body: the connection leaves HTTP.
    Upgrade,
}

/// Status line and headers, with the empty line.
pub(crate) fn head_bytes(head: &Response<()>, framing: Framing) -> Bytes {
    let status = head.status();
    let mut text = Vec::with_capacity(384);
    let reason = status.canonical_reason().unwrap_or("");
    text.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    let mut line = |name: &str, value: &[u8]| {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    for (name, value) in head.headers() {
        line(name.as_str(), value.as_bytes());
    }
    match framing {
        Framing::Chunked { keep_alive } => {
            line(CONNECTION.as_str(), if keep_alive { b"keep-alive" } else { b"close" });
            line(TRANSFER_ENCODING.as_str(), b"chunked");
        }
        Framing::UntilClose => line(CONNECTION.as_str(), b"close"),
        Framing::Upgrade => {}
    }
    line(DATE.as_str(), http_date(SystemTime::now()).as_bytes());
    text.extend_from_slice(b"\r\n");
    Bytes::from(text)
}

/// The date format of HTTP, always in GMT.
fn http_date(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(29);
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    let (hour, minute) = (second / 3600, second / 60 % 60);
    // Writing to a string does not fail.
    write!(text, "{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{:02} GMT", MONTHS[month], second % 60)
        .ok();
    text
}

/// Year, month (from 0) and day (from 1) of a day since 1970, counted in 400-year eras that begin on 1 March.
fn civil(days: u64) -> (u64, usize, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    (year, usize::try_from(month).unwrap_or(0), day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_printed_as_http_wants_them() {
        let date = |seconds| http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
        assert_eq!(date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
        assert_eq!(date(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    }

    #[test]
    fn a_head_says_how_its_body_ends() {
        let head = Response::builder().header("content-type", "text/plain").body(()).unwrap();
        let text = |framing| {
            let bytes = head_bytes(&head, framing);
            String::from_utf8(bytes.to_vec()).unwrap().split("date: ").next().unwrap().to_owned()
        };
        let common = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";
        let keep = format!("{common}connection: keep-alive\r\ntransfer-encoding: chunked\r\n");
        assert_eq!(text(Framing::Chunked { keep_alive: true }), keep);
        assert_eq!(text(Framing::UntilClose), format!("{common}connection: close\r\n"));
        assert_eq!(text(Framing::Upgrade), common);
    }
}
