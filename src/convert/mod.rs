//! Recordings, commands, descriptions and tests of others as scripts: text in, script text out.
//!
//! Owns reading HAR, curl's command line, OpenAPI, Postman and JMeter, and writing what they say as a script that a person would
//! have written. Leaves files and the terminal to the command. Invariants: pure; hostile input ends in an error or
//! in a script, never in code of its own: all foreign text goes through `literal`.

mod body;
mod curl;
mod har;
mod jmeter;
mod literal;
mod names;
mod openapi;
mod params;
mod postman;
mod problem;
mod request;
mod script;

pub(crate) use curl::convert_curl;
pub(crate) use har::HarOptions;
pub(crate) use har::convert_har;
pub(crate) use jmeter::convert_jmeter;
pub(crate) use literal::text_literal;
pub(crate) use names::identifier;
pub(crate) use openapi::convert_openapi;
pub(crate) use postman::{Environment, convert_postman};
pub(crate) use problem::Problem;
pub(crate) use script::Converted;
