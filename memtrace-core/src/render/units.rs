//! Numbers as people read them.
//!
//! In: integers and rates in base units. Out: short ASCII text. It refuses nothing: a rate that is not a number is
//! shown as `?`.
//!
//! One convention everywhere: bytes in powers of 1,024 with one decimal (`1.9 GiB`), counts exact with separators up
//! to ten million and then in powers of 1,000 (`12.3 M`), ages rounded down (`13 min` is at least thirteen).
//! Invariant: rounding never shows a mantissa that belongs to the next unit (`1024.0 KiB`, `1000.0 M`).

const BYTE_UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const COUNT_UNITS: [&str; 5] = ["M", "G", "T", "P", "E"];

/// From here on a count is rounded: eight digits are no longer read, only counted.
const EXACT_COUNT_LIMIT: u64 = 10_000_000;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `512 B`, `1.9 GiB`.
#[must_use]
pub fn bytes(value: u64) -> String {
    if value < 1024 {
        return format!("{value} B");
    }
    scaled(value, 1024, 1024, &BYTE_UNITS)
}

/// `1,204,331`, `12.3 M`.
#[must_use]
pub fn count(value: u64) -> String {
    if value < EXACT_COUNT_LIMIT {
        return with_separators(value);
    }
    scaled(value, 1_000_000, 1000, &COUNT_UNITS)
}

/// `1 block`, `2 blocks`: the plural is regular.
#[must_use]
pub fn counted(value: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix("ss") {
        Some(_) => "es",
        None => "s",
    };
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { plural })
}

/// `+1.9 GiB`, `-80 B`, `0 B`.
#[must_use]
pub fn growth(value: i64) -> String {
    let sign = match value.signum() {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    format!("{sign}{}", bytes(value.unsigned_abs()))
}

/// `8.2`, `1,204`: per second, one decimal below ten. The caller names what happens.
#[must_use]
pub fn count_per_second(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "?".to_owned();
    }
    // 9.95 rounds to 10.0, which is shown as a whole number.
    if value > 0.0 && value < 9.95 { format!("{value:.1}") } else { count(value.round() as u64) }
}

/// `1.9 GiB/s`.
#[must_use]
pub fn bytes_per_second(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "? B/s".to_owned();
    }
    format!("{}/s", bytes(value.round() as u64))
}

/// `350 ms`, `4.2 s`, `42 s`, `13 min`, `5.3 h`, `3.1 d`, rounded down.
#[must_use]
pub fn age(value_ns: u64) -> String {
    match value_ns {
        0..SECOND => format!("{} ms", value_ns / MS),
        SECOND..MINUTE if value_ns < 10 * SECOND => tenths_down(value_ns, SECOND, "s"),
        SECOND..MINUTE => format!("{} s", value_ns / SECOND),
        MINUTE..HOUR => format!("{} min", value_ns / MINUTE),
        HOUR..DAY => tenths_down(value_ns, HOUR, "h"),
        _ => tenths_down(value_ns, DAY, "d"),
    }
}

/// `00:03:12`; hours go on beyond 99.
#[must_use]
pub fn clock(elapsed_ns: u64) -> String {
    let (hours, minutes, seconds) =
        (elapsed_ns / HOUR, elapsed_ns % HOUR / MINUTE, elapsed_ns % MINUTE / SECOND);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

/// `0.6 %` from 0.006; `?` for what is not a number.
#[must_use]
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share.max(0.0) * 100.0) } else { "? %".to_owned() }
}

fn tenths_down(value: u64, unit: u64, name: &str) -> String {
    let tenths = value / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// One decimal, rounded half up in integers, in the first unit whose rounded mantissa is below `step`.
fn scaled(value: u64, first_unit: u128, step: u128, names: &[&str]) -> String {
    let mut unit = first_unit;
    let mut index = 0;
    loop {
        let tenths = (u128::from(value) * 10 + unit / 2) / unit;
        if tenths < step * 10 || index + 1 == names.len() {
            return format!("{}.{} {}", tenths / 10, tenths % 10, names[index]);
        }
        unit *= step;
        index += 1;
    }
}

fn with_separators(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_below_a_kibibyte_are_exact() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
    }

    #[test]
    fn bytes_round_half_up_and_move_to_the_next_unit() {
        assert_eq!(bytes(1024 + 51), "1.0 KiB");
        assert_eq!(bytes(1024 + 52), "1.1 KiB");
        assert_eq!(bytes(80_000), "78.1 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(1024 * 1024 - 52), "1023.9 KiB");
        assert_eq!(bytes(2_040_109_466), "1.9 GiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn counts_are_exact_up_to_ten_million() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_204_331), "1,204,331");
        assert_eq!(count(9_999_999), "9,999,999");
        assert_eq!(count(10_000_000), "10.0 M");
        assert_eq!(count(999_949_999), "999.9 M");
        assert_eq!(count(999_950_000), "1.0 G");
        assert_eq!(count(u64::MAX), "18.4 E");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(counted(1, "block"), "1 block");
        assert_eq!(counted(0, "block"), "0 blocks");
        assert_eq!(counted(2, "process"), "2 processes");
        assert_eq!(counted(1, "process"), "1 process");
    }

    #[test]
    fn growth_carries_its_sign() {
        assert_eq!(growth(0), "0 B");
        assert_eq!(growth(1024), "+1.0 KiB");
        assert_eq!(growth(-80), "-80 B");
        assert_eq!(growth(i64::MIN), "-8.0 EiB");
    }

    #[test]
    fn rates_have_a_decimal_only_where_it_is_read() {
        assert_eq!(count_per_second(0.0), "0");
        assert_eq!(count_per_second(0.24), "0.2");
        assert_eq!(count_per_second(9.94), "9.9");
        assert_eq!(count_per_second(9.96), "10");
        assert_eq!(count_per_second(1_203.6), "1,204");
        assert_eq!(bytes_per_second(3_250_586.0), "3.1 MiB/s");
    }

    #[test]
    fn what_is_not_a_number_is_a_question_mark() {
        assert_eq!(count_per_second(f64::NAN), "?");
        assert_eq!(count_per_second(-1.0), "?");
        assert_eq!(bytes_per_second(f64::INFINITY), "? B/s");
        assert_eq!(percent(f64::NAN), "? %");
    }

    #[test]
    fn ages_are_rounded_down() {
        assert_eq!(age(0), "0 ms");
        assert_eq!(age(SECOND - 1), "999 ms");
        assert_eq!(age(4_260_000_000), "4.2 s");
        assert_eq!(age(10 * SECOND - 1), "9.9 s");
        assert_eq!(age(MINUTE - 1), "59 s");
        assert_eq!(age(13 * MINUTE + 59 * SECOND), "13 min");
        assert_eq!(age(HOUR - 1), "59 min");
        assert_eq!(age(5 * HOUR + 20 * MINUTE), "5.3 h");
        assert_eq!(age(DAY), "1.0 d");
    }

    #[test]
    fn clocks_and_percentages_have_a_fixed_shape() {
        assert_eq!(clock(192 * SECOND), "00:03:12");
        assert_eq!(clock(100 * HOUR), "100:00:00");
        assert_eq!(percent(0.0061), "0.6 %");
        assert_eq!(percent(-0.1), "0.0 %");
    }
}
