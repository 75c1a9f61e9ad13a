//! What a script defines and the engine calls; there is no registration that this could stand beside.

use super::tables::Section;

pub(super) const LIFE: Section = Section {
    name: "life",
    title: "Functions of a script",
    is_part: false,
    about: "what a script defines and is called: `setup`, `on_start`, `iteration`, …",
    intro: r##"
The top level runs first and declares; then these are called, as far as the script has them.

| function | is called |
|---|---|
| `fn setup()` | once, before the load; its value is what `vu::data()` gives every VU. When it fails there is no load |
| `fn on_start()` | by each VU before its first iteration; after an error again, after its wait |
| `fn iteration()` | by each VU, again and again, where neither `task` nor `scenario` says otherwise |
| `fn on_stop()` | by each VU at its end |
| `fn teardown(data)`, `fn teardown()` | once, after the load, with what `setup` gave |

`this` is the VU's own map, from `on_start` to `on_stop`. Requests and checks of `setup` and `teardown` are not counted. An
error ends the iteration and is counted; the VU goes on after its wait. More is in
[scripts.md](scripts.md#the-life-of-a-run)."##,
    tables: &[],
    notes: r##"
```rhai
fn setup()        { #{ started: time::iso() } }
fn on_start()     { this.token = http::post("/login", #{ json: #{ user: "u" + vu::id() } }).json("token"); }
fn iteration()    { http::get("/quality/insights", #{ bearer: this.token, tags: #{ run: vu::data().started } }); }
fn teardown(data) { print(`began at ${data.started}`); }
```"##,
};
