//! Parsers for flag values, so that later code only sees valid ones.

use std::net::{Ipv4Addr, SocketAddr};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::plan::parse_rate;
use crate::text::one_of;

/// A flag that takes one of these words.
pub(super) fn choice<T: Copy + Send + Sync + 'static>(
    choices: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let words = PossibleValuesParser::new(choices.iter().map(|(word, _)| *word));
    words.try_map(move |word| one_of(&word, choices))
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// A scenario and its weight. Names may have `=` in them, numbers have none.
pub(super) fn weight(text: &str) -> Result<(String, f64), String> {
    let (name, weight) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).unwrap_or_default();
    match weight.trim().parse::<f64>() {
        Ok(weight) if (0.0..=1e9).contains(&weight) => Ok((name.to_owned(), weight)),
        _ => Err("write it as NAME=N with a number of 0 or more, such as browse=3".to_owned()),
    }
}

pub(super) fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.000_1..=10_000.0).contains(&scale) => Ok(scale),
        _ => Err("expected a factor from 0.0001 to 10000, such as 0.1 for a tenth of the time".to_owned()),
    }
}

pub(super) fn positive_rate(text: &str) -> Result<f64, String> {
    match parse_rate(text)? {
        rate if rate > 0.0 => Ok(rate),
        _ => Err("the rate must be above 0".to_owned()),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("the number per second must be above 0".to_owned()),
    }
}

pub(super) fn noise(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a percentage from 0 to 100, such as 3%".to_owned()),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a number of 1 or more".to_owned()),
    }
}

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse::<u16>().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse())
        .map_err(|_| "write it as PORT, or as ADDRESS:PORT such as 0.0.0.0:8090".to_owned())
}

/// A token that callers must send: an empty one protects nothing.
pub(super) fn token(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("the token is empty, so that anybody could send it".to_owned()),
        token => Ok(token.to_owned()),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(threads) if (1..=1024).contains(&threads) => Ok(threads),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}
