//! AWS Lambda: what a function's binary is made with, and one function calling another.

pub mod gateway;
mod invoke_answer;
pub mod invoker;
pub mod runtime;

pub use invoker::LambdaInvoker;
