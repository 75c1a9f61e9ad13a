// Gives run.json to reporters of k6's summary data: node k6.mjs TOOLS RUN
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import assert from "node:assert/strict";

const [tools, run] = process.argv.slice(2);
const require = createRequire(join(tools, "package.json"));
const read = (file) => JSON.parse(readFileSync(join(run, file), "utf8"));
const data = read("run/run.json");

const checksOf = (group) => [...group.checks, ...group.groups.flatMap(checksOf)];
const checks = checksOf(data.root_group);
const thresholds = Object.values(data.metrics).flatMap((metric) => Object.values(metric.thresholds ?? {}));
const breached = thresholds.filter((threshold) => !threshold.ok);
const sum = (key) => checks.reduce((all, check) => all + check[key], 0);
if (checks.length > 0) {
    assert.deepEqual([sum("passes"), sum("fails")], [data.metrics.checks.values.passes, data.metrics.checks.values.fails]);
}
assert.equal(breached.length, data.thresholds.filter((threshold) => !threshold.ok).length);

await htmlReporter();
junit();
summaryReader();
await k6Reporter();
flatReader();

// k6-html-reporter: a page from a file.
async function htmlReporter() {
    const output = join(run, "k6-html-reporter");
    mkdirSync(output);
    const messages = [];
    const { log, error } = console;
    console.log = () => {};
    console.error = (message) => messages.push(message);
    try {
        require("k6-html-reporter").generateSummaryReport({ jsonFile: join(run, "run/run.json"), output });
    } finally {
        Object.assign(console, { log, error });
    }
    assert.deepEqual(messages, []);
    const page = readFileSync(join(output, "report.html"), "utf8").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
    const unescaped = page.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&#34;|&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&");
    const shows = (text) => {
        const shown = text.replace(/\s+/g, " ");
        assert.ok(unescaped.includes(shown), `k6-html-reporter: no ${JSON.stringify(shown)} in ${unescaped}`);
    };
    if (thresholds.length > 0) {
        shows(`passes: ${thresholds.length - breached.length} `);
        shows(`fails: ${breached.length} `);
    }
    checks.forEach((check, index) => {
        const path = check.path.split("::").slice(1).join(" ⇀ ");
        shows(`${index + 1} ${path} ${check.passes} ${check.fails} `);
    });
    for (const [name, metric] of Object.entries(data.metrics)) {
        const { values } = metric;
        if (metric.type === "counter") shows(`${name} ${values.count} ${values.rate} `);
        if (metric.type === "trend") shows(`${name} ${values.avg.toFixed(2)} ms ${values.max.toFixed(2)} ms `);
        if (metric.type === "gauge") shows(`${name} ${values.max} ${values.min} ${values.value} `);
        if (metric.type === "rate" && name !== "checks") shows(`${name} ${values.rate} ${values.passes} ${values.fails} `);
    }
}

// k6-junit: JUnit XML from the data.
function junit() {
    const { jUnit } = require("k6-junit");
    for (const maxGroupNestingLevel of [1, 5]) {
        const xml = jUnit(data, { maxGroupNestingLevel });
        const [, tests, failures] = xml.match(/<testsuites tests="(\d+)" failures="(\d+)">/).map(Number);
        const failed = checks.filter((check) => check.passes === 0 || check.fails > 0);
        assert.deepEqual([tests, failures], [checks.length + thresholds.length, failed.length + breached.length], xml);
        for (const group of data.root_group.groups.filter((group) => group.checks.length > 0)) {
            assert.ok(xml.includes(`name="${group.name}"`), xml);
        }
    }
}

// What k6-reporter reads, and what it calls on it.
function summaryReader() {
    const { metrics } = data;
    const always = [metrics.http_reqs, metrics.iterations, metrics.data_received, metrics.data_sent];
    always.forEach(({ values }) => values.count.toFixed(2) + values.rate.toFixed(2));
    assert.ok([metrics.vus.values.min, metrics.vus.values.max].every(Number.isFinite));
    for (const [name, { values, thresholds }] of Object.entries(metrics)) {
        Object.values(values).forEach((value) => assert.ok(Number.isFinite(value), `${name}: ${value}`));
        Object.values(thresholds ?? {}).forEach(({ ok }) => assert.equal(typeof ok, "boolean"));
    }
    const walk = ({ name, path, id, groups, checks }) => {
        [name, path, id].forEach((text) => assert.equal(typeof text, "string"));
        for (const check of checks) {
            assert.ok(Number.isInteger(check.passes) && Number.isInteger(check.fails) && check.path === `${path}::${check.name}`);
        }
        groups.forEach(walk);
    };
    walk(data.root_group);
    const { options, state } = data;
    assert.ok(Array.isArray(options.summaryTrendStats) && options.summaryTimeUnit === "" && options.noColor === true);
    assert.ok(state.isStdOutTTY === false && state.testRunDurationMs > 0);
}

// k6-reporter itself, where there is one.
async function k6Reporter() {
    const bundle = process.env.K6_REPORTER;
    if (!bundle) return;
    const module = join(run, "k6-reporter.mjs");
    writeFileSync(module, readFileSync(bundle));
    const { htmlReport } = await import(pathToFileURL(module));
    const page = htmlReport(data);
    assert.ok(page.includes(String(data.metrics.http_reqs.values.count)));
    checks.forEach((check) => assert.ok(page.includes(`<td>${check.passes}</td><td>${check.fails}</td>`), check.path));
}

// --summary-export, as scripts read it with jq.
function flatReader() {
    const flat = read("summary.json");
    for (const [name, metric] of Object.entries(data.metrics)) {
        const { thresholds, ...values } = flat.metrics[name];
        const { rate, ...others } = metric.values;
        assert.deepEqual(values, metric.type === "rate" ? { ...others, value: rate } : metric.values, name);
        const crossed = Object.entries(metric.thresholds ?? {}).map(([text, { ok }]) => [text, !ok]);
        assert.deepEqual(thresholds ?? {}, Object.fromEntries(crossed), name);
    }
    const count = ({ checks, groups }) =>
        Object.keys(checks).length + Object.values(groups).reduce((all, group) => all + count(group), 0);
    assert.equal(count(flat.root_group), checks.length);
}
