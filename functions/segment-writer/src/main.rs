//! Function segment-writer on AWS Lambda.
fn main() {}
