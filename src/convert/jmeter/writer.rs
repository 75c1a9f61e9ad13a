//! The elements of a JMeter plan as functions and statements of the script.
//!
//! Leaves samplers to `sampler`.

use std::collections::HashSet;

use crate::convert::jmeter::sampler::{self, Request};
use crate::convert::jmeter::text::{Variables, field, whole};
use crate::convert::jmeter::tree::{Node, all, arguments, code, code_comment, csv_names};
use crate::convert::jmeter::xml::Element;
use crate::convert::literal::{Value, comment, text_literal};
use crate::convert::names::{identifier, unused};
use crate::convert::script::Parts;

/// What holds for all samplers of a part of the plan.
#[derive(Clone, Default)]
pub(in crate::convert) struct Scope<'a> {
    pub(in crate::convert) defaults: Vec<&'a Element>,
    pub(in crate::convert) headers: Vec<&'a Element>,
    pub(in crate::convert) auth: Vec<&'a Element>,
    pub(in crate::convert) timers: Vec<&'a Element>,
    /// Assertions and extractors, the outermost first.
    pub(in crate::convert) after: Vec<&'a Element>,
    /// Scripts before a sampler.
    pub(in crate::convert) before: Vec<&'a Element>,
}

/// Kinds of elements below a sampler or beside it.
fn is_timer(kind: &str) -> bool {
    kind.ends_with("Timer")
}

fn is_after(kind: &str) -> bool {
    kind.ends_with("Assertion") || kind.ends_with("Extractor") || kind.ends_with("PostProcessor")
}

pub(in crate::convert) struct Writer<'p> {
    pub(in crate::convert) variables: Variables,
    pub(in crate::convert) host: Option<String>,
    /// Files that are sent.
    pub(in crate::convert) files: Vec<String>,
    pub(in crate::convert) csv: Vec<String>,
    /// Users of thread groups without an end, and how fast they start.
    pub(in crate::convert) users: u32,
    pub(in crate::convert) rate: f64,
    pub(in crate::convert) requests: usize,
    pub(in crate::convert) starts: Vec<String>,
    pub(in crate::convert) functions: Vec<String>,
    pub(in crate::convert) taken: HashSet<String>,
    /// Names of scenarios.
    pub(in crate::convert) scenarios: HashSet<String>,
    pub(in crate::convert) parts: &'p mut Parts,
}

