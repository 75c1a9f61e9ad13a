//! A table as a script value: rows by index, in order, at random, each once, or leased to one VU at a time.
//!
//! A row becomes a script value when it is requested; the script gets a copy and may change it.

use std::rc::Rc;
use std::sync::Arc;

use rand::RngExt;
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use super::convert;
use super::random::with_rng;
use crate::data::{Lease, Row, Table};
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};
use crate::script::value::Value;
use crate::script::{Level, Message};

const WHEN_DRY: [&str; 3] = ["stop", "wrap", "fail"];

/// A table in a script; clones are the same table.
#[derive(Clone)]
pub(super) struct TableRef {
    table: Arc<Table>,
    host: Rc<Host>,
}

pub(super) const SECTION: Section = Section {
    name: "table",
    title: "A table",
    is_part: true,
    about: "rows in order, at random, each once, or leased to one VU at a time",
    intro: "",
    tables: &[CALLS, LEASE_KEYS],
    notes: "A row is a copy: changing it does not change the table.",
};

calls! {
    CALLS: Owner::Type("Table"); ("of a table", "gives");

    /// Number of rows.
    get len -> int;
    fn len() -> int;

    /// The row at this index, from 0; `[-1]` is the last.
    ///
    /// Errors: no such row.
    index index(index: int) -> any;

    /// The next row, in one order shared by all VUs and threads; after the last, the first again. *VU*
    ///
    /// Errors: the table is empty.
    fn next() -> any;

    /// A random row, from the VU's own random sequence.
    ///
    /// Errors: the table is empty.
    fn random() -> any;

    /// A table of the same rows in a random order that depends only on the seed: every caller gets the same
    /// order.
    fn shuffled() -> Table;

    /// A row that no VU has received before in this run. When all rows are used up, `"stop"` (the default) ends
    /// the VU as `vu::stop()` does, `"wrap"` starts over, and `"fail"` is a script error. *VU*
    ///
    /// Errors: with `"wrap"`, the table is empty; with `"fail"`, all rows are used up.
    ///
    /// ```rhai
    /// const USERS = data::csv("data/users.csv");
    /// fn iteration() { http::post("/login", #{ json: #{ user: USERS.unique().user } }); }
    /// ```
    fn unique() -> any;
    fn unique(when_dry: text) -> any;

    /// A row for exclusive use; waits until one is free. It is released at the end of the iteration, or when the
    /// VU ends if it was leased in `on_start`. *VU*
    ///
    /// Errors: the table is empty.
    fn lease() -> any;
    fn lease(settings: map) -> any;

    /// Releases all rows of the table that the VU holds, or only this one. *VU*
    ///
    /// Errors: the VU does not hold the row.
    fn release();
    fn release(row: any);

    /// All rows.
    each row -> any;
}

keys! {
    LEASE_KEYS: "lease";

    /// If true, the row is released when the VU ends.
    keep: "true or false";
}

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    engine
        .register_type_with_name::<TableRef>("Table")
        .register_get("len", |table: &mut TableRef| table.table.len() as i64)
        .register_fn("len", |table: &mut TableRef| table.table.len() as i64)
        .register_indexer_get(|table: &mut TableRef, index: i64| table.at(index))
        .register_indexer_get(|table: &mut TableRef, name: ImmutableString| table.no_property(&name))
        .register_fn("next", |table: &mut TableRef| table.next())
        .register_fn("random", |table: &mut TableRef| table.random())
        .register_fn("shuffled", |table: &mut TableRef| table.shuffled())
        .register_fn("unique", |table: &mut TableRef| table.unique("stop"))
        .register_fn("unique", |table: &mut TableRef, when_dry: ImmutableString| table.unique(&when_dry))
        .register_fn("lease", |table: &mut TableRef| table.lease(&Map::new()))
        .register_fn("lease", |table: &mut TableRef, options: Map| table.lease(&options))
        .register_fn("release", |table: &mut TableRef| table.release())
        .register_fn("release", |table: &mut TableRef, row: Dynamic| table.release_row(&row))
        .register_fn("to_string", |table: &mut TableRef| table.describe())
        .register_fn("to_debug", |table: &mut TableRef| table.describe())
        .register_iterator_result::<TableRef, Dynamic>();
}

impl TableRef {
    pub(super) fn new(table: Arc<Table>, host: Rc<Host>) -> TableRef {
        TableRef { table, host }
    }

    fn describe(&self) -> String {
        format!("the table '{}' of {} rows", self.table.name(), self.table.len())
    }

    fn empty(&self) -> Box<EvalAltResult> {
        format!("the table '{}' has no rows", self.table.name()).into()
    }

    /// Row number `index`, which has been found in the table.
    fn row(&self, index: usize) -> ScriptResult<Dynamic> {
        match self.table.get(index) {
            Some(row) => to_dynamic(row).map_err(|error| {
                format!("row {index} of the table '{}' cannot be read: {error}", self.table.name()).into()
            }),
            None => Err(self.empty()),
        }
    }

    fn at(&self, index: i64) -> ScriptResult<Dynamic> {
        let rows = self.table.len();
        let from_end = usize::try_from(index.unsigned_abs()).ok();
        let place = if index < 0 { from_end.and_then(|back| rows.checked_sub(back)) } else { from_end };
        match place.filter(|&place| place < rows) {
            Some(place) => self.row(place),
            None => Err(format!(
                "there is no row {index} in the table '{}': it has {rows} rows, the first is [0]",
                self.table.name()
            )
            .into()),
        }
    }

    fn no_property(&self, name: &str) -> ScriptResult<Dynamic> {
        Err(format!(
            "a table has no '{name}'; take a row first, with .next(), .random(), .unique(), .lease() or [i]"
        )
        .into())
    }

