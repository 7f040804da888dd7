//! Times as people read them.

use shared::record::Millis;

/// A time in UTC to the second; `-` for none (Kafka's -1), and the plain number where no calendar reaches.
#[must_use]
pub fn utc(time: Millis) -> String {
    match jiff::Timestamp::from_millisecond(time.0) {
        _ if time.0 == -1 => "-".to_owned(),
        Ok(timestamp) => timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_and_an_impossible_one_as_its_number() {
        assert_eq!(utc(Millis(1_531_432_000_000)), "2018-07-12T21:46:40Z");
        assert_eq!(utc(Millis(-1)), "-");
        assert_eq!(utc(Millis(i64::MAX)), "9223372036854775807");
    }
}
