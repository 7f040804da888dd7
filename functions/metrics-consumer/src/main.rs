//! Function metrics-consumer on AWS Lambda.
fn main() {}
