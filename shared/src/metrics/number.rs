//! Numbers as Backbeat reads and prints them: JavaScript's.

/// The integer that a text begins with, in plain form: `" 12abc"` is `"12"`, `"-007"` is `"-7"`, `"abc"` is `"0"`.
/// Of any length: it need not fit 64 bits.
#[must_use]
pub fn leading_integer(text: &str) -> String {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = &unsigned[..unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len())];
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits if text.starts_with('-') => format!("-{digits}"),
        digits => digits.to_owned(),
    }
}

/// A counter's value as a reader takes it: the leading integer as a double, 0 where there is nothing.
#[must_use]
pub fn counter(text: Option<&str>) -> f64 {
    text.map_or(0.0, |text| leading_integer(text).parse().unwrap_or(0.0))
}

/// A double as `JSON.stringify` prints it.
#[must_use]
pub fn print(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return number.to_string();
    }
    let scientific = format!("{number:e}");
    if scientific.contains("e-") { scientific } else { scientific.replace('e', "e+") }
}

/// A double with so many decimals as `toFixed` prints it: the exact value decides, ties go away from zero.
#[must_use]
pub fn to_fixed(number: f64, decimals: usize) -> String {
    if number.abs() >= 1e21 || !number.is_finite() {
        return print(number);
    }
    // Rust rounds the exact value too, but ties to even: a hair more than the tie settles them, and only them.
    let at_tie = is_tie(number.abs(), decimals);
    let magnitude = if at_tie { number.abs().next_up() } else { number.abs() };
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{magnitude:.decimals$}")
}

/// Whether the number lies exactly between two of so many decimals: its last digit is a 5, one place further.
fn is_tie(magnitude: f64, decimals: usize) -> bool {
    // A double has at most 1074 decimals and this prints all of them exactly.
    let exact = format!("{magnitude:.1074}");
    let (_, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
    let rest = fraction.get(decimals..).unwrap_or_default();
    rest.trim_end_matches('0') == "5"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_counts_as_the_integer_it_begins_with() {
        let cases =
            [("12", "12"), ("12abc", "12"), (" \t12", "12"), ("+5", "5"), ("-007x", "-7"), ("-0", "0"), ("000", "0")];
        for (text, number) in cases {
            assert_eq!(leading_integer(text), number, "{text:?}");
        }
        for text in ["", "abc", "-", "+-1", "0x10", ".5", "\u{663}"] {
            assert_eq!(leading_integer(text), "0", "{text:?}");
        }
    }

    #[test]
    fn numbers_are_doubles_and_print_as_javascript_prints_them() {
        let cases = [
            ("9007199254740993", "9007199254740992"),
            ("-3", "-3"),
            ("-0", "0"),
            ("123456789012345678901", "123456789012345680000"),
            ("1000000000000000000000", "1e+21"),
            ("-12345678901234567890123", "-1.2345678901234568e+22"),
        ];
        for (text, printed) in cases {
            assert_eq!(print(counter(Some(text))), printed, "{text}");
        }
        assert_eq!(print(0.000_000_1), "1e-7");
        assert_eq!(print(f64::NAN), "null");
        assert_eq!(counter(None), 0.0);
    }

    #[test]
    fn decimals_are_rounded_by_the_exact_value_with_ties_away_from_zero() {
        let cases = [
            (0.125, 2, "0.13"),
            (0.375, 2, "0.38"),
            (1.005, 2, "1.00"),
            (2.5, 0, "3"),
            (-2.5, 0, "-3"),
            (0.5, 0, "1"),
            (0.49, 0, "0"),
            (-0.4, 0, "-0"),
            (-0.0, 2, "0.00"),
            (0.0, 2, "0.00"),
            (75.0, 0, "75"),
            (1e21, 2, "1e+21"),
            (2_251_799_813_685_248.5, 0, "2251799813685249"),
        ];
        for (number, decimals, printed) in cases {
            assert_eq!(to_fixed(number, decimals), printed, "{number}");
        }
    }
}
