// How a report looks and behaves in a browser: node report.mjs REPORT.html AXE.js [SCREENSHOTS]
//
// Checks accessibility in both themes, that nothing is requested or logged, the page without JavaScript, narrow
// windows, print, and what the script adds. With a folder as third argument, it saves screenshots there.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Chromium, runChecks } from "./chromium.mjs";

const [report, axe, pictures] = process.argv.slice(2);
const url = pathToFileURL(resolve(report)).href;
const axeSource = readFileSync(axe, "utf8");
const browser = new Chromium();

const open = async (width, theme, prepare = async () => {}) => {
  const page = await browser.open(url, async (page) => {
    await page.width(width, 720);
    await page.theme(theme);
    await prepare(page);
  });
  assert.match(await page.value("document.title"), /rhaid report/, "the page is the report");
  return page;
};
const picture = async (page, name) => {
  if (!pictures) return;
  const { data } = await page.send("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(pictures, `${name}.png`), Buffer.from(data, "base64"));
};
const contents = `({
  sections: [...document.querySelectorAll("main > section")].map((section) => section.id || section.className),
  tables: [...document.querySelectorAll("table")].map((table) => table.id + " " + table.rows.length),
  charts: [...document.querySelectorAll("figure svg[role=img]")].map((svg) => svg.querySelectorAll("path").length > 0),
})`;

const checks = {
  async "the first screen shows the stall, failing route and leak with their times"() {
    const page = await open(1280, "light");
    const seen = await page.value(`[...document.querySelectorAll("h2, .findings li")].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.height > 0 && box.bottom <= innerHeight;
    }).map((element) => element.textContent)`);
    // The target counts from its first request, and a slow machine may be a second late.
    for (const told of [/FAILED/, /^00:1[1-3]-00:1[3-6] stall: .* in flight/, /^00:0\d GET \/quality\/insights failed/, /^00:0\d-00:[34]\d target memory grows steadily/]) {
      assert.ok(seen.some((text) => told.test(text.trim())), `${told} is missing from ${JSON.stringify(seen)}`);
    }
  },

  async "endpoints and errors are on the first two screens"() {
    for (const [width, height] of [[1280, 800], [1920, 1080]]) {
      const page = await open(width, "light");
      const bottom = await page.value(`Math.max(...["endpoint-table", "failure-table"].map((id) => document.getElementById(id).getBoundingClientRect().bottom + scrollY))`);
      assert.ok(bottom <= 2 * height, `${bottom} px at ${width} x ${height}`);
    }
  },

  async "no table or chart is cut off at any width, and letters in charts are as large as those around them"() {
    for (const width of [400, 560, 720, 760, 860, 1000, 1199, 1200, 1280, 1440, 1600, 1920, 2560]) {
      const page = await open(width, "light");
      if ([400, 1280, 1920].includes(width)) await picture(page, `width-${width}`);
      const cut = await page.value(`[...document.querySelectorAll(".scroll, .drawing")].filter((box) => !box.closest("details:not([open])") && box.scrollWidth > box.clientWidth)
        .map((box) => (box.getAttribute("aria-label") ?? box.parentElement.id) + " " + box.scrollWidth + " > " + box.clientWidth)`);
      assert.deepEqual(cut, [], `${width} px`);
      const [body, sizes] = await page.value(`[parseFloat(getComputedStyle(document.body).fontSize), [...document.querySelectorAll("figure:not([hidden]) svg[role=img]")].filter((svg) => !svg.closest("details"))
        .map((svg) => parseFloat(getComputedStyle(svg.querySelector("text")).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)]`);
      assert.ok(sizes.length >= 8 && sizes.every((size) => size >= 9 && size <= body), `${width} px: ${sizes} beside ${body}`);
      const columns = await page.value(`new Set([...document.querySelectorAll("#timeline figure:not([hidden])")].map((figure) => figure.getBoundingClientRect().left)).size`);
      assert.equal(columns, width < 1200 ? 1 : 2, `columns of charts at ${width} px`);
    }
  },

  async "the start is shown in the time zone of the reader"() {
    const page = await open(1280, "light", (page) => page.send("Emulation.setTimezoneOverride", { timezoneId: "Asia/Tokyo" }));
    const [shown, utc] = await page.value(`(() => { const time = document.querySelector("header time"); return [time.textContent, time.title]; })()`);
    assert.match(shown, /GMT\+9|JST/);
    assert.match(utc, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  },

  async "axe finds no violations, nothing is requested, nothing is logged"() {
    for (const theme of ["light", "dark"]) {
      const page = await open(1280, theme);
      await picture(page, theme);
      assert.deepEqual(page.requests, [url], "requests");
      // Include collapsed details.
      await page.value(`document.querySelectorAll("details").forEach((details) => (details.open = true))`);
      assert.deepEqual(page.messages, [], "messages");
      assert.deepEqual(await page.violations(axeSource, 20), [], theme);
    }
  },

  async "without JavaScript all sections, tables and charts are there"() {
    const page = await open(1280, "light", (page) => page.send("Emulation.setScriptExecutionDisabled", { value: true }));
    const without = await page.value(contents);
    assert.ok(without.sections.length >= 8 && without.tables.length >= 4 && without.charts.length >= 8, JSON.stringify(without));
    assert.ok(without.charts.every(Boolean), "a chart is empty");
    const withScript = await (await open(1280, "light")).value(contents);
    assert.deepEqual(without, withScript);
  },

  async "narrow windows do not scroll sideways"() {
    for (const width of [320, 400]) {
      const page = await open(width, "light");
      await picture(page, `narrow-${width}`);
      await page.value(`document.querySelectorAll("details").forEach((details) => (details.open = true))`);
      const wide = await page.value("document.documentElement.scrollWidth");
      assert.ok(wide <= width, `${wide} px at ${width} px`);
    }
  },

  async "in print no figure is cut off, and tables have headers"() {
    const page = await open(1280, "dark");
    const { data } = await page.send("Page.printToPDF", { preferCSSPageSize: true, printBackground: true });
    const pdf = Buffer.from(data, "base64");
    if (pictures) writeFileSync(join(pictures, "report.pdf"), pdf);
    const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    assert.ok(pages >= 3 && pages <= 60, `${pages} pages`);
    // A4 minus its margins of 12 mm, in CSS pixels.
    const [paperWidth, paperHeight] = [186, 273].map((mm) => (mm / 25.4) * 96);
    await page.send("Emulation.setEmulatedMedia", { media: "print" });
    await page.width(Math.floor(paperWidth));
    const boxes = await page.value(`[...document.querySelectorAll("figure:not([hidden])")].map((figure) => {
      const box = figure.querySelector("svg[role=img]").getBoundingClientRect();
      return { id: figure.id, height: figure.getBoundingClientRect().height, right: box.right };
    })`);
    for (const { id, height, right } of boxes) {
      assert.ok(height < paperHeight && right <= paperWidth + 1, `${id}: ${height} px high, to ${right} px`);
    }
    const heads = await page.value(`[...document.querySelectorAll("#endpoint-table thead th")].map((th) => th.innerText.trim())`);
    assert.ok(heads.includes("Requests") && heads.includes("p95"), `headers of the endpoints table: ${heads}`);
    const sizes = await page.value(`[...new Set([...document.querySelectorAll("td")].map((td) => getComputedStyle(td).fontSize))]`);
    assert.equal(sizes.length, 1, `font sizes in tables: ${sizes}`);
  },

  async "sorting, filter, theme, scale and downloads work"() {
    const page = await open(1280, "light");
    const column = `[...document.querySelectorAll("#endpoint-table thead th")].find((th) => th.textContent.startsWith("Requests"))`;
    const counts = `[...document.querySelectorAll("#endpoint-table tbody tr")].map((row) => Number(row.cells[1].dataset.k))`;
    const order = async () => [await page.value(`${column}.getAttribute("aria-sort")`), await page.value(counts)];
    await page.value(`${column}.querySelector("button").click()`);
    const down = await order();
    assert.deepEqual(down, ["descending", [...down[1]].sort((a, b) => b - a)]);
    assert.ok(down[1].length > 1 && down[1][0] !== down[1].at(-1), "the rows differ");
    await page.value(`${column}.querySelector("button").focus()`);
    await page.press("Enter");
    assert.deepEqual(await order(), ["ascending", [...down[1]].reverse()]);

    await page.value(`(() => { const filter = document.getElementById("filter"); filter.value = "HEALTH"; filter.dispatchEvent(new Event("input", { bubbles: true })); })()`);
    const shown = await page.value(`[...document.querySelectorAll("#endpoint-table tbody tr:not([hidden])")].map((row) => row.cells[0].textContent)`);
    assert.ok(shown.length === 1 && shown[0].includes("/health"), JSON.stringify(shown));

    const ground = "getComputedStyle(document.body).backgroundColor";
    const before = await page.value(ground);
    await page.value(`document.getElementById("theme").click()`);
    assert.notEqual(await page.value(ground), before, "the theme changes");

    const hidden = `[document.getElementById("latency").hidden, document.querySelector("figure[data-other]").hidden]`;
    assert.deepEqual(await page.value(hidden), [false, true]);
    await page.value(`document.querySelector("#latency button").click()`);
    assert.deepEqual(await page.value(hidden), [true, false]);

    // What a download button passes to the browser.
    await page.value(`URL.createObjectURL = (blob) => { window.made = blob.text(); return "#"; }`);
    const made = async (kind) => {
      await page.value(`document.querySelector("[data-download=${kind}]").click()`);
      return page.value("window.made");
    };
    assert.equal(JSON.parse(await made("json")).endpoints.rows.length, down[1].length + 1);
    assert.equal((await made("endpoints")).trim().split("\n").length, down[1].length + 2);
    assert.ok((await made("seconds")).startsWith("from_s,users,"));
    assert.deepEqual(page.messages, []);
  },

  async "a part of the run can be selected and shown, and the whole run restored"() {
    const page = await open(1280, "light");
    const drawn = `[...document.querySelectorAll("#latency svg[role=img] path:not(.cursor, .selection)")].map((path) => path.getAttribute("d"))`;
    const times = `[...document.querySelectorAll("#latency svg[role=img] text.m")]
      .filter((text) => text.getAttribute("visibility") !== "hidden" && /^\\d\\d:\\d\\d$/.test(text.textContent)).map((text) => text.textContent)`;
    const shown = `document.querySelector("#part output").textContent`;
    const before = await page.value(drawn);
    const allTimes = await page.value(times);
    const parts = await page.value(`[...document.querySelectorAll("#part option")].map((option) => option.textContent)`);
    assert.ok(parts[0] === "whole run" && parts.includes("steady") && parts.includes("around 1"), JSON.stringify(parts));

    const choose = (name) => page.value(`(() => {
      const select = document.querySelector("#part select");
      select.value = [...select.options].find((option) => option.textContent === "${name}").value;
      select.dispatchEvent(new Event("change"));
    })()`);
    await choose("around 1");
    const [from, to] = (await page.value(shown)).split(" to ");
    const part = await page.value(times);
    assert.ok(part.length > 1 && part.every((time) => time >= from && time <= to), `${part} in ${from} to ${to}`);
    assert.notDeepEqual(await page.value(drawn), before);
    await page.press("Escape");
    assert.deepEqual(await page.value(drawn), before);
    assert.deepEqual([await page.value(times), await page.value(shown)], [allTimes, ""]);

    // Drag over the middle third of the plot: every time chart shows the selection.
    await page.value(`document.getElementById("timeline").scrollIntoView({ behavior: "instant" })`);
    const box = await page.value(`(() => { const box = document.querySelector("#load svg[role=img]").getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })()`);
    const at = (share) => box[0] + (box[2] * (112 + share * 808)) / 1040;
    const mouse = (type, share) => page.send("Input.dispatchMouseEvent", { type, x: at(share), y: box[1] + box[3] / 2, button: "left", buttons: 1, clickCount: 1 });
    await mouse("mousePressed", 1 / 3);
    await mouse("mouseMoved", 0.5);
    await mouse("mouseReleased", 2 / 3);
    const seconds = (text) => text.split(" to ").map((time) => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0));
    const length = await page.value(`JSON.parse(document.getElementById("figures").textContent).elapsed_s`);
    const chosen = seconds(await page.value(shown));
    assert.ok(Math.abs(chosen[0] - length / 3) <= 2 && Math.abs(chosen[1] - (length * 2) / 3) <= 2, `${chosen} of ${length}`);
    assert.notDeepEqual(await page.value(drawn), before);
    await picture(page, "part");
    await page.value(`document.querySelector("#part button").click()`);
    assert.deepEqual(await page.value(drawn), before);
    assert.deepEqual(page.messages, []);
  },
};

await runChecks(browser, checks);
