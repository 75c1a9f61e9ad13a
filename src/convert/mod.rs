//! Recordings, commands, descriptions and tests of others as scripts: text in, script text out.
//!
//! Owns reading HAR, curl's command line, OpenAPI, Postman and JMeter, and writing what they say as a script that a person would
//! have written. Leaves files and the terminal to the command. Invariants: pure; hostile input ends in an error or
//! in a script, never in code of its own: all foreign text goes through `literal`.

mod body;
mod curl;
mod curl_flags;
mod curl_glob;
mod har;
mod har_correlate;
mod har_read;
mod jmeter;
mod jmeter_sampler;
mod jmeter_text;
mod jmeter_xml;
mod literal;
mod openapi;
mod openapi_document;
mod openapi_example;
mod params;
mod postman;
mod postman_script;
mod problem;
mod request;
mod script;
mod shell;

pub(crate) use body::SideFile;
pub(crate) use curl::convert_curl;
pub(crate) use har::convert_har;
pub(crate) use har_read::HarOptions;
pub(crate) use jmeter::convert_jmeter;
pub(crate) use literal::{identifier, text_literal};
pub(crate) use openapi::convert_openapi;
pub(crate) use postman::convert_postman;
pub(crate) use problem::Problem;
pub(crate) use script::Converted;
