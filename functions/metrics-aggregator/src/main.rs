//! Function metrics-aggregator on AWS Lambda.
fn main() {}
