//! Points in time as DNSSEC writes them, RFC 4034 §3.2: `YYYYMMDDHHmmSS`, UTC, 32 bits of seconds since 1970.

use std::fmt;

const DAY: u64 = 86_400;

/// Reads 14 digits as a date, fewer as seconds; `None` if it is neither or outside 1970 to 2106.
pub(super) fn read_time(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        text.get(range)?.iter().try_fold(0_u64, |sum, d| sum.checked_mul(10)?.checked_add(u64::from(d - b'0')))
    };
    if text.len() != 14 {
        return u32::try_from(number(0..text.len())?).ok();
    }
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let valid = year >= 1970 && (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
    if !valid || day > days_in_month(year, month) {
        return None;
    }
    let days: u64 = (1970..year).map(|y| if is_leap(y) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|m| days_in_month(year, m)).sum::<u64>()
        + (day - 1);
    u32::try_from(days * DAY + hour * 3600 + minute * 60 + second).ok()
}

/// Writes seconds since 1970 as 14 digits.
pub(super) fn write_time(seconds: u32, out: &mut impl fmt::Write) -> fmt::Result {
    let seconds = u64::from(seconds);
    let (mut days, rest) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    write!(out, "{year:04}{month:02}{:02}{hour:02}{minute:02}{second:02}", days + 1)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_seconds() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("20000229120000", 951_825_600),
            ("20040509183619", 1_084_127_779),
            ("20380119031408", 1 << 31),
            ("21060207062815", u32::MAX),
        ] {
            assert_eq!(read_time(text.as_bytes()), Some(seconds), "{text}");
            assert_eq!(read_time(seconds.to_string().as_bytes()), Some(seconds));
            let mut out = String::new();
            write_time(seconds, &mut out).unwrap();
            assert_eq!(out, text);
        }
        for text in ["", "-1", "20010229000000", "20001301000000", "21060207062816", "4294967296", "20000101240000"] {
            assert_eq!(read_time(text.as_bytes()), None, "{text}");
        }
    }
}
