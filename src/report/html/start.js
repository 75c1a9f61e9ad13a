// The form that starts runs, and the list of past ones. Text from outside only ever becomes textContent.
(() => {
  const { $, all, one, on, make } = page;
  const form = $("start-form");
  if (!form) return;
  const get = async (path) => (await page.call("GET", path))[1];
  const post = (path) => page.call("POST", path, values());
  const field = (name) => form.elements[name];
  const values = () => {
    const filled = { param: {}, weight: {} };
    for (const element of form.elements) {
      const { name, value } = element;
      if (!name || value.trim() === "") continue;
      const [, table, key] = name.match(/^(param|weight)\.(.*)/s) ?? [];
      if (table) filled[table][key] = value;
      else if (element.tagName === "TEXTAREA") filled[name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
      else filled[name] = element.type === "number" ? Number(value) : value.trim();
    }
    return filled;
  };
  const complain = (problem) => page.tell("form-problem", problem);

  // The planned load as a drawing: users, or iterations per second where there is a rate.
  const draw = ({ points, summary }) => {
    const isRate = points.every(([, users]) => users === 0);
    const at = (point) => point[isRate ? 2 : 1];
    const most = Math.max(...points.map(at), 1e-9);
    const length = points.at(-1)[0] || 1;
    const place = (point) => `${((point[0] / length) * 596 + 2).toFixed(1)} ${(116 - (at(point) / most) * 108).toFixed(1)}`;
    one("path", $("plan")).setAttribute("d", "M2 116L" + points.map(place).join("L") + "L598 116z");
    $("plan-note").textContent = summary;
    $("plan").hidden = false;
  };
  // The script whose form is filled; none while another one comes.
  let shown = "", asked = 0;
  const remember = () => {
    const open = all("[name]:not([type=password])", form).map(({ name, value }) => [name, value]);
    if (shown) page.kept("form-" + shown, JSON.stringify(Object.fromEntries(open)));
  };
  const plan = async () => {
    const number = ++asked;
    remember();
    const [isGood, answer] = await post("plan");
    // A later question has a later answer.
    if (number !== asked) return;
    complain(isGood ? "" : answer.error);
    if (!isGood) return;
    $("command").textContent = answer.command;
    draw(answer);
  };
  let timer;
  on(form, "input", (event) => {
    if (event.target.name === "script") return;
    clearTimeout(timer);
    timer = setTimeout(plan, 250);
  });

  const showScript = async () => {
    clearTimeout(timer);
    remember();
    shown = "";
    const script = field("script").value;
    const answer = await get("form?script=" + encodeURIComponent(script));
    const params = $("params");
    params.replaceChildren();
    if (answer.error) return complain(answer.error);
    for (const { name, help, choices, secret, default: usual, required } of answer.params) {
      const label = make("label", params);
      make("span", label, { title: help }, name + (required ? " (required)" : ""));
      if (choices.length) {
        const select = make("select", label, { name: "param." + name });
        make("option", select, { value: "" }, usual ?? "choose");
        choices.forEach((choice) => make("option", select, {}, choice));
      } else {
        make("input", label, { name: "param." + name, type: secret ? "password" : "text", placeholder: usual ?? "", autocomplete: "off" });
      }
      if (help) make("small", label, { class: "note" }, help);
    }
    const rows = one("div", $("scenarios"));
    rows.replaceChildren();
    $("scenarios").hidden = answer.scenarios.length < 2;
    for (const { name, weight, load } of answer.scenarios) {
      const row = make("p", rows);
      const label = make("label", row);
      make("input", label, { type: "checkbox", value: name });
      make("span", label, {}, name);
      if (load) make("small", row, {}, load);
      else make("input", row, { name: "weight." + name, type: "number", min: 0, step: "any", placeholder: weight, "aria-label": "Weight of " + name });
    }
    for (const [name, value] of Object.entries(answer.defaults)) {
      if (field(name)) field(name).placeholder = value ?? field(name).placeholder;
    }
    const last = JSON.parse(page.kept("form-" + script) ?? "{}");
    for (const element of all("[name]", form)) if (element.name !== "script") element.value = last[element.name] ?? "";
    tick();
    shown = script;
    await plan();
  };
  // The names that are typed and the boxes are one choice; nothing typed is all of them.
  const boxes = () => all("[type=checkbox]", $("scenarios"));
  const tick = () => {
    const typed = field("scenario").value.split(",").map((name) => name.trim()).filter(Boolean);
    boxes().forEach((box) => { box.checked = !typed.length || typed.includes(box.value); });
  };
  on(field("scenario"), "input", tick);
  on($("scenarios"), "change", ({ target }) => {
    if (target.type !== "checkbox") return;
    const ticked = boxes().filter((box) => box.checked);
    // One has to stay.
    if (!ticked.length) ticked.push(target);
    field("scenario").value = ticked.length === boxes().length ? "" : ticked.map((box) => box.value).join(",");
    tick();
    plan();
  });
  on(field("script"), "change", showScript);

  const showRuns = async () => {
    const { runs } = await get("runs");
    const body = $("runs-table").tBodies[0];
    const picked = new Set(all("input:checked", body).map((box) => box.value));
    body.replaceChildren();
    for (const run of runs) {
      const row = make("tr", body, { class: run.passed === false ? "bad" : "" });
      make("a", make("th", row, { scope: "row" }), { href: `api/v1/runs/${encodeURIComponent(run.id)}/report`, target: "_blank" }, run.id);
      make("input", make("td", row), { type: "checkbox", value: run.id, "aria-label": "Compare " + run.id }).checked = picked.has(run.id);
      const { users, requests, rate, failed, p50, p95, p99 } = run.shown;
      [users, requests, rate, failed, p50, p95, p99].forEach((text) => make("td", row, {}, text));
      make("td", row, { class: "w" }, run.passed === null ? "no thresholds" : run.passed ? "✓ passed" : "✗ failed");
    }
    $("runs").hidden = !runs.length;
    page.prepare($("runs"));
    pick();
  };
  const picked = () => all("#runs-table input:checked").map((box) => box.value).sort();
  const pick = () => { one("[data-do=compare]").disabled = picked().length !== 2; };
  on($("runs"), "change", pick);
  on($("runs"), "click", (event) => {
    if (event.target.dataset.do !== "compare") return;
    const [before, after] = picked().map(encodeURIComponent);
    open(`api/v1/runs/${after}/compare/${before}`, "_blank");
  });

  on(form, "submit", async (event) => {
    event.preventDefault();
    const [isGood, answer] = await post("start");
    complain(isGood ? "" : answer.error);
  });
  on(form, "click", async (event) => {
    const what = event.target.dataset?.do;
    if (what === "copy") await navigator.clipboard?.writeText($("command").textContent);
    if (what !== "try") return;
    event.target.disabled = true;
    const [isGood, answer] = await post("try");
    event.target.disabled = false;
    complain(isGood ? "" : answer.error);
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
  on(window, "status", ({ detail: { state } }) => {
    $("new").hidden = state !== "finished";
    if (state !== before) show(state === "waiting");
    before = state;
  });
  on($("new"), "click", () => {
    show($("start").hidden);
    scrollTo(0, 0);
  });
  (async () => {
    const { scripts, first, truncated } = await get("scripts");
    const select = field("script");
    scripts.forEach((script) => { make("option", select, {}, script).selected = script === first; });
    if (!scripts.length) complain("There is no script here. 'rhaid new test.rhai' writes one to start from.");
    else await showScript();
    if (truncated) complain(`The folder has more scripts than the first ${scripts.length}, which are listed.`);
    dispatchEvent(new Event("scripts"));
  })();
})();
