//! A JMeter test plan (.jmx) as a script: thread groups as scenarios, samplers in their order.
//!
//! Owns the tree of a plan, thread groups, controllers and timers, and what holds for whom. Leaves samplers to
//! `jmeter_sampler`, variables to `jmeter_text`. Invariant: an element that is not converted is noted by its kind and name.

mod answers;
mod sampler;
mod text;
mod tree;
mod writer;
mod xml;

use std::collections::HashSet;

use crate::convert::jmeter::text::Variables;
use crate::convert::jmeter::tree::{Node, nodes};
use crate::convert::jmeter::writer::{Scope, Writer};
use crate::convert::jmeter::xml::parse;
use crate::convert::literal::{Value, text_literal};
use crate::convert::problem::Problem;
use crate::convert::script::{Converted, Parts, count};

/// A script of a test plan.
///
/// # Errors
/// When the text is no test plan, or has no thread groups with requests.
pub(crate) fn convert_jmeter(text: &str) -> Result<Converted, Problem> {
    let root = parse(text)?;
    let Some(plan) = root.children.iter().find(|child| child.name == "jmeterTestPlan") else {
        return Err("this is not a JMeter test plan: it has no <jmeterTestPlan>".into());
    };
    let nodes: Vec<Node> =
        plan.children.iter().filter(|child| child.name == "hashTree").flat_map(nodes).collect();
    let mut parts = Parts::default();
    let mut writer = Writer {
        variables: Variables::default(),
        host: None,
        files: Vec::new(),
        csv: Vec::new(),
        users: 0,
        rate: 0.0,
        requests: 0,
        starts: Vec::new(),
        functions: Vec::new(),
        taken: HashSet::new(),
        scenarios: HashSet::new(),
        parts: &mut parts,
    };
    writer.learn(&nodes);
    writer.host = sampler::most_frequent_host(&nodes, &writer.variables);
    writer.plan(&nodes, &Scope::default());
    let Writer { host, files, csv, users, rate, requests, functions, starts, .. } = writer;
    if requests == 0 {
        return Err("the plan has no HTTP requests in thread groups that are enabled".into());
    }
    parts.title = format!("{} of a JMeter test plan", count(requests, "request"));
    if users > 0 {
        let rate = if rate > 0.0 { rate } else { f64::from(users) };
        parts.options.push(("users".to_owned(), Value::int(i64::from(users))));
        parts.options.push((
            "spawn_rate".to_owned(),
            Value::Number(format!("{:?}", (rate * 100.0).round().max(1.0) / 100.0)),
        ));
    }
    parts.host = host;
    for (at, path) in files.iter().enumerate() {
        parts.constants.push_str(&format!("const FILE_{} = data::bytes({});\n", at + 1, text_literal(path)));
    }
    csv.iter().for_each(|line| parts.constants.push_str(line));
    if !starts.is_empty() {
        parts.functions.push(format!("fn on_start() {{\n{}}}", starts.concat()));
    }
    parts.functions.extend(functions);
    Ok(parts.assemble())
}