impl Writer<'_> {
    /// Finds the variables of all of the plan.
    pub(in crate::convert) fn learn(&mut self, nodes: &[Node]) {
        for Node { element, below } in nodes {
            match element.name.as_str() {
                "TestPlan" => {
                    let own = element
                        .property("TestPlan.user_defined_variables")
                        .map(arguments)
                        .unwrap_or_default();
                    self.variables.fixed.extend(own);
                }
                "Arguments" => self.variables.fixed.extend(arguments(element)),
                "CSVDataSet" => self.variables.fields.extend(csv_names(element)),
                "CounterConfig" => {
                    self.variables.fields.extend([element.text_of("CounterConfig.name").to_owned()])
                }
                "RandomVariableConfig" => {
                    self.variables.fields.extend([element.text_of("variableName").to_owned()])
                }
                _ => self.variables.fields.extend(sampler::extracted(element)),
            }
            self.learn(below);
        }
    }

    pub(in crate::convert) fn plan<'a>(&mut self, nodes: &'a [Node<'a>], outer: &Scope<'a>) {
        let scope = self.scope(nodes, outer);
        for node in nodes {
            let kind = node.element.name.as_str();
            match kind {
                "TestPlan" => self.plan(&node.below, &scope),
                "ThreadGroup" => self.thread_group(node, &scope),
                "SetupThreadGroup" | "PostThreadGroup" => {
                    let name = self.function(node, &scope);
                    let when = if kind == "SetupThreadGroup" { "setup" } else { "teardown" };
                    self.note(
                        node.element,
                        &format!("is the function {name}, which nothing calls: call it in {when}"),
                    );
                }
                _ if kind.ends_with("ThreadGroup") => {
                    let name = self.function(node, &scope);
                    let title = text_literal(&self.scenario_name(node.element));
                    self.parts.scenarios.push_str(&format!(
                        "scenario({title}, #{{ exec: \"{name}\", executor: \"constant-vus\", vus: 1 }});\n"
                    ));
                    self.note(node.element, "has one user here: set its load by hand");
                }
                _ => self.other(node.element),
            }
        }
    }

    /// What the elements beside and above samplers say.
    fn scope<'a>(&mut self, nodes: &'a [Node<'a>], outer: &Scope<'a>) -> Scope<'a> {
        let mut scope = outer.clone();
        for Node { element, .. } in nodes {
            match element.name.as_str() {
                "ConfigTestElement" => scope.defaults.push(element),
                "HeaderManager" => scope.headers.push(element),
                "AuthManager" => scope.auth.push(element),
                "JSR223PreProcessor" | "BeanShellPreProcessor" => scope.before.push(element),
                kind if is_timer(kind) => scope.timers.push(element),
                kind if is_after(kind) => scope.after.push(element),
                _ => {}
            }
        }
        scope
    }

    pub(in crate::convert) fn note(&mut self, element: &Element, what: &str) {
        let name = comment(element.attribute("testname"));
        self.parts.notes.add(format!("{} '{name}' {what}", comment(&element.name)));
    }

    /// Elements that are neither samplers nor controllers.
    fn other(&mut self, element: &Element) {
        match element.name.as_str() {
            // What they hold is in the scope, or known from the start.
            "ConfigTestElement"
            | "HeaderManager"
            | "AuthManager"
            | "Arguments"
            | "CSVDataSet"
            | "CookieManager"
            | "CounterConfig"
            | "RandomVariableConfig"
            | "JSR223PreProcessor"
            | "BeanShellPreProcessor" => {}
            "ResultCollector" | "Summariser" | "BackendListener" => {
                self.parts.notes.add("left out: listeners; rhaid writes its own results");
            }
            kind if is_timer(kind) || is_after(kind) => {}
            _ => self.note(element, "is left out"),
        }
    }

    /// A whole number, or the default where the plan has none; a variable stays the parameter that it is elsewhere.
    fn number(&mut self, text: &str, default: &str) -> String {
        let text = if text.trim().is_empty() { default } else { text };
        let value = self.variables.value(text, &mut self.parts.params, &mut self.parts.notes);
        whole(&value.inline())
    }

    fn thread_group<'a>(&mut self, node: &'a Node<'a>, scope: &Scope<'a>) {
        let element = node.element;
        let function = self.function(node, scope);
        let users = self.number(element.text_of("ThreadGroup.num_threads"), "1");
        let ramp = self.number(element.text_of("ThreadGroup.ramp_time"), "0");
        let main = element.property("ThreadGroup.main_controller");
        let loops = main.map_or("1", |main| main.text_of("LoopController.loops"));
        let forever = loops == "-1";
        let scheduled = element.is_set("ThreadGroup.scheduler");
        let duration = element.text_of("ThreadGroup.duration");
        let duration =
            (scheduled && !duration.is_empty() && duration != "0").then(|| self.number(duration, "0"));
        let mut settings: Vec<(String, Value)> = vec![("exec".to_owned(), Value::text(function))];
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), Value::Code(value)));
        let ramps = ramp != "0" && ramp != "1";
        match (forever, duration) {
            (true, Some(duration)) if ramps => {
                set("executor", "\"ramping-vus\"".to_owned());
                let rest = match (duration.parse::<i64>(), ramp.parse::<i64>()) {
                    (Ok(duration), Ok(ramp)) => (duration - ramp).max(0).to_string(),
                    _ => format!("{duration} - {ramp}"),
                };
                set(
                    "stages",
                    format!(
                        "[#{{ duration: {ramp}, target: {users} }}, #{{ duration: {rest}, target: {users} }}]"
                    ),
                );
            }
            (true, Some(duration)) => {
                set("executor", "\"constant-vus\"".to_owned());
                set("vus", users);
                set("duration", duration);
            }
            (true, None) => match users.parse::<u32>() {
                Ok(number) => {
                    set("fixed_count", users);
                    self.users += number;
                    self.rate += f64::from(number) / ramp.parse::<f64>().unwrap_or(1.0).max(1.0);
                    self.note(element, "has no end: give the run one with --run-time");
                }
                Err(_) => {
                    set("executor", "\"constant-vus\"".to_owned());
                    set("vus", users);
                    self.note(element, "has no end: give the run one with --run-time");
                }
            },
            (false, duration) => {
                set("executor", "\"per-vu-iterations\"".to_owned());
                set("vus", users);
                let loops = self.number(loops, "1");
                set("iterations", loops);
                set("max_duration", duration.unwrap_or_else(|| "\"24h\"".to_owned()));
                if ramps {
                    self.note(element, &format!("starts its users at once, not over {ramp} seconds"));
                }
            }
        }
        let delay = element.text_of("ThreadGroup.delay");
        if scheduled && !delay.is_empty() && delay != "0" {
            let delay = self.number(delay, "0");
            settings.push(("start_time".to_owned(), Value::Code(delay)));
        }
        let on_error = element.text_of("ThreadGroup.on_sample_error");
        if !matches!(on_error, "" | "continue") {
            self.note(element, &format!("goes on after an error; JMeter does '{}'", comment(on_error)));
        }
        let start = format!("scenario({}, ", text_literal(&self.scenario_name(element)));
        let settings = Value::Map(settings).laid_out(0, start.len() + 2);
        self.parts.scenarios.push_str(&format!("{start}{settings});\n"));
    }

    /// A name that no other scenario has: many thread groups are called what JMeter calls them.
    fn scenario_name(&mut self, element: &Element) -> String {
        let name = comment(element.attribute("testname"));
        let name = if name.trim().is_empty() { "users".to_owned() } else { name };
        let mut free = name.clone();
        let mut n = 1;
        while !self.scenarios.insert(free.clone()) {
            n += 1;
            free = format!("{name} {n}");
        }
        free
    }

    /// Says that a name with variables in it stays as it is.
    pub(in crate::convert) fn note_name(&mut self, element: &Element) {
        if element.attribute("testname").contains("${") {
            self.note(element, "keeps this name for all values: JMeter counts each of them on its own");
        }
    }

    /// The function of a thread group.
    fn function<'a>(&mut self, node: &'a Node<'a>, scope: &Scope<'a>) -> String {
        let name = unused(identifier(node.element.attribute("testname"), "users"), &mut self.taken);
        let mut out = String::new();
        let clears = all(&node.below).any(|element| {
            element.name == "CookieManager" && element.is_set("CookieManager.clearEachIteration")
        });
        if clears {
            out.push_str("    http::clear_cookies();\n");
        }
        self.rows(&node.below, &mut out);
        self.steps(&node.below, scope, 1, &mut out);
        self.functions.push(format!("fn {name}() {{\n{out}}}"));
        name
    }

    /// Rows of CSV files, counters and random variables, at the start of an iteration.
    pub(in crate::convert) fn rows(&mut self, nodes: &[Node], out: &mut String) {
        for element in all(nodes) {
            match element.name.as_str() {
                "CSVDataSet" => self.csv(element, out),
                "CounterConfig" => {
                    let of = |name: &str| element.text_of(name).to_owned();
                    let start = self.number(&of("CounterConfig.start"), "0");
                    let by = self.number(&of("CounterConfig.incr"), "1");
                    let name = field(&of("CounterConfig.name"));
                    out.push_str(&format!("    {name} = {start} + (vu::iteration() - 1) * {by};\n"));
                    if element.text_of("CounterConfig.per_user") != "true" {
                        self.note(element, "counts for each user, not for all");
                    }
                }
                "RandomVariableConfig" => {
                    let least = self.number(element.text_of("minimumValue"), "0");
                    let most = self.number(element.text_of("maximumValue"), "0");
                    let name = field(element.text_of("variableName"));
                    out.push_str(&format!("    {name} = random::int({least}, {most});\n"));
                }
                _ => {}
            }
        }
    }

    fn csv(&mut self, element: &Element, out: &mut String) {
        let path = self.variables.known(element.text_of("filename"));
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let mut settings: Vec<(String, Value)> = Vec::new();
        let delimiter = match element.text_of("delimiter") {
            "\\t" => "\t",
            "" => ",",
            other => other,
        };
        if delimiter != "," {
            settings.push(("delimiter".to_owned(), Value::text(delimiter)));
        }
        let names = csv_names(element);
        let has_header = names.is_empty() || element.is_set("ignoreFirstLine");
        if !has_header {
            settings.push(("header".to_owned(), Value::Bool(false)));
            settings.push(("columns".to_owned(), Value::Array(names.iter().map(Value::text).collect())));
        }
        let settings =
            if settings.is_empty() { String::new() } else { format!(", {}", Value::Map(settings).inline()) };
        let constant = format!("ROWS_{}", self.csv.len() + 1);
        self.csv.push(format!("const {constant} = data::csv({}{settings});\n", text_literal(&file)));
        let row = format!("row_{}", self.csv.len());
        let next = if element.text_of("recycle") == "false" { "unique()" } else { "next()" };
        out.push_str(&format!("    let {row} = {constant}.{next};\n"));
        for name in &names {
            out.push_str(&format!("    {} = {row}[{}];\n", field(name), text_literal(name)));
        }
        self.parts.notes.add(format!("put {} beside the script", comment(&path)));
        if names.is_empty() {
            self.note(element, "takes its names from the file: set this.NAME = row.NAME by hand");
        } else if has_header {
            self.note(element, &format!("expects the columns {} in the first line", names.join(", ")));
        }
    }

    /// The samplers and controllers of a part.
    fn steps<'a>(&mut self, nodes: &'a [Node<'a>], outer: &Scope<'a>, indent: usize, out: &mut String) {
        let scope = self.scope(nodes, outer);
        for node in nodes {
            self.step(node, &scope, indent, out);
        }
    }

    fn step<'a>(&mut self, node: &'a Node<'a>, scope: &Scope<'a>, indent: usize, out: &mut String) {
        let element = node.element;
        let kind = element.name.as_str();
        let pad = "    ".repeat(indent);
        let name = comment(element.attribute("testname"));
        // A block around what stands below.
        let (open, close): (String, &str) = match kind {
            "HTTPSamplerProxy" | "HTTPSampler" | "HTTPSampler2" => {
                return self.sampler(node, scope, indent, out);
            }
            "TestAction" => return self.pause(element, &pad, out),
            "TransactionController" => (format!("measure({}, || {{", text_literal(&name)), "});"),
            "GenericController" => (format!("group({}, || {{", text_literal(&name)), "});"),
            "LoopController" => match element.text_of("LoopController.loops") {
                "-1" => {
                    self.note(element, "goes on for ever: what it repeats is there once");
                    (String::new(), "")
                }
                loops => (format!("for turn in 0..{} {{", self.number(loops, "1")), "}"),
            },
            "OnceOnlyController" => ("if vu::iteration() == 1 {".to_owned(), "}"),
            "ThroughputController" if element.text_of("ThroughputController.style") == "1" => {
                let share = element.children.iter().find(|child| child.name == "FloatProperty");
                let share = share.and_then(|share| share.children.iter().find(|child| child.name == "value"));
                let share = share.and_then(|share| share.text.trim().parse::<f64>().ok()).unwrap_or(100.0);
                (format!("if random::float(0.0, 100.0) < {share:?} {{"), "}")
            }
            "IfController" => match self.condition(element.text_of("IfController.condition")) {
                Some(condition) => (format!("if {condition} {{"), "}"),
                None => {
                    self.note(element, "has a condition that could not be converted: it holds always");
                    let condition = comment(element.text_of("IfController.condition"));
                    (format!("if true {{ // JMeter: {condition}"), "}")
                }
            },
            "RandomController" | "InterleaveControl" => return self.one_of(node, scope, indent, out),
            "WhileController"
            | "ForeachController"
            | "SwitchController"
            | "RandomOrderController"
            | "RunTime"
            | "CriticalSectionController"
            | "ThroughputController" => {
                self.note(element, "is not converted: what it holds is there once, in its order");
                (String::new(), "")
            }
            _ if kind.ends_with("Sampler") || kind.starts_with("JSR223") || kind.starts_with("BeanShell") => {
                if !is_after(kind) && !kind.ends_with("PreProcessor") {
                    out.push_str(&format!("{pad}// JMeter: {} '{name}'\n", comment(kind)));
                    code(element, &pad, out);
                    self.note(element, "is left out: it stands as a comment");
                }
                return;
            }
            _ if node.below.is_empty() || is_timer(kind) || is_after(kind) => return self.other(element),
            _ => {
                self.other(element);
                (String::new(), "")
            }
        };
        if kind == "TransactionController" {
            self.note_name(element);
        }
        if kind == "TransactionController"
            && !scope.timers.is_empty()
            && !element.is_set("TransactionController.includeTimers")
        {
            self.note(element, "includes the pauses in it");
        }
        if open.is_empty() {
            return self.steps(&node.below, scope, indent, out);
        }
        let mut inner = String::new();
        self.steps(&node.below, scope, indent + 1, &mut inner);
        out.push_str(&format!("{pad}{open}\n{inner}{pad}{close}\n"));
    }

    /// One of what stands below, by chance or in turn.
    fn one_of<'a>(&mut self, node: &'a Node<'a>, outer: &Scope<'a>, indent: usize, out: &mut String) {
        let scope = self.scope(&node.below, outer);
        let pad = "    ".repeat(indent);
        let mut choices = Vec::new();
        for choice in &node.below {
            let mut inner = String::new();
            self.step(choice, &scope, indent + 2, &mut inner);
            if !inner.is_empty() {
                choices.push(inner);
            }
        }
        if choices.is_empty() {
            return;
        }
        let number = choices.len();
        let pick = match node.element.name.as_str() {
            "RandomController" => format!("random::int(0, {})", number - 1),
            _ => format!("(vu::iteration() - 1) % {number}"),
        };
        out.push_str(&format!("{pad}switch {pick} {{\n"));
        for (at, choice) in choices.iter().enumerate() {
            out.push_str(&format!("{pad}    {at} => {{\n{choice}{pad}    }}\n"));
        }
        out.push_str(&format!("{pad}}}\n"));
    }

    /// `"${a}" == "b"`, also in the functions that JMeter wants around it.
    fn condition(&mut self, text: &str) -> Option<String> {
        let text = text.trim();
        let inner = ["${__jexl3(", "${__jexl2(", "${__groovy(", "${__javaScript("]
            .iter()
            .find_map(|start| text.strip_prefix(start)?.strip_suffix(")}"))
            .map_or(text, |inner| inner.trim_end_matches(','));
        let (operator, (left, right)) =
            ["==", "!="].iter().find_map(|operator| Some((*operator, inner.split_once(operator)?)))?;
        let mut side = |text: &str| {
            let text = text.trim();
            let quoted = text.strip_prefix(['"', '\'']).and_then(|text| text.strip_suffix(['"', '\'']));
            let content = match quoted {
                Some(content) if !content.contains(['"', '\'']) => content,
                None if text.starts_with("${") && text.ends_with('}') => text,
                None if text.parse::<f64>().is_ok() => text,
                _ => return None,
            };
            let value = self.variables.value(content, &mut self.parts.params, &mut self.parts.notes);
            match value {
                Value::Text(text) => Some(text_literal(&text)),
                value => {
                    Some(format!("`${{{}}}`", value.inline())).filter(|code| code.matches('`').count() == 2)
                }
            }
        };
        let (left, right) = (side(left)?, side(right)?);
        Some(format!("{left} {operator} {right}"))
    }

    fn pause(&mut self, element: &Element, pad: &str, out: &mut String) {
        if element.text_of("ActionProcessor.action") != "1" {
            return self.note(element, "is left out");
        }
        let code = self.milliseconds(element.text_of("ActionProcessor.duration"));
        out.push_str(&format!("{pad}sleep({code});\n"));
    }

    /// Milliseconds as seconds.
    fn milliseconds(&mut self, text: &str) -> String {
        match text.trim().parse::<f64>() {
            Ok(ms) => format!("{:?}", ms / 1000.0),
            Err(_) => {
                let value =
                    self.variables.value(text, &mut self.parts.params, &mut self.parts.notes).inline();
                match value.starts_with('"') {
                    true => format!("parse_float({value}) / 1000.0"),
                    false => format!("parse_float(`${{{value}}}`) / 1000.0"),
                }
            }
        }
    }

    /// Timers wait before each sampler.
    fn wait(&mut self, element: &Element, pad: &str, out: &mut String) {
        let delay = element.text_of("ConstantTimer.delay").to_owned();
        let range = element.text_of("RandomTimer.range").to_owned();
        let code = match element.name.as_str() {
            "ConstantTimer" => self.milliseconds(&delay),
            "UniformRandomTimer" => {
                let least = self.milliseconds(&delay);
                let range = self.milliseconds(&range);
                match (least.parse::<f64>(), range.parse::<f64>()) {
                    (Ok(least), Ok(range)) => format!("random::float({least:?}, {:?})", least + range),
                    _ => format!("{least} + random::float(0.0, {range})"),
                }
            }
            "GaussianRandomTimer" => {
                let (mean, deviation) = (self.milliseconds(&delay), self.milliseconds(&range));
                format!("max(0.0, random::normal({mean}, {deviation}))")
            }
            "ConstantThroughputTimer" | "PreciseThroughputTimer" => {
                self.note(element, "is left out: give the scenario a rate, or wait: constant_throughput(…)");
                return;
            }
            _ => {
                self.note(element, "is left out");
                return code_comment(element, pad, out);
            }
        };
        out.push_str(&format!("{pad}sleep({code});\n"));
    }

    fn sampler<'a>(&mut self, node: &'a Node<'a>, outer: &Scope<'a>, indent: usize, out: &mut String) {
        let scope = self.scope(&node.below, outer);
        let pad = "    ".repeat(indent);
        for element in &scope.timers {
            self.wait(element, &pad, out);
        }
        for element in &scope.before {
            self.note(element, "is left out: it stands as a comment");
            code_comment(element, &pad, out);
        }
        for child in &node.below {
            let kind = child.element.name.as_str();
            if !is_timer(kind) && !is_after(kind) {
                self.other(child.element);
            }
        }
        self.requests += 1;
        Request { sampler: node.element, scope: &scope }.write(self, indent, out);
    }
}
