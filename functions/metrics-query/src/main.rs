//! Function metrics-query on AWS Lambda.
fn main() {}
