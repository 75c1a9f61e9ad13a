"use strict";
// The script in an editor: checked as one types, saved, tried, reloaded into the run.
(() => {
  const { $ } = page;
  const select = document.querySelector('#start-form [name="script"]');
  const say = (text) => { $("edit-state").textContent = text; };
  let script = "", version = "", saved = "";
  const check = async (text) => {
    if (!script) return [];
    const [isGood, answer] = await page.call("POST", "check", { script, text });
    return isGood ? answer.problems : [];
  };
  let asked = 0;
  const word = async (name) => {
    const number = ++asked;
    if (name.length < 2) return;
    const [isGood, answer] = await page.call("GET", "docs?word=" + encodeURIComponent(name));
    if (number === asked && isGood) $("word-docs").textContent = answer.text;
  };
  const save = async () => {
    const text = editor.text;
    const [isGood, answer] = await page.call("PUT", "script", { script, text, version });
    if (!isGood) {
      say(answer.error);
      return false;
    }
    version = answer.version;
    saved = text;
    say("saved");
    return true;
  };
  const editor = rhaidEditor($("editor"), { check, word, save, changed: () => say(editor.text === saved ? "" : "not saved") });
  const load = async () => {
    script = select.value;
    if (!script) return;
    const [isGood, answer] = await page.call("GET", "script?script=" + encodeURIComponent(script));
    if (!isGood) {
      say(answer.error);
      return;
    }
    version = answer.version;
    saved = editor.text = answer.text;
    $("edit-h").textContent = script;
    say("");
  };
  select.addEventListener("change", load);
  addEventListener("scripts", load);
  $("edit").addEventListener("click", async (event) => {
    const what = event.target.dataset?.do;
    if (!what || !(await save())) return;
    if (what === "save-try") document.querySelector("[data-do=try]").click();
    if (what === "save-reload") document.querySelector("[data-do=reload]").click();
  });
  addEventListener("status", ({ detail: { state } }) => {
    document.querySelector("[data-do=save-reload]").hidden = !["running", "paused"].includes(state);
    document.querySelector("[data-do=save-try]").hidden = !["waiting", "finished"].includes(state);
  });
  addEventListener("beforeunload", (event) => { if (editor.text !== saved) event.preventDefault(); });
})();
