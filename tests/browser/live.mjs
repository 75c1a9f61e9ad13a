// How the live page behaves in a browser: node live.mjs PAGE TARGET AXE.js [SCREENSHOTS]
//
// Fills the form, starts a run, watches, steers and stops it, with a second viewer and a connection that breaks. PAGE is
// the address of a `rhaid web`, TARGET that of the service it loads.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { Chromium, runChecks } from "./chromium.mjs";

const [address, target, axe, pictures] = process.argv.slice(2);
const server = new URL(address);
const axeSource = readFileSync(axe, "utf8");
const PATIENCE_MS = 30_000;

// Between browser and server, so that connections can be cut.
const open = new Set();
let isCut = false;
const between = net.createServer((near) => {
  if (isCut) return near.destroy();
  const far = net.connect(server.port, server.hostname);
  for (const [one, other] of [[near, far], [far, near]]) {
    open.add(one);
    one.pipe(other);
    one.on("error", () => other.destroy());
    one.on("close", () => { open.delete(one); other.destroy(); });
  }
});
await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${between.address().port}/`;

const browser = new Chromium();
const look = (width = 1280, theme = "light") => browser.open(url, async (page) => {
  await page.width(width, 900);
  await page.theme(theme);
});
const until = async (what, holds) => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await holds();
    if (value) return value;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
const text = (page, selector) => page.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
const fill = (page, name, value) => page.value(`(() => {
  const field = document.querySelector('#start-form [name="${name}"]');
  field.value = ${JSON.stringify(value)};
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
})()`);
const click = (page, selector) => page.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
const state = async (page) => (await text(page, "#state")).replace(/^\S+ /, "");
const picture = async (page, name) => {
  if (!pictures) return;
  await page.send("Page.bringToFront");
  const { data } = await page.send("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(pictures, `live-${name}.png`), Buffer.from(data, "base64"));
};
const violations = (page) => page.violations(axeSource, 15);
const requests = (page) => page.value(`fetch("api/v1/status").then((answer) => answer.json()).then((status) => status.requests)`);
const seconds = (page) => page.value("page.figures?.seconds.rows.length ?? 0");

let viewer;
const checks = {
  async "the form follows what is typed and draws the planned load"() {
    viewer = await look();
    await until("a command", async () => (await text(viewer, "#command")).startsWith("rhaid run "));
    await fill(viewer, "host", target);
    await fill(viewer, "users", "5");
    await fill(viewer, "spawn_rate", "50");
    await fill(viewer, "run_time", "10m");
    await until("the command of what was typed", async () => /--users=5.*--run-time=10m|--run-time=10m.*--users=5/.test(await text(viewer, "#command")));
    assert.match(await text(viewer, "#plan-note"), /up to 5 users · over 10:00/);
    assert.ok(await viewer.value(`document.querySelector("#plan path").getAttribute("d").length > 100`));
    await fill(viewer, "run_time", "soon");
    await until("what is wrong with it", async () => /run-time/.test(await text(viewer, "#form-problem")));
    await fill(viewer, "run_time", "10m");
    await until("no problem", () => viewer.value(`document.querySelector("#form-problem").hidden`));
    assert.deepEqual(await violations(viewer), []);
    await picture(viewer, "form");
  },

  async "scenarios are boxes with weights, and the names that are typed are the same choice"() {
    const script = await viewer.value(`document.querySelector('[name="script"]').value`);
    assert.ok(await viewer.value(`document.querySelector("#scenarios").hidden`), "one scenario is no choice");
    const choose = async (name) => {
      await viewer.value(`(() => { const select = document.querySelector('[name="script"]'); select.value = ${JSON.stringify(name)}; select.dispatchEvent(new Event("change", { bubbles: true })); })()`);
    };
    await choose("users.rhai");
    await until("its scenarios", () => viewer.value(`!document.querySelector("#scenarios").hidden`));
    await fill(viewer, "host", target);
    await fill(viewer, "users", "9");
    await until("all of them", async () => /browse \(6\), buy \(2\), admin \(1\)/.test(await text(viewer, "#plan-note")));
    const box = (name) => `[...document.querySelectorAll("#scenarios [type=checkbox]")].find((box) => box.value === "${name}")`;
    await viewer.value(`${box("admin")}.click()`);
    await until("two of them", async () => /up to 9 users · .* · browse \(7\), buy \(2\) ·/.test(await text(viewer, "#plan-note")));
    assert.equal(await viewer.value(`document.querySelector('[name="scenario"]').value`), "browse,buy");
    await fill(viewer, "weight.buy", "9");
    await until("another weight", async () => /--scenario=browse,buy.*--weight=buy=9|--weight=buy=9.*--scenario=browse,buy/.test(await text(viewer, "#command")));
    assert.match(await text(viewer, "#plan-note"), /browse \(2\), buy \(7\)/);
    assert.deepEqual(await violations(viewer), []);
    await viewer.value(`document.querySelector("#scenarios").scrollIntoView({ block: "center" })`);
    await picture(viewer, "scenarios");
    await viewer.width(400, 900);
    await viewer.theme("dark");
    assert.ok((await viewer.value("document.documentElement.scrollWidth")) <= 400, "no sideways scrolling at 400 px");
    await viewer.value(`document.querySelector("#scenarios").scrollIntoView({ block: "center" })`);
    await picture(viewer, "scenarios-narrow-dark");
    await viewer.width(1280, 900);
    await viewer.theme("light");
    await fill(viewer, "scenario", "buy");
    assert.deepEqual(await viewer.value(`["browse", "buy", "admin"].map((name) => [...document.querySelectorAll("#scenarios [type=checkbox]")].find((box) => box.value === name).checked)`), [false, true, false]);
    await viewer.value(`${box("buy")}.click()`);
    assert.equal(await viewer.value(`${box("buy")}.checked`), true, "one of them stays");
    await viewer.value(`${box("browse")}.click()`);
    await viewer.value(`${box("admin")}.click()`);
    assert.equal(await viewer.value(`document.querySelector('[name="scenario"]').value`), "", "all of them need no names");
    // What was typed is there again.
    await choose(script);
    await until("the first script", async () => (await text(viewer, "#command")).includes(script));
    await choose("users.rhai");
    await until("the weight of before", async () => /--weight=buy=9/.test(await text(viewer, "#command")));
    await choose(script);
    await until("the first script again", async () => (await text(viewer, "#command")).includes(script));
  },

  async "the editor marks what is wrong, shows the reference, and saves"() {
    const inside = (script) => viewer.value(`(() => { const root = document.querySelector("#editor").shadowRoot; ${script} })()`);
    await until("the script", async () => /insights/.test(await inside("return root.querySelector('.cm-content').textContent")));
    const put = (text) => viewer.send("Input.insertText", { text });
    await inside("root.querySelector('.cm-content').focus()");
    await put("// tried here");
    await viewer.press("Enter");
    assert.match(await text(viewer, "#edit-state"), /not saved/);
    const odd = 'fn odd() { http::gat("/x"); } ';
    await put(odd);
    await until("a mark", () => inside("return root.querySelector('.cm-lint-marker-error') !== null"));
    await picture(viewer, "editor");
    for (let index = 0; index < odd.length; index++) await viewer.send("Input.dispatchKeyEvent", { type: "keyDown", key: "Backspace", windowsVirtualKeyCode: 8 });
    await until("no mark", () => inside("return root.querySelector('.cm-lint-marker-error') === null"));
    await click(viewer, "[data-do=save]");
    await until("it is saved", async () => (await text(viewer, "#edit-state")) === "saved");
    const saved = await viewer.value(`fetch("api/v1/script?script=" + document.querySelector("[name=script]").value).then((answer) => answer.json()).then(({ text }) => text)`);
    assert.match(saved, /^\/\/ tried here\n/);
    await inside("const content = root.querySelector('.cm-content'); getSelection().collapse(content, 0);");
    assert.deepEqual(await violations(viewer), []);
  },

  async "a trial shows its requests and responses"() {
    await click(viewer, "[data-do=try]");
    const tried = await until("the trial", async () => !(await viewer.value(`document.querySelector("#tried").hidden`)) && text(viewer, "#tried"));
    assert.match(tried, /GET http:.* -> (200 OK|500 )/);
  },

  async "the keyboard alone starts a run, and numbers move"() {
    await viewer.value(`document.querySelector("#start-form [type=submit]").focus()`);
    await viewer.press("Enter");
    await until("a running run", async () => (await state(viewer)) === "running");
    const before = await requests(viewer);
    await until("more requests", async () => (await requests(viewer)) > before);
    const shown = await text(viewer, "[data-part=top]");
    await until("other tiles", async () => (await text(viewer, "[data-part=top]")) !== shown);
    await until("charts", () => viewer.value(`document.querySelectorAll("#timeline figure svg[role=img]").length >= 5`));
    assert.ok(await viewer.value(`document.querySelector("#start").hidden`), "the form is away");
    await until("the log", async () => /first failed request: /.test(await text(viewer, "#log-lines")));
    await until("a line of the script", async () => /\[vu \d+, iteration \d+\] shop: <b>open<\/b>/.test(await text(viewer, "#log-lines")));
    assert.equal(await viewer.value(`document.querySelector("#log-lines b b")`), null, "text is no markup");
    await picture(viewer, "running");
  },

  async "users, pause and resume"() {
    await viewer.value(`(() => { const field = document.querySelector("#load-value"); field.value = 8; field.dispatchEvent(new Event("input")); })()`);
    await click(viewer, "#load [type=submit]");
    await until("8 users", async () => /8 \/ 8 users/.test(await text(viewer, "#users")));
    await click(viewer, "[data-do=pause]");
    await until("a pause", async () => (await state(viewer)) === "paused");
    assert.equal(await text(viewer, "[data-do=pause]"), "Resume");
    await until("a mark in the log", () => viewer.value(`document.querySelectorAll("#log-lines .mark").length >= 2`));
    await viewer.value(`document.querySelector("#log-few").click()`);
    assert.ok(await viewer.value(`document.querySelector("#log-lines .mark").offsetHeight === 0 && document.querySelector("#log-lines .warning").offsetHeight > 0`));
    await viewer.value(`document.querySelector("#log-few").click()`);
    await click(viewer, "[data-do=pause]");
    await until("load again", async () => (await state(viewer)) === "running");
  },

  async "a later viewer sees the whole history, in the dark and at 400 px"() {
    await until("six seconds", async () => (await seconds(viewer)) >= 6);
    const late = await look(400, "dark");
    await until("the history", async () => (await seconds(late)) >= 6);
    const wide = await late.value("document.documentElement.scrollWidth");
    assert.ok(wide <= 400, `${wide} px at 400 px`);
    assert.deepEqual(await violations(late), []);
    const lines = (page) => page.value(`[...document.querySelectorAll("#log-lines span")].map((line) => line.textContent)`);
    const [seen, known] = [await lines(late), await lines(viewer)];
    assert.deepEqual(seen.slice(0, 3), known.slice(0, 3), "the log from its beginning");
    const atEnd = "(() => { const list = document.querySelector('#log-lines'); return list.scrollHeight - list.scrollTop - list.clientHeight < 9; })()";
    assert.ok(await late.value(atEnd), "the newest line is in view");
    await picture(late, "narrow-dark");
    if (pictures) {
      await late.value(`document.querySelector("#log").scrollIntoView({ block: "center", behavior: "instant" })`);
      await picture(late, "log-narrow-dark");
      await viewer.value(`document.querySelector("#log").scrollIntoView({ block: "center", behavior: "instant" })`);
      await picture(viewer, "log");
      await viewer.value("scrollTo(0, 0)");
    }
    assert.deepEqual(late.messages, []);
    await late.send("Page.navigate", { url: "about:blank" });
  },

  async "a broken connection is seen, and comes back"() {
    isCut = true;
    open.forEach((socket) => socket.destroy());
    await until("a lost connection", async () => /lost/.test(await text(viewer, "#connection")));
    isCut = false;
    await until("a connection again", async () => (await text(viewer, "#connection")) === "live");
    assert.ok((await seconds(viewer)) >= 6, "nothing is lost");
  },

  async "what the reader does stays: sorting, a filter, an open detail, a frozen view"() {
    await click(viewer, "#endpoint-table thead th:nth-child(2) button");
    const sorted = () => viewer.value(`document.querySelector("#endpoint-table thead th:nth-child(2)").getAttribute("aria-sort")`);
    assert.equal(await sorted(), "descending");
    await viewer.value(`(() => { const details = document.querySelector("#timeline details"); if (details) details.open = true; })()`);
    const drawn = await seconds(viewer);
    await until("a later picture", async () => (await seconds(viewer)) > drawn);
    assert.equal(await sorted(), "descending");
    assert.ok(await viewer.value(`document.querySelector("#timeline details")?.open ?? true`), "the data of the charts stays open");
    await viewer.value(`[...document.querySelectorAll("#sections button")].find((button) => button.textContent === "Freeze view").click()`);
    const frozen = await seconds(viewer);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(await seconds(viewer), frozen);
    await viewer.value(`document.querySelector("#sections button[aria-pressed=true]").click()`);
    await until("the present", async () => (await seconds(viewer)) > frozen);
  },

  async "stop asks once; then the page is the report, which can be saved"() {
    await click(viewer, "[data-do=stop]");
    assert.match(await text(viewer, "[data-do=stop]"), /sure/);
    assert.equal(await state(viewer), "running");
    await click(viewer, "[data-do=stop]");
    await until("the verdict", async () => /PASSED|FAILED|NO THRESHOLDS/.test(await text(viewer, "#state")));
    await until("the report", () => viewer.value(`!document.querySelector("#report").hidden`));
    const sections = await viewer.value(`[...document.querySelectorAll("[data-part] section")].map((section) => section.id || section.className)`);
    const report = await viewer.value(`(async () => {
      const { run } = await (await fetch("api/v1/status")).json();
      return (await fetch("api/v1/runs/" + run.id + "/report")).text();
    })()`);
    const inReport = [...report.matchAll(/<section (?:id|class)="([^"]*)"/g)].map((match) => match[1]);
    assert.ok(await viewer.value(`document.querySelector("#parts").nextElementSibling.id === "log" && !document.querySelector("#log").hidden`), "the log is below the report");
    assert.deepEqual(sections, inReport.filter((id) => id !== "last-runs"), "the same sections as the report's");
    assert.deepEqual(await violations(viewer), []);
    await picture(viewer, "finished");
  },

  async "past runs are listed, and two of them compared"() {
    await viewer.value(`fetch("api/v1/start", { method: "POST", body: JSON.stringify({ script: document.querySelector("[name=script]").value, host: ${JSON.stringify(target)}, users: 2, run_time: "3s" }) }).then((answer) => answer.json())`);
    await until("the second run", async () => (await state(viewer)) === "running");
    await until("a button for another run", async () => (await state(viewer)) !== "running" && !(await viewer.value(`document.querySelector("#new").hidden`)));
    await click(viewer, "#new");
    await until("the list of runs", async () => (await viewer.value(`document.querySelectorAll("#runs-table tbody tr").length`)) >= 2 && !(await viewer.value(`document.querySelector("#runs").hidden`)));
    await viewer.value(`document.querySelectorAll("#runs-table input").forEach((box) => box.click())`);
    assert.equal(await viewer.value(`document.querySelector("[data-do=compare]").disabled`), false);
    const compared = await viewer.value(`(async () => {
      const ids = [...document.querySelectorAll("#runs-table input:checked")].map((box) => box.value).sort();
      const answer = await fetch("api/v1/runs/" + ids[1] + "/compare/" + ids[0]);
      return [answer.status, await answer.text()];
    })()`);
    assert.equal(compared[0], 200);
    assert.match(compared[1], /Comparison/);
  },

  async "nothing was asked of other servers, and nothing logged but the cut"() {
    const elsewhere = viewer.requests.filter((request) => !request.startsWith(url) && !request.startsWith("data:") && !request.startsWith("blob:"));
    assert.deepEqual(elsewhere, []);
    const unexpected = viewer.messages.filter((message) => !/Failed to load resource|ERR_|422/.test(message));
    assert.deepEqual(unexpected, []);
  },
};

await runChecks(browser, checks);
between.close();
open.forEach((socket) => socket.destroy());