    fn next(&self) -> ScriptResult<Dynamic> {
        // At the top level each thread would take a row of its own.
        self.host.vu(".next()")?;
        let index = self.table.next().ok_or_else(|| self.empty())?;
        self.row(index)
    }

    fn random(&self) -> ScriptResult<Dynamic> {
        let rows = self.table.len();
        if rows == 0 {
            return Err(self.empty());
        }
        self.row(with_rng(&self.host, |rng| rng.random_range(0..rows)))
    }

    fn shuffled(&self) -> TableRef {
        TableRef::new(self.table.shuffled(self.host.inputs.seed), self.host.clone())
    }

    fn unique(&self, when_dry: &str) -> ScriptResult<Dynamic> {
        self.host.vu(".unique()")?;
        if !WHEN_DRY.contains(&when_dry) {
            return Err(format!(
                ".unique(\"{when_dry}\"): the argument must be one of {}",
                WHEN_DRY.join(", ")
            )
            .into());
        }
        match (self.table.next_unique(), when_dry) {
            (Some((index, 0)), _) | (Some((index, _)), "wrap") => self.row(index),
            (None, "wrap") => Err(self.empty()),
            (_, "fail") => Err(format!(
                "the table '{}' is exhausted: all {} rows have been used",
                self.table.name(),
                self.table.len()
            )
            .into()),
            _ => Err(Ending::VuStop.into_error()),
        }
    }

    fn lease(&self, options: &Map) -> ScriptResult<Dynamic> {
        let vu = self.host.vu(".lease()")?;
        let mut keep = false;
        for (key, value) in options {
            LEASE_KEYS.check(".lease()", key)?;
            match key.as_str() {
                "keep" => keep = convert::boolean(".lease(): keep", value)?,
                _ => return Err(LEASE_KEYS.unknown(".lease()", key).into()),
            }
        }
        if self.table.len() == 0 {
            return Err(self.empty());
        }
        if self.table.own() == 0 {
            self.none_is_for_this_agent()?;
        }
        // A row leased in `on_start` is for the iterations that follow.
        let keep = keep || vu.iteration.get() == 0;
        let lease = self.host.wait_for_others(".lease()", Lease::take(self.table.clone(), keep))?;
        let row = self.row(lease.row());
        vu.leases.borrow_mut().push(lease);
        row
    }

    /// None will ever be free here: a user waits, as for a row that others hold, unless others would wait for its iterations.
    fn none_is_for_this_agent(&self) -> ScriptResult<()> {
        let (name, takers) = (self.table.name(), self.table.takers());
        let reason = if self.table.is_dealt_without_this_process() {
            format!(
                "the rows of the table '{name}' were dealt before this agent joined, so it has none to lease"
            )
        } else {
            let rows = self.table.len();
            format!("the table '{name}' has {rows} rows, too few for every agent to have one to lease")
        };
        if takers.have_a_number && takers.users == 0 {
            // A user that leaves makes room for another one, which would find as little: all of the number would go so.
            return Err(reason.into());
        }
        if self.table.has_to_say_that_it_has_none() {
            let then = if takers.have_a_number { "leave, and their iterations go to others" } else { "wait" };
            let text = format!("{reason}: users of this agent {then}");
            self.host.message(Message { level: Level::Warning, text, from: None });
        }
        if takers.have_a_number { Err(Ending::VuStop.into_error()) } else { Ok(()) }
    }

    /// Releases all rows of this table that the virtual user holds.
    fn release(&self) -> ScriptResult<()> {
        self.host.vu(".release()")?.leases.borrow_mut().retain(|lease| !lease.is_of(&self.table));
        Ok(())
    }

    /// Releases one row, which is found by its values: a script has only a copy.
    fn release_row(&self, row: &Dynamic) -> ScriptResult<()> {
        let vu = self.host.vu(".release()")?;
        let wanted = Value::from_dynamic(row).ok();
        let mut leases = vu.leases.borrow_mut();
        let held = leases.iter().position(|lease| {
            let row = lease.is_of(&self.table).then(|| self.row(lease.row()).ok()).flatten();
            wanted.is_some() && row.and_then(|row| Value::from_dynamic(&row).ok()) == wanted
        });
        match held {
            Some(held) => {
                leases.remove(held);
                Ok(())
            }
            None => Err(format!(
                "this virtual user holds no such row of the table '{}': it was released before, or changed \
                 (.release() without a row releases all)",
                self.table.name()
            )
            .into()),
        }
    }
}

fn to_dynamic(row: Row<'_>) -> Result<Dynamic, String> {
    Ok(match row {
        Row::Named(names, cells) => {
            let cells = names.iter().zip(cells);
            Dynamic::from_map(cells.map(|(name, cell)| (name.as_str().into(), cell.into())).collect())
        }
        Row::Cells(cells) => {
            Dynamic::from_array(cells.into_iter().map(|cell| cell.into()).collect::<Array>())
        }
        Row::Line(line) => line.into(),
        Row::Json(text) => serde_json::from_str(text).map_err(|error| error.to_string())?,
    })
}

/// The rows of a table in their order.
pub(super) struct TableRows {
    table: TableRef,
    next: usize,
}

impl Iterator for TableRows {
    type Item = ScriptResult<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = (self.next < self.table.table.len()).then(|| self.table.row(self.next));
        self.next += 1;
        row
    }
}

impl IntoIterator for TableRef {
    type Item = ScriptResult<Dynamic>;
    type IntoIter = TableRows;

    fn into_iter(self) -> TableRows {
        TableRows { table: self, next: 0 }
    }
}
