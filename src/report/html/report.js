"use strict";
// What a page does with its tables, its theme and its figures. Everything is found anew at each event, because the parts of a
// live page are replaced while somebody reads them.
const page = (() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const on = (target, kind, act) => target.addEventListener(kind, act);
  const make = (tag, parent, attributes = {}, text = "") => {
    const isDrawn = parent instanceof SVGElement;
    const element = isDrawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    parent.append(element);
    return element;
  };
  const root = document.documentElement;

  // What the reader chose; parts that arrive later are made to fit it.
  const chosen = { sorted: new Map(), filter: "", order: new Map() };
  // A comparison and a trend are pages without figures of one run.
  let figures = JSON.parse($("figures")?.textContent ?? "null");

  // What this browser remembers; with a value, from now on.
  const kept = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem("rhaid-" + name);
      localStorage.setItem("rhaid-" + name, value);
    } catch {}
  };

  // Theme: follows the system until the reader chooses.
  const stored = kept("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = $("theme");
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  if (stored) root.dataset.theme = stored;
  theme.hidden = false;
  name();
  on(theme, "click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept("theme", root.dataset.theme);
    name();
  });

  const SORTABLE = "#endpoint-table, #failure-table, #check-table, #runs-table";
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    const number = parseFloat(cell.dataset.k ?? cell.textContent.replace(/,/g, ""));
    return Number.isNaN(number) ? cell.textContent : number;
  };
  const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1);
  const nameOf = (row) => row.cells[0].textContent;

  // Headers become buttons, rows stand as chosen; the total stays at its place.
  const sort = (table) => {
    const { column, down } = chosen.sorted.get(table.id) ?? {};
    all("thead th", table).forEach((header, index) => {
      let button = one("button", header);
      if (!button) {
        const name = header.textContent;
        header.textContent = "";
        button = make("button", header, { type: "button" }, name);
      }
      button.textContent = button.textContent.replace(/ [▲▼]$/, "");
      header.removeAttribute("aria-sort");
      if (index !== column) return;
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      button.textContent += down ? " ▼" : " ▲";
    });
    const body = table.tBodies[0];
    const held = chosen.order.get(table.id);
    if (held) {
      // Somebody points at a row: it stays where it is.
      const place = (row) => { const at = held.indexOf(nameOf(row)); return at < 0 ? held.length : at; };
      body.append(...[...body.rows].sort((a, b) => place(a) - place(b)));
    } else if (column !== undefined) {
      const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
      rows.sort((a, b) => compare(a[0], b[0]) * (down ? -1 : 1));
      body.append(...rows.map((row) => row[1]));
    }
  };
  const filter = (table) => {
    for (const row of table?.tBodies[0].rows ?? []) {
      row.hidden = !nameOf(row).toLowerCase().includes(chosen.filter);
    }
  };
  // Makes a part of a page usable: its tables sort, its filter and its downloads are there.
  const prepare = (part) => {
    all(SORTABLE, part).forEach(sort);
    all(".downloads", part).forEach((line) => { line.hidden = false; });
    const endpoints = one("#endpoint-table", part);
    // A few are seen at once.
    all(".filter", part).forEach((line) => { line.hidden = (endpoints?.tBodies[0].rows.length ?? 0) < 10; });
    filter(endpoints);
    // The start in the reader's time, with its zone.
    for (const time of all("time", part)) {
      time.title = time.textContent;
      time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    }
  };
  on(document, "click", (event) => {
    const header = event.target.closest("thead th");
    const table = header?.closest(SORTABLE);
    if (!table || !event.target.closest("button")) return;
    chosen.sorted.set(table.id, { column: header.cellIndex, down: header.getAttribute("aria-sort") !== "descending" });
    chosen.order.delete(table.id);
    sort(table);
  });
  on(document, "input", (event) => {
    if (event.target.id !== "filter") return;
    chosen.filter = event.target.value.toLowerCase();
    filter($("endpoint-table"));
  });

  // Downloads, made here from the figures in the page.
  const csv = (part) => {
    const cell = (value) => (value === null ? "" : /[",\n]/.test(String(value)) ? '"' + String(value).replace(/"/g, '""') + '"' : value);
    return [part.columns, ...part.rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  };
  const makers = {
    json: () => [JSON.stringify(figures, null, 1), "application/json", "json"],
    endpoints: () => [csv(figures.endpoints), "text/csv", "endpoints.csv"],
    seconds: () => [csv(figures.seconds), "text/csv", "seconds.csv"],
  };
  const save = (text, type, file) => {
    const href = URL.createObjectURL(new Blob([text], { type }));
    const link = make("a", root, { href, download: file });
    link.click();
    link.remove();
    URL.revokeObjectURL(href);
  };
  on(document, "click", (event) => {
    const kind = event.target.dataset?.download;
    if (!kind || !figures) return;
    const [text, type, suffix] = makers[kind]();
    save(text, type, figures.name + "." + suffix);
  });

  on(window, "beforeprint", () => all("details").forEach((details) => {
    if (!details.open) { details.dataset.closed = ""; details.open = true; }
  }));
  on(window, "afterprint", () => all("details[data-closed]").forEach((details) => {
    delete details.dataset.closed;
    details.open = false;
  }));
  prepare(document);
  return { $, all, one, on, make, kept, chosen, nameOf, prepare, get figures() { return figures; }, set figures(value) { figures = value; } };
})();
