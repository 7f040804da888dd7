//! Function lag-monitor on AWS Lambda.
fn main() {}
