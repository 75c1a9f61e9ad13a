// The page of a run that goes on: takes its parts as they come, and steers it.
(() => {
  const { $, all, chosen } = page;
  const startsRuns = "starts" in document.documentElement.dataset;
  const SIGNS = { waiting: "○", starting: "◌", running: "▶", paused: "❚❚", stopping: "◼", finished: "✓" };
  let status = { state: "connecting" };
  let isFrozen = false;
  let lastHeard = 0;
  let isOver = false;
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
  const nameOfDetails = (details) => details.id || details.querySelector("summary")?.textContent;
  const swap = (place, html) => {
    const fresh = place.cloneNode(false);
    fresh.innerHTML = html;
    page.prepare(fresh);
    const open = new Set(all("details[open]", place).map(nameOfDetails));
    all("details", fresh).filter((details) => open.has(nameOfDetails(details))).forEach((details) => { details.open = true; });
    // Charts get cursors and marks of their own, so they are taken as a whole.
    if (place.querySelector("figure[data-left]") || fresh.querySelector("figure[data-left]")) {
      place.replaceChildren(...fresh.childNodes);
    } else {
      morph(place, fresh);
    }
  };
  // Parts come in their order the first time.
  const placeOf = (name) => {
    const place = document.createElement("div");
    place.dataset.part = name;
    $("parts").append(place);
    return place;
  };
  const showParts = () => {
    if (isFrozen || timeline.isBusy) return;
    let hasCharts = false;
    for (const [name, html] of held) {
      if (name === "figures") {
        page.figures = JSON.parse(html);
        continue;
      }
      const place = document.querySelector(`[data-part="${name}"]`) ?? placeOf(name);
      swap(place, html);
      hasCharts ||= place.querySelector("figure[data-left]") !== null;
    }
    if (hasCharts) timeline.take();
    if (held.size) links();
    held.clear();
  };
  const links = () => {
    const sections = all("main section[id]:not([hidden]) > h2").map((title) => [title.parentNode.id, title.textContent]);
    const nav = $("sections");
    nav.hidden = sections.length === 0;
    const shown = all("a", nav).map((link) => link.hash.slice(1));
    if (sections.map(([id]) => id).join() === shown.join()) return;
    const made = sections.map(([id, title]) => Object.assign(document.createElement("a"), { href: "#" + id, textContent: title }));
    all("a", nav).forEach((link) => link.remove());
    nav.prepend(...made);
  };

  // A row that somebody points at or has the focus in stays at its place.
  const hold = (event) => {
    const body = event.target.closest?.("#endpoint-table tbody");
    if (body && !chosen.order.has("endpoint-table")) chosen.order.set("endpoint-table", [...body.rows].map(page.nameOf));
    if (!body) chosen.order.delete("endpoint-table");
  };
  document.addEventListener("pointerover", hold);
  document.addEventListener("focusin", hold);

  const say = (text) => { if ($("said").textContent !== text) $("said").textContent = text; };
  const tell = (problem) => {
    $("closed").textContent = problem;
    $("closed").hidden = !problem;
  };
  const text = (id, value) => { if ($(id).textContent !== value) $(id).textContent = value; };

  const showStatus = (now) => {
    const before = status;
    status = now;
    const { run, state } = now;
    if (run?.id !== before.run?.id) {
      document.querySelector("[data-part=top]").replaceChildren();
      $("parts").replaceChildren();
      tell("");
      $("report").hidden = true;
    }
    const isOn = !["waiting", "finished"].includes(state);
    const verdict = now.verdict?.words;
    text("name", run?.name ?? "rhaid");
    text("about", run ? [run.script, run.host].filter(Boolean).join(" → ") : "");
    const sign = now.verdict && !now.verdict.passed ? "✗" : SIGNS[state] ?? "";
    text("state", `${sign} ${verdict ?? (now.stage && isOn ? `${state}: ${now.stage}` : state)}`);
    $("state").className = "state " + (now.verdict ? (now.verdict.passed ? "good" : "bad") : state);
    const planned = now.planned_s;
    text("clock", run ? timeline.clock(now.elapsed_s) + (planned ? " / " + timeline.clock(planned) : "") : "");
    const share = planned ? now.elapsed_s / planned : now.planned_iterations ? now.iterations / now.planned_iterations : null;
    $("progress").hidden = share === null || !isOn;
    $("progress").value = Math.min(1, share ?? 0);
    text("users", run ? `${now.users} / ${now.users_target} users` : "");
    $("steer").hidden = !isOn;
    if ($("empty")) $("empty").hidden = Boolean(run);
    const byRate = now.load === "rate";
    text("load-name", byRate ? "Rate/s" : "Users");
    if (document.activeElement !== $("load-value") && !$("load-value").dataset.changed) {
      $("load-value").value = byRate ? Math.round(now.recent?.iterations_rate ?? 0) || "" : now.users_target ?? "";
    }
    const pause = document.querySelector("[data-do=pause]");
    pause.textContent = state === "paused" ? "Resume" : "Pause";
    document.querySelector("[data-do=next]").hidden = !now.has_stages;
    const stop = document.querySelector("[data-do=stop]");
    if (state === "stopping") stop.textContent = "Stop at once";
    else if (!stop.dataset.asked) stop.textContent = "Stop";
    document.title = run ? `${sign} ${run.name} · ${verdict ?? state}` : "rhaid";
    if (state !== before.state || verdict !== before.verdict?.words) say(verdict ? `${verdict}: ${now.verdict.reason ?? ""}` : `The run is ${state}.`);
    dispatchEvent(new CustomEvent("status", { detail: now }));
  };

  // The report, kept here: the process may end before somebody saves it.
  const takeReport = async (id) => {
    const answer = await fetch(`api/v1/runs/${encodeURIComponent(id)}/report`);
    if (!answer.ok) return;
    const html = await answer.text();
    const link = $("report");
    link.hidden = false;
    link.onclick = (event) => {
      event.preventDefault();
      page.save(html, "text/html", id + ".html");
    };
  };

  const post = async (path, body) => {
    try {
      const answer = await fetch("api/v1/" + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });
      const json = await answer.json();
      tell(answer.ok ? "" : json.error);
      return answer.ok ? json : null;
    } catch {
      tell("rhaid does not answer.");
      return null;
    }
  };

  const load = $("load-value");
  load.addEventListener("input", () => { load.dataset.changed = "yes"; });
  $("load").addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = Number(load.value);
    if (await post("control", status.load === "rate" ? { rate: value } : { users: value })) delete load.dataset.changed;
  });
  $("load").addEventListener("click", (event) => {
    const step = Number(event.target.dataset?.step);
    if (!step) return;
    const now = Number(load.value);
    load.value = Math.max(0, now + step * Math.max(1, Math.round(now / 10)));
    load.dataset.changed = "yes";
    $("load").requestSubmit();
  });
  $("steer").addEventListener("click", async (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const what = button.dataset.do;
    if (what === "pause") await post("control", { pause: status.state !== "paused" });
    if (what === "next") await post("control", { next_stage: true });
    if (what === "reload") await post("control", { reload: true });
    if (what === "stop") {
      if (!button.dataset.asked && status.state !== "stopping") {
        button.dataset.asked = "yes";
        button.textContent = "Stop: sure?";
        setTimeout(() => {
          delete button.dataset.asked;
          if (status.state !== "stopping") button.textContent = "Stop";
        }, 4000);
        return;
      }
      delete button.dataset.asked;
      await post("stop");
    }
  });

  const freeze = Object.assign(document.createElement("button"), { type: "button", textContent: "Freeze view" });
  freeze.addEventListener("click", () => {
    isFrozen = !isFrozen;
    freeze.textContent = isFrozen ? "Follow the run" : "Freeze view";
    freeze.setAttribute("aria-pressed", isFrozen);
    showParts();
  });
  $("sections").append(freeze);

  const events = new EventSource("api/v1/events?parts=html");
  events.addEventListener("state", async (event) => {
    lastHeard = Date.now();
    const { status: now, parts, is_last: isLast } = JSON.parse(event.data);
    showStatus(now);
    for (const [name, html] of Object.entries(parts)) held.set(name, html);
    if (isLast) isFrozen = false;
    showParts();
    if (!isLast) return;
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
