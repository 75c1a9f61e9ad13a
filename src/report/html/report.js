"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  // A comparison and a trend are pages without figures of one run.
  const figures = JSON.parse($("figures")?.textContent ?? "null");

  // Theme: follows the system until the reader chooses.
  const root = document.documentElement;
  const theme = $("theme");
  const stored = () => { try { return localStorage.getItem("rhaid-theme"); } catch { return null; } };
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  if (stored()) root.dataset.theme = stored();
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("rhaid-theme", root.dataset.theme); } catch { /* a file may have no storage */ }
    name();
  });

  // Sorting: headers become buttons; the total stays at its place.
  for (const table of all("#endpoint-table, #failure-table, #check-table")) {
    const body = table.tBodies[0];
    all("thead th", table).forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") !== "descending";
        all("thead th", table).forEach((other) => {
          other.removeAttribute("aria-sort");
          other.firstChild.textContent = other.firstChild.textContent.replace(/ [▲▼]$/, "");
        });
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        button.textContent += down ? " ▼" : " ▲";
        const key = (row) => {
          const cell = row.cells[column];
          const number = parseFloat(cell.dataset.k ?? cell.textContent.replace(/,/g, ""));
          return Number.isNaN(number) ? cell.textContent : number;
        };
        const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1);
        const rows = [...body.rows].map((row) => [key(row), row]);
        rows.sort((a, b) => order(a[0], b[0]) * (down ? -1 : 1));
        body.append(...rows.map((row) => row[1]));
      });
    });
  }

  // Filter of endpoints.
  const filter = $("filter");
  if (filter) {
    filter.closest("p").hidden = false;
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase();
      for (const row of $("endpoint-table").tBodies[0].rows) {
        row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      }
    });
  }

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
  for (const button of all("[data-download]")) {
    button.closest("p").hidden = false;
    button.addEventListener("click", () => {
      const [text, type, suffix] = makers[button.dataset.download]();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type }));
      link.download = figures.name + "." + suffix;
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  addEventListener("beforeprint", () => all("details").forEach((details) => {
    if (!details.open) { details.dataset.closed = ""; details.open = true; }
  }));
  addEventListener("afterprint", () => all("details[data-closed]").forEach((details) => {
    delete details.dataset.closed;
    details.open = false;
  }));
})();
