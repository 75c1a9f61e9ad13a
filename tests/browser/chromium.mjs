// Drives Chromium over its debugging pipe: no port, no library.
//
// Owns the process and its messages. The checks are in report.mjs.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PATIENCE_MS = 60_000;

function executable() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const all = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = all.find((file) => existsSync(file));
  if (!found) throw new Error(`no browser on the PATH: expected one of ${NAMES.join(", ")}`);
  return found;
}

export class Chromium {
  constructor() {
    this.profile = mkdtempSync(join(tmpdir(), "rhaid-browser-"));
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`, "about:blank"];
    // The browser reads commands from descriptor 3 and writes responses to 4, each terminated by a zero byte.
    this.process = spawn(executable(), flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.waiting = new Map();
    this.listeners = [];
    this.last = 0;
    let rest = [];
    this.process.stdio[4].on("data", (bytes) => {
      let from = 0;
      for (let end; (end = bytes.indexOf(0, from)) >= 0; from = end + 1) {
        this.receive(JSON.parse(Buffer.concat([...rest, bytes.subarray(from, end)]).toString()));
        rest = [];
      }
      rest.push(bytes.subarray(from));
    });
    const gone = (why) => {
      this.waiting.forEach(({ reject }) => reject(new Error(`the browser exited: ${why}`)));
      this.waiting.clear();
    };
    this.process.on("error", gone);
    this.process.on("exit", gone);
  }

  receive(message) {
    const waiting = this.waiting.get(message.id);
    if (!waiting) return this.listeners.forEach((listener) => listener(message));
    this.waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
    else waiting.resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${method}: no response within ${PATIENCE_MS / 1000} s`));
      this.waiting.set(id, { resolve, reject, method, timer: setTimeout(late, PATIENCE_MS) });
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /// A page of its own; `prepare` sets it up before it loads.
  async open(url, prepare = async () => {}) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network", "Performance"]) await page.send(`${domain}.enable`);
    await prepare(page);
    const loaded = page.event("Page.loadEventFired");
    await page.send("Page.navigate", { url });
    await loaded;
    return page;
  }

  async close() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill();
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  constructor(browser, session) {
    Object.assign(this, { browser, session, requests: [], messages: [] });
    browser.listeners.push(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
      if (method === "Runtime.consoleAPICalled") this.messages.push(JSON.stringify(params.args));
      if (method === "Runtime.exceptionThrown") this.messages.push(JSON.stringify(params.exceptionDetails));
      if (method === "Log.entryAdded") this.messages.push(params.entry.text);
    });
  }

  send(method, params = {}) {
    return this.browser.send(method, params, this.session);
  }

  event(name) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} did not arrive`)), PATIENCE_MS);
      this.browser.listeners.push(({ method, sessionId }) => {
        if (method !== name || sessionId !== this.session) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /// The value of an expression in the page; promises are awaited.
  async value(expression) {
    const answer = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  }

  async width(width, height = 900) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  theme(value) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  async press(key) {
    const text = key === "Enter" ? "\r" : undefined;
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, text, windowsVirtualKeyCode: 13 });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, windowsVirtualKeyCode: 13 });
  }

  /// What axe has against the page as it is.
  async violations(axeSource, fewest) {
    await this.value(`${axeSource};0`);
    const found = await this.value(`axe.run(document, { resultTypes: ["violations"] }).then((result) =>
      ({ passes: result.passes.length, violations: result.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")) }))`);
    if (found.passes < fewest) throw new Error(`only ${found.passes} rules were applied`);
    return found.violations;
  }
}

/// Runs checks one after the other and says which hold; the process' exit status is 1 if one does not.
export async function runChecks(browser, checks) {
  let failed = 0;
  try {
    for (const [name, check] of Object.entries(checks)) {
      try {
        await check();
        console.log(`ok      ${name}`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED  ${name}\n${error.message}`);
      }
    }
  } finally {
    await browser.close();
  }
  process.exitCode = failed > 0 ? 1 : 0;
}
