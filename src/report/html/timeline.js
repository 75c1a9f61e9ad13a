"use strict";
// The charts over the run's time: the other scale, one cursor and one part of the time for all of them.
const timeline = (() => {
  const { $, all, one, on, make } = page;
  const clock = (s) => {
    const pad = (n) => String(Math.floor(n)).padStart(2, "0");
    return (s >= 3600 ? Math.floor(s / 3600) + ":" : "") + pad((s / 60) % 60) + ":" + pad(s % 60);
  };
  let figures, rows, length, charts, view;
  // What the reader wants to see of the run's time: all of it, its last seconds, or from one second to another.
  let wanted = { name: "whole run" };
  let isOtherScale = false;

  // Where on a chart a pointer is, as a share of its plot.
  const share = (chart, event) => {
    const box = chart.svg.getBoundingClientRect();
    return (((event.clientX - box.left) / box.width) * chart.width - chart.left) / (chart.right - chart.left);
  };
  const clamp = (share) => Math.min(1, Math.max(0, share));
  const mark = (kind, from, to) => charts.forEach(({ left, right, bottom, marks }) => {
    const x = (value) => left + value * (right - left);
    marks[kind].setAttribute("d", from === undefined ? "" : `M${x(from)} 34H${x(to)}V${bottom}H${x(from)}z`);
  });

  // Only what lies in the view is drawn anew: places along the time move, those across it stay.
  const moved = (path, place, scale) => {
    let command = "", isX = true;
    return path.replace(/[a-zA-Z]|-?[\d.]+/g, (word) => {
      if (/[a-zA-Z]/.test(word)) {
        command = word;
        isX = !/[vV]/.test(word);
        return word;
      }
      const value = Number(word);
      const number = !isX ? value : command === command.toUpperCase() ? place(value) : value * scale;
      if (!/[hHvV]/.test(command)) isX = !isX;
      return (Math.round(number * 10) / 10 + " ").replace(/^(?!-)/, " ");
    });
  };
  const prepare = (chart) => {
    const { svg, index, left, right, bottom } = chart;
    const clip = make("clipPath", make("defs", svg), { id: "part-" + index });
    make("rect", clip, { x: left, y: 0, width: right - left, height: bottom });
    chart.ticks = make("g", svg);
    chart.paths = all("path", svg).filter((path) => !chart.marks.includes(path)).map((path) => [path, path.getAttribute("d")]);
    // Those of the y axis stay; names at the ends of lines stand at the last values of the whole run.
    chart.texts = all("text", svg).map((text) => [text, Number(text.getAttribute("x")), Number(text.getAttribute("y"))])
      .filter(([text, x]) => text.classList.contains("m") || x > right);
  };
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  const drawChart = (chart, isWhole) => {
    if (!chart.ticks && !isWhole) prepare(chart);
    if (!chart.ticks) return;
    const { left, right, bottom } = chart;
    const scale = length / (view[1] - view[0]);
    const place = (x) => left + (x - left - (view[0] / length) * (right - left)) * scale;
    chart.paths.forEach(([path, d]) => {
      // The grid stays, but for the marks at the times of the whole run.
      const isGrid = path.classList.contains("grid");
      path.setAttribute("clip-path", isWhole || isGrid ? "none" : `url(#part-${chart.index})`);
      path.setAttribute("d", isWhole ? d : isGrid ? d.replace(/M[\d.]+ [\d.]+l0 9/g, "") : moved(d, place, scale));
    });
    chart.texts.forEach(([text, x, y]) => {
      const isOut = !isWhole && (y > bottom || place(x) < left || place(x) > right);
      text.setAttribute("x", isWhole ? x : place(x));
      text.setAttribute("visibility", isOut ? "hidden" : "visible");
    });
    chart.ticks.replaceChildren();
    if (isWhole) return;
    const step = STEPS.find((step) => (view[1] - view[0]) / step <= 10) ?? 86400;
    for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
      const x = left + ((at - view[0]) / (view[1] - view[0])) * (right - left);
      make("text", chart.ticks, { class: "t m", x, y: bottom + 38 }, clock(at));
    }
  };
  // Shows what is wanted, as far as there is such a time.
  const show = () => {
    const [from, to] = wanted.last ? [length - wanted.last, length] : [wanted.from ?? 0, wanted.to ?? length];
    const [low, high] = [Math.max(0, from), Math.min(length, to)];
    // Less than a second has nothing to show but a point.
    view = high - low < Math.min(1, length) ? view ?? [0, length] : [low, high];
    const isWhole = view[0] <= 0 && view[1] >= length;
    charts.forEach((chart) => drawChart(chart, isWhole));
    const control = $("part");
    const button = control && one("button", control);
    if (!button) return;
    button.hidden = isWhole;
    one("output", control).textContent = isWhole ? "" : clock(view[0]) + " to " + clock(view[1]);
  };
  const choices = () => [
    { name: "whole run" },
    ...("live" in document.documentElement.dataset ? [{ name: "last minute", last: 60 }, { name: "last 5 minutes", last: 300 }] : []),
    ...figures.parts.map(([name, from, to]) => ({ name, from, to })),
  ];
  const fill = (control) => {
    if (!control || !charts.length || !(length > 0)) return;
    control.replaceChildren();
    const choice = make("select", make("label", control, {}, "Time range "));
    for (const one of choices()) make("option", choice, {}, one.name).value = JSON.stringify(one);
    choice.selectedIndex = choices().findIndex((one) => one.name === wanted.name);
    const whole = make("button", control, { type: "button" }, "Whole run");
    make("output", control);
    make("span", control, { class: "note" }, "or drag across a chart");
    on(choice, "change", () => {
      wanted = JSON.parse(choice.value);
      show();
    });
    on(whole, "click", () => {
      reset();
      one("select", $("part")).focus();
    });
    control.hidden = false;
  };
  const reset = () => {
    wanted = { name: "whole run" };
    const choice = $("part")?.querySelector("select");
    if (choice) choice.selectedIndex = 0;
    show();
  };
  const scales = () => {
    const other = one("figure[data-other]");
    const latency = $("latency");
    if (!other || !latency) return;
    const pick = () => {
      latency.hidden = isOtherScale;
      other.hidden = !isOtherScale;
    };
    for (const figure of [latency, other]) {
      const caption = one("figcaption", figure);
      const word = caption.textContent.includes("log scale") ? "Linear scale" : "Log scale";
      on(make("button", caption, { type: "button" }, word), "click", () => {
        isOtherScale = !isOtherScale;
        pick();
        one("button", isOtherScale ? other : latency).focus();
      });
    }
    pick();
  };

  const tip = make("div", document.body, { id: "tip", "aria-hidden": "true" });
  tip.hidden = true;
  const time = (ms) => (ms === null ? "-" : ms >= 1000 ? (ms / 1000).toPrecision(3) + "s" : Number(ms.toPrecision(3)) + "ms");
  const rate = (value) => (value === null ? "-" : Number(value.toPrecision(4)));
  const at = (share) => view[0] + share * (view[1] - view[0]);
  const hide = () => {
    tip.hidden = true;
    mark(1);
  };
  // Where drawing began.
  let begun = null;
  const listen = (chart) => {
    const { svg } = chart;
    on(svg, "pointerleave", hide);
    on(svg, "pointerdown", (event) => {
      // Fingers scroll.
      if (event.pointerType === "touch" || event.button !== 0 || !$("part")) return;
      begun = clamp(share(chart, event));
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    on(svg, "pointerup", (event) => {
      const end = clamp(share(chart, event));
      mark(0);
      if (begun !== null && Math.abs(end - begun) > 0.01) {
        wanted = { from: at(Math.min(begun, end)), to: at(Math.max(begun, end)) };
        show();
        one("select", $("part")).selectedIndex = -1;
      }
      begun = null;
    });
    on(svg, "pointercancel", () => {
      begun = null;
      mark(0);
    });
    on(svg, "pointermove", (event) => {
      const here = share(chart, event);
      if (begun !== null) mark(0, begun, clamp(here));
      if (here < 0 || here > 1 || !rows.length) return hide();
      const index = rows.findIndex((row) => row[0] > at(here));
      const row = rows[(index < 0 ? rows.length : index) - 1] || rows[0];
      mark(1, here, here);
      const when = new Date(Date.parse(figures.started_at) + row[0] * 1000).toLocaleTimeString();
      const [p50, p95, p99, max] = row.slice(4, 8).map(time);
      tip.textContent = `${clock(row[0])}  (${when})\nusers ${row[1] ?? "-"}, in flight ${row[8] ?? "-"}\n`
        + `${rate(row[2])} ok/s, ${rate(row[3])} failed/s\np50 ${p50}  p95 ${p95}  p99 ${p99}\nmax ${max}`;
      tip.hidden = false;
      const room = tip.getBoundingClientRect();
      tip.style.setProperty("left", Math.max(4, Math.min(event.clientX + 14, innerWidth - room.width - 8)) + "px");
      tip.style.setProperty("top", Math.max(4, event.clientY - room.height - 10) + "px");
    });
  };

  // Takes the charts that are on the page now.
  const take = () => {
    figures = page.figures;
    if (!figures) return;
    rows = figures.seconds.rows;
    length = figures.elapsed_s;
    charts = all("figure[data-left]").map((figure, index) => {
      const svg = one("svg[role=img]", figure);
      const { left, right, width } = figure.dataset;
      const bottom = svg.viewBox.baseVal.height - 46;
      const marks = ["selection", "cursor"].map((name) => make("path", svg, { class: name }));
      return { svg, index, left: Number(left), right: Number(right), width: Number(width), bottom, marks };
    });
    charts.forEach(listen);
    scales();
    fill($("part"));
    show();
  };
  on(window, "keydown", (event) => { if (event.key === "Escape" && charts) reset(); });
  take();
  return { take, clock, time, rate, get isBusy() { return begun !== null || Boolean(document.activeElement?.closest("#part")); } };
})();
