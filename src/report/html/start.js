// The form that starts runs, and the list of past ones. Text from outside only ever becomes textContent.
(() => {
  const { $, all } = page;
  const form = $("start-form");
  if (!form) return;
  const get = async (path) => (await fetch("api/v1/" + path)).json();
  const post = async (path, body) => {
    const answer = await fetch("api/v1/" + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    return [answer.ok, await answer.json()];
  };
  const add = (tag, parent, properties = {}) => {
    const element = Object.assign(document.createElement(tag), properties);
    parent.append(element);
    return element;
  };
  // Last values, by script.
  const remember = (key, value) => { try { localStorage.setItem("rhaid-form-" + key, JSON.stringify(value)); } catch {} };
  const recall = (key) => { try { return JSON.parse(localStorage.getItem("rhaid-form-" + key)); } catch { return null; } };

  const field = (name) => form.elements[name];
  const values = () => {
    const filled = { param: {} };
    for (const element of form.elements) {
      const { name, value } = element;
      if (!name || value.trim() === "") continue;
      if (name.startsWith("param.")) filled.param[name.slice(6)] = value;
      else if (element.tagName === "TEXTAREA") filled[name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
      else filled[name] = element.type === "number" ? Number(value) : value.trim();
    }
    return filled;
  };
  const complain = (problem) => {
    $("form-problem").textContent = problem ?? "";
    $("form-problem").hidden = !problem;
  };

  // The planned load as a drawing: users, or iterations per second where there is a rate.
  const draw = ({ points, end_s: end, is_asked: isAsked, scenarios, thresholds }) => {
    const isRate = points.every(([, users]) => users === 0);
    const at = (point) => point[isRate ? 2 : 1];
    const most = Math.max(...points.map(at), 1e-9);
    const length = points[points.length - 1][0] || 1;
    const place = (point) => `${((point[0] / length) * 596 + 2).toFixed(1)} ${(116 - (at(point) / most) * 108).toFixed(1)}`;
    $("plan").querySelector("path").setAttribute("d", "M2 116L" + points.map(place).join("L") + "L598 116z");
    const peak = `up to ${Number(most.toPrecision(4))} ${isRate ? "iterations/s" : "users"}`;
    const names = scenarios.map(({ name, users }) => `${name} (${users})`).join(", ");
    const note = [peak, end === null ? "until it is stopped" : "over " + timeline.clock(end), names,
      thresholds.length ? thresholds.length + (thresholds.length > 1 ? " thresholds" : " threshold") : "no thresholds",
      isAsked ? "the script decides during the run" : ""];
    $("plan-note").textContent = note.filter(Boolean).join(" · ");
    $("plan").hidden = false;
  };
  let asked = 0;
  const plan = async () => {
    const number = ++asked;
    remember(field("script").value, Object.fromEntries(all("[name]", form).filter((one) => one.type !== "password").map((one) => [one.name, one.value])));
    const [isGood, answer] = await post("plan", values());
    // A later question has a later answer.
    if (number !== asked) return;
    complain(isGood ? null : answer.error);
    if (!isGood) return;
    $("command").textContent = answer.command;
    draw(answer);
  };
  let timer;
  form.addEventListener("input", (event) => {
    if (event.target.name === "script") return;
    clearTimeout(timer);
    timer = setTimeout(plan, 250);
  });

  const showScript = async () => {
    const script = field("script").value;
    const answer = await get("form?script=" + encodeURIComponent(script));
    const params = $("params");
    params.replaceChildren();
    if (answer.error) {
      complain(answer.error);
      return;
    }
    for (const { name, help, choices, secret, default: usual, required } of answer.params) {
      const label = add("label", params);
      add("span", label, { textContent: name + (required ? " (required)" : ""), title: help });
      if (choices.length) {
        const select = add("select", label, { name: "param." + name });
        add("option", select, { value: "", textContent: usual ?? "choose" });
        choices.forEach((choice) => add("option", select, { textContent: choice }));
      } else {
        add("input", label, { name: "param." + name, type: secret ? "password" : "text", placeholder: usual ?? "", autocomplete: "off" });
      }
      if (help) add("small", label, { className: "note", textContent: help });
    }
    for (const [name, value] of Object.entries(answer.defaults)) {
      if (field(name)) field(name).placeholder = value ?? field(name).placeholder;
    }
    const last = recall(script) ?? {};
    for (const element of all("[name]", form)) if (element.name !== "script") element.value = last[element.name] ?? "";
    await plan();
  };
  field("script").addEventListener("change", showScript);

  const latency = (ms) => timeline.time(ms ?? null);
  const showRuns = async () => {
    const { runs } = await get("runs");
    const body = $("runs-table").tBodies[0];
    const picked = new Set(all("input:checked", body).map((box) => box.value));
    body.replaceChildren();
    for (const run of runs) {
      const row = add("tr", body, { className: run.passed === false ? "bad" : "" });
      const name = add("th", row, { scope: "row" });
      add("a", name, { href: `api/v1/runs/${encodeURIComponent(run.id)}/report`, target: "_blank", textContent: run.id });
      const box = add("input", add("td", row), { type: "checkbox", value: run.id, checked: picked.has(run.id) });
      box.setAttribute("aria-label", "Compare " + run.id);
      const cells = [run.users ?? "-", run.requests, Number(run.rate.toPrecision(4)), run.failed_share === null ? "-" : (run.failed_share * 100).toFixed(1),
        latency(run.latency_ms.p50), latency(run.latency_ms.p95), latency(run.latency_ms.p99)];
      cells.forEach((text) => add("td", row, { textContent: text }));
      add("td", row, { className: "w", textContent: run.passed === null ? "no thresholds" : run.passed ? "✓ passed" : "✗ failed" });
    }
    $("runs").hidden = runs.length === 0;
    page.prepare($("runs"));
    pick();
  };
  const picked = () => all("#runs-table input:checked").map((box) => box.value).sort();
  const pick = () => { document.querySelector("[data-do=compare]").disabled = picked().length !== 2; };
  $("runs").addEventListener("change", pick);
  $("runs").addEventListener("click", (event) => {
    if (event.target.dataset.do !== "compare") return;
    const [before, after] = picked().map(encodeURIComponent);
    open(`api/v1/runs/${after}/compare/${before}`, "_blank");
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [isGood, answer] = await post("start", values());
    complain(isGood ? null : answer.error);
  });
  form.addEventListener("click", async (event) => {
    const what = event.target.dataset?.do;
    if (what === "copy") await navigator.clipboard?.writeText($("command").textContent);
    if (what !== "try") return;
    event.target.disabled = true;
    const [isGood, answer] = await post("try", values());
    event.target.disabled = false;
    complain(isGood ? null : answer.error);
    $("tried").hidden = !isGood;
    $("tried").textContent = answer.text ?? "";
  });

  // The form is there before the first run, and when it is asked for after one, whose report stands there until then.
  let before = "";
  const show = (isShown) => {
    $("start").hidden = !isShown;
    $("runs").hidden = true;
    $("new").setAttribute("aria-expanded", isShown);
    if (isShown) showRuns();
  };
  addEventListener("status", ({ detail: { state } }) => {
    $("new").hidden = state !== "finished";
    if (state !== before) show(state === "waiting");
    before = state;
  });
  $("new").addEventListener("click", () => {
    show($("start").hidden);
    scrollTo(0, 0);
  });
  (async () => {
    const { scripts, first } = await get("scripts");
    const select = field("script");
    scripts.forEach((script) => add("option", select, { textContent: script, selected: script === first }));
    if (!scripts.length) complain("There is no script here. 'rhaid new test.rhai' writes one to start from.");
    else await showScript();
    dispatchEvent(new Event("scripts"));
  })();
})();
