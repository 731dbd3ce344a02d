//! Dates: made, moved, asked, read and printed.

use super::{Sample, check};

#[test]
fn local_dates() {
    check(
        &Sample::new(),
        &[
            ("T(java.time.LocalDate).parse('2024-02-28').plusDays(2)", "2024-03-01"),
            ("T(java.time.LocalDate).of(2024, 1, 31).plusMonths(1)", "2024-02-29"),
            ("T(java.time.LocalDate).of(2024, 1, 31).minusYears(1).year", "2023"),
            ("T(java.time.LocalDate).parse('2024-02-28').dayOfWeek", "WEDNESDAY"),
            ("T(java.time.LocalDate).now().isAfter(T(java.time.LocalDate).of(2020, 1, 1))", "true"),
            ("T(java.time.LocalDate).of(2024, 1, 2) < T(java.time.LocalDate).of(2024, 1, 3)", "true"),
            ("T(java.time.LocalDateTime).of(2024, 1, 2, 3, 4).plusHours(22)", "2024-01-03T01:04"),
            ("T(java.time.LocalDateTime).parse('2024-01-02T03:04:05.5').nano", "500000000"),
            (
                "T(java.time.ZonedDateTime).parse('2024-01-02T03:04:05+02:00').toInstant()",
                "2024-01-02T01:04:05Z",
            ),
            ("T(java.time.Instant).ofEpochMilli(0).plusSeconds(90)", "1970-01-01T00:01:30Z"),
            ("T(java.time.Instant).parse('2024-01-02T03:04:05Z').toEpochMilli()", "1704164645000"),
        ],
    );
}

#[test]
fn patterns() {
    let formatted = |pattern: &str| {
        format!(
            "T(java.time.LocalDateTime).of(2024, 3, 5, 14, 7, 9)\
             .format(T(java.time.format.DateTimeFormatter).ofPattern('{pattern}'))"
        )
    };
    let sample = Sample::new();
    for (pattern, expected) in [
        ("yyyy-MM-dd HH:mm:ss.SSS", "2024-03-05 14:07:09.000"),
        ("d/M/yy h:mm a", "5/3/24 2:07 PM"),
        ("EEEE, d MMMM yyyy", "Tuesday, 5 March 2024"),
        ("EEE MMM dd", "Tue Mar 05"),
        ("yyyyMMdd''T''HHmmssXXX", "20240305T140709Z"),
        ("D", "65"),
    ] {
        assert_eq!(sample.get(&format!("{{({})}}", formatted(pattern))), expected, "{pattern}");
    }
    check(
        &sample,
        &[
            (
                "T(java.time.LocalDate).parse('05.03.2024', T(java.time.format.DateTimeFormatter).ofPattern('dd.MM.yyyy'))",
                "2024-03-05",
            ),
            (
                "T(java.time.LocalDate).of(2024, 3, 5).format(T(java.time.format.DateTimeFormatter).BASIC_ISO_DATE)",
                "20240305",
            ),
            ("new java.text.SimpleDateFormat('yyyy').format(new java.util.Date(0))", "1970"),
            (
                "new java.text.SimpleDateFormat('yyyy-MM-dd HH:mm').parse('2024-01-02 03:04').time",
                "1704164640000",
            ),
            ("new java.util.Date().time > 1600000000000", "true"),
            ("T(java.util.Calendar).getInstance().timeInMillis > 1600000000000", "true"),
        ],
    );
}

#[test]
fn impossible_dates_are_errors() {
    let sample = Sample::new();
    for source in [
        "T(java.time.LocalDate).of(2023, 2, 29)",
        "T(java.time.LocalDate).parse('tomorrow')",
        "T(java.time.LocalDate).now().plusDays(9223372036854775807)",
        "T(java.time.LocalDate).now().plusYears(9000000000000000000)",
        "T(java.time.LocalDate).now().minusMonths(4294967295)",
        "T(java.time.Instant).ofEpochMilli(9223372036854775807)",
        "T(java.time.Instant).ofEpochSecond(-9223372036854775807)",
        "T(java.time.format.DateTimeFormatter).ofPattern('yyyy-bb')",
        "T(java.time.format.DateTimeFormatter).ofPattern('''open')",
        "T(java.time.ZoneId).of('é')",
        "T(java.time.ZoneId).of('Mars/Base')",
    ] {
        assert!(sample.text(&format!("{{({source})}}")).is_err(), "{source}");
    }
}
