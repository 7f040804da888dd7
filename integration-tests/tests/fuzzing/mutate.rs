//! Inputs made of a corpus: an entry of it, changed in a few places.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// An input has no more bytes.
const BYTES_MAX: usize = 64 << 10;
/// Numbers at which arithmetic goes wrong.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e400",
    "0.1",
    "-0",
    "null",
];
const BYTES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'/', b'%'];

/// Input number `number` of those that come of `corpus`: the same number gives the same input.
pub fn input(corpus: &[(String, Vec<u8>)], number: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(number);
    let entry = |random: &mut StdRng| corpus[random.random_range(0..corpus.len())].1.clone();
    let mut input = entry(&mut random);
    for _ in 0..random.random_range(1..8) {
        let other = entry(&mut random);
        mutate(&mut input, &other, &mut random);
    }
    input.truncate(BYTES_MAX);
    input
}

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    let at = random.random_range(0..=input.len());
    let end = (at + random.random_range(1..32)).min(input.len());
    match random.random_range(0..8) {
        0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
        1 if at < input.len() => input[at] = BYTES[random.random_range(0..BYTES.len())],
        2 => drop(input.drain(at..end)),
        3 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        4 => {
            let from = random.random_range(0..=other.len());
            let to = (from + random.random_range(1..64)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        5 => input.truncate(at),
        6 => input.insert(at, random.random()),
        _ => replace_number(input, at, random),
    }
}

/// Puts another number in the place of the next one that stands there as text.
fn replace_number(input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else { return };
    let digits = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    input.splice(start..start + digits, number.bytes());
}
