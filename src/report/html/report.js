"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const figures = JSON.parse($("figures").textContent);

  // Theme: the system's until somebody chooses.
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

  // The other scale of the latency chart.
  const other = document.querySelector("figure[data-other]");
  const latency = $("latency");
  if (other && latency) {
    for (const figure of [latency, other]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = figure.querySelector("figcaption").textContent.includes("log scale") ? "Linear scale" : "Log scale";
      button.addEventListener("click", () => {
        latency.hidden = !latency.hidden;
        other.hidden = !other.hidden;
        (latency.hidden ? other : latency).querySelector("button").focus();
      });
      figure.querySelector("figcaption").append(button);
    }
  }

  // One cursor in all charts of the run's time, and the values under it.
  const rows = figures.seconds.rows;
  const charts = all("figure[data-left]");
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const lines = charts.map((figure) => {
    const svg = figure.querySelector("svg[role=img]");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const height = svg.viewBox.baseVal.height;
    line.setAttribute("class", "cursor");
    line.setAttribute("y1", 34);
    line.setAttribute("y2", height - 44);
    line.setAttribute("visibility", "hidden");
    svg.append(line);
    return line;
  });
  const clock = (s) => {
    const pad = (n) => String(Math.floor(n)).padStart(2, "0");
    return (s >= 3600 ? Math.floor(s / 3600) + ":" : "") + pad((s / 60) % 60) + ":" + pad(s % 60);
  };
  const time = (ms) => (ms === null ? "-" : ms >= 1000 ? (ms / 1000).toPrecision(3) + "s" : Number(ms.toPrecision(3)) + "ms");
  const rate = (value) => (value === null ? "-" : Number(value.toPrecision(4)));
  const start = Date.parse(figures.started_at);
  const hide = () => {
    tip.hidden = true;
    lines.forEach((line) => line.setAttribute("visibility", "hidden"));
  };
  charts.forEach((figure) => {
    const svg = figure.querySelector("svg[role=img]");
    const { left, right, width } = figure.dataset;
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const share = (x - left) / (right - left);
      if (share < 0 || share > 1 || !rows.length) return hide();
      const at = share * figures.elapsed_s;
      let index = rows.findIndex((row) => row[0] > at);
      const row = rows[(index < 0 ? rows.length : index) - 1] || rows[0];
      lines.forEach((line) => {
        line.setAttribute("x1", x);
        line.setAttribute("x2", x);
        line.setAttribute("visibility", "visible");
      });
      tip.textContent = clock(row[0]) + "  (" + new Date(start + row[0] * 1000).toLocaleTimeString() + ")\n"
        + "users " + (row[1] ?? "-") + ", in flight " + (row[8] ?? "-") + "\n"
        + rate(row[2]) + " ok/s, " + rate(row[3]) + " failed/s\n"
        + "p50 " + time(row[4]) + "  p95 " + time(row[5]) + "  p99 " + time(row[6]) + "\nlongest " + time(row[7]);
      tip.hidden = false;
      const room = tip.getBoundingClientRect();
      tip.style.setProperty("left", Math.max(4, Math.min(event.clientX + 14, innerWidth - room.width - 8)) + "px");
      tip.style.setProperty("top", Math.max(4, event.clientY - room.height - 10) + "px");
    });
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
