// The page of a run that goes on: takes its parts as they come, and steers it.
(() => {
  const { $, all, one, on, make, chosen } = page;
  const { clock } = timeline;
  const startsRuns = "starts" in document.documentElement.dataset;
  const SIGNS = { waiting: "○", recruiting: "○", starting: "◌", running: "▶", paused: "❚❚", stopping: "◼", finished: "✓" };
  let status = { state: "connecting" };
  let isFrozen = false;
  let lastHeard = 0;
  let isOver = false;
  const load = $("load-value");
  // Somebody types another load; the next click on Stop stops.
  let isChanged = false, isSure = false;
  // Parts that came while they could not be shown.
  const held = new Map();

  // Makes one element like another, touching only what differs: focus, selection and scrolling stay.
  const morph = (from, to) => {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
      from.replaceWith(to);
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.isEqualNode(to)) return;
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    const [old, fresh] = [[...from.childNodes], [...to.childNodes]];
    fresh.forEach((node, index) => (index < old.length ? morph(old[index], node) : from.append(node)));
    old.slice(fresh.length).forEach((node) => node.remove());
  };
  const nameOfDetails = (details) => details.id || one("summary", details)?.textContent;
  const swap = (place, html) => {
    const fresh = place.cloneNode(false);
    fresh.innerHTML = html;
    page.prepare(fresh);
    const open = new Set(all("details[open]", place).map(nameOfDetails));
    all("details", fresh).filter((details) => open.has(nameOfDetails(details))).forEach((details) => { details.open = true; });
    // Charts get cursors and marks of their own, so they are taken as a whole.
    if (one("figure[data-left]", place) || one("figure[data-left]", fresh)) {
      place.replaceChildren(...fresh.childNodes);
    } else {
      morph(place, fresh);
    }
  };
  // Parts come in their order the first time.
  const placeOf = (name) => make("div", $("parts"), { "data-part": name });
  const showParts = () => {
    if (isFrozen || timeline.isBusy) return;
    let hasCharts = false;
    for (const [name, html] of held) {
      if (name === "figures") {
        page.figures = JSON.parse(html);
        continue;
      }
      const place = one(`[data-part="${name}"]`) ?? placeOf(name);
      swap(place, html);
      hasCharts ||= one("figure[data-left]", place) !== null;
    }
    if (hasCharts) timeline.take();
    if (held.size) links();
    held.clear();
  };
  const links = () => {
    const sections = all("main section[id]:not([hidden]) > h2").map((title) => [title.parentNode.id, title.textContent]);
    const nav = $("sections");
    nav.hidden = !sections.length;
    const shown = all("a", nav).map((link) => link.hash.slice(1));
    if (sections.map(([id]) => id).join() === shown.join()) return;
    all("a", nav).forEach((link) => link.remove());
    nav.prepend(...sections.map(([id, title]) => make("a", nav, { href: "#" + id }, title)));
  };

  // A row that somebody points at or has the focus in stays at its place.
  const hold = (event) => {
    const body = event.target.closest?.("#endpoint-table tbody");
    if (body && !chosen.order.has("endpoint-table")) chosen.order.set("endpoint-table", [...body.rows].map(page.nameOf));
    if (!body) chosen.order.delete("endpoint-table");
  };
  on(document, "pointerover", hold);
  on(document, "focusin", hold);

  page.tell = (id, problem) => {
    $(id).textContent = problem;
    $(id).hidden = !problem;
  };
  const tell = (problem) => page.tell("closed", problem);
  const text = (id, value) => { if ($(id).textContent !== value) $(id).textContent = value; };

  const showStatus = (now) => {
    const before = status;
    status = now;
    const { run, state, recruiting } = now;
    if (run?.id !== before.run?.id) {
      one("[data-part=top]").replaceChildren();
      $("parts").replaceChildren();
      $("log-lines").replaceChildren();
      $("log").hidden = true;
      logged = 0;
      tell("");
      $("report").hidden = true;
    }
    const isOn = !["waiting", "finished"].includes(state);
    const verdict = now.verdict?.words;
    text("name", run?.name ?? recruiting?.name ?? "rhaid");
    const awaited = recruiting && `waiting for agents, ${recruiting.agents.length} of ${recruiting.wanted}`;
    if (now.problem !== before.problem) tell(now.problem ? "The run did not begin: " + now.problem : "");
    text("about", recruiting ? [...recruiting.agents, ...recruiting.refused].join(", ") : run ? [run.script, run.host].filter(Boolean).join(" → ") : "");
    const sign = now.verdict && !now.verdict.passed ? "✗" : SIGNS[state] ?? "";
    text("state", `${sign} ${verdict ?? awaited ?? (now.stage && isOn ? `${state}: ${now.stage}` : state)}`);
    $("state").className = "state " + (now.verdict ? (now.verdict.passed ? "good" : "bad") : state);
    const planned = now.planned_s;
    text("clock", run ? clock(now.elapsed_s) + (planned ? " / " + clock(planned) : "") : "");
    $("progress").hidden = (now.progress ?? null) === null || !isOn;
    $("progress").value = now.progress ?? 0;
    text("users", run ? `${now.users} / ${now.users_target} users` : "");
    $("steer").hidden = !isOn;
    if ($("empty")) $("empty").hidden = !!run;
    const byRate = now.load === "rate";
    text("load-name", byRate ? "Rate/s" : "Users");
    if (document.activeElement !== load && !isChanged) {
      load.value = byRate ? Math.round(now.recent?.iterations_rate ?? 0) || "" : now.users_target ?? "";
    }
    for (const part of [load.form, one("[data-do=pause]"), one("[data-do=reload]")]) part.hidden = !!recruiting;
    // Several loads, each of which is changed by its name, or none.
    if (!now.load) load.form.hidden = true;
    one("[data-do=pause]").textContent = state === "paused" ? "Resume" : "Pause";
    one("[data-do=next]").hidden = !now.has_stages;
    one("[data-do=stop]").textContent = state === "stopping" ? "Stop at once" : isSure ? "Stop: sure?" : "Stop";
    document.title = run ? `${sign} ${run.name} · ${verdict ?? state}` : "rhaid";
    // Below the figures of now while the run goes on, below its report then.
    if (state !== before.state) $(isOn ? "sections" : "parts").after($("log"));
    if (state !== before.state || verdict !== before.verdict?.words) text("said", verdict ? `${verdict}: ${now.verdict.reason ?? ""}` : `The run is ${awaited ?? state}.`);
    dispatchEvent(new CustomEvent("status", { detail: now }));
  };

  // New lines of the log are asked for when there are some, so that a late viewer has the earlier ones too.
  let logged = 0;
  const takeLog = async () => {
    const { run, log_next: next } = status;
    if (isFrozen || !run || next === logged) return;
    const [isGood, answer] = await page.call("GET", "log?since=" + logged);
    if (!isGood || run.id !== status.run?.id) return;
    const list = $("log-lines");
    $("log").hidden = false;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 9;
    for (const { at_s: at, level, text, count } of answer.lines) {
      // The last one, said again.
      if (list.lastChild?.className === level && list.lastChild.lastChild.textContent === text) list.lastChild.remove();
      const line = make("li", list, { class: level });
      make("b", line, {}, clock(at) + (count > 1 ? " ×" + count : ""));
      make("span", line, {}, text);
    }
    while (list.childElementCount > 1000) list.firstChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
    logged = answer.next;
    links();
  };
  let logging = Promise.resolve();

  // The report, kept here: the process may end before somebody saves it.
  const takeReport = async (id) => {
    const answer = await fetch(`api/v1/runs/${encodeURIComponent(id)}/report`);
    if (!answer.ok) return;
    Object.assign($("report"), { hidden: false, href: URL.createObjectURL(await answer.blob()), download: id + ".html" });
  };

  // Calls the API; gives whether it did what was asked, and its answer.
  page.call = async (method, path, body) => {
    const answer = await fetch("api/v1/" + path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
    return [answer.ok, await answer.json()];
  };
  const post = async (path, body = {}) => {
    try {
      const [isGood, answer] = await page.call("POST", path, body);
      tell(isGood ? "" : answer.error);
      return isGood;
    } catch {
      tell("rhaid does not answer.");
    }
  };

  on(load, "input", () => { isChanged = true; });
  on($("load"), "submit", async (event) => {
    event.preventDefault();
    const value = Number(load.value);
    if (await post("control", { [status.load]: value })) isChanged = false;
  });
  on($("load"), "click", (event) => {
    const step = Number(event.target.dataset?.step);
    if (!step) return;
    const now = Number(load.value);
    load.value = Math.max(0, now + step * Math.max(1, Math.round(now / 10)));
    $("load").requestSubmit();
  });
  on($("steer"), "click", async (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const what = button.dataset.do;
    const order = { pause: { pause: status.state !== "paused" }, next: { next_stage: true }, reload: { reload: true } }[what];
    if (order) await post("control", order);
    if (what === "stop") {
      // Asked once.
      const goes = isSure || status.state === "stopping";
      isSure = !goes;
      showStatus(status);
      if (goes) await post("stop");
      else setTimeout(() => { isSure = false; }, 4000);
    }
  });

  const freeze = make("button", $("sections"), { type: "button" }, "Freeze view");
  on(freeze, "click", () => {
    isFrozen = !isFrozen;
    freeze.textContent = isFrozen ? "Follow the run" : "Freeze view";
    freeze.setAttribute("aria-pressed", isFrozen);
    showParts();
  });

  const events = new EventSource("api/v1/events?parts=html");
  on(events, "state", async (event) => {
    lastHeard = Date.now();
    const { status: now, parts, is_last: isLast } = JSON.parse(event.data);
    showStatus(now);
    for (const [name, html] of Object.entries(parts)) held.set(name, html);
    if (isLast) isFrozen = false;
    showParts();
    logging = logging.then(takeLog).catch(() => {});
    if (!isLast) return;
    await logging;
    await takeReport(now.run.id);
    if (startsRuns) return;
    isOver = true;
    events.close();
  });
  setInterval(() => {
    const silent = Math.round((Date.now() - lastHeard) / 1000);
    const isStale = !isOver && !["waiting", "finished"].includes(status.state) && silent >= 7;
    document.body.classList.toggle("stale", isStale);
    text("connection", isOver ? "The run is over; this is its report." : events.readyState === EventSource.OPEN ? (isStale ? `no news for ${silent} s` : "live") : lastHeard ? `connection lost ${silent} s ago; trying again` : "connecting");
    if (held.size) showParts();
  }, 1000);
})();
