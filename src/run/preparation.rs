//! Getting a load test ready: its script is loaded, its settings are merged, and everything that can be wrong is found.
//!
//! Owns the order in which options win over each other. Invariant: nothing is left to be checked when a run starts.

use std::sync::Arc;

use super::check::errors_of;
use super::error::RunError;
use super::facts::{run_info, without_secrets};
use super::http_options::http_options;
use super::load_test::LoadTest;
use super::prepared::Prepared;
use super::reload::{load_aside, panicked};
use crate::credentials::masked_url;
use crate::data::{Folders, Registry, Takers};
use crate::http::{Destination, Transport};
use crate::metrics::{Known, ThresholdText, resolve};
use crate::plan::{Executor, FailsOn, LanePlan, Origin, PlanError, RunInfo, TestPlan};
use crate::script::{Common, HttpDebug, Level, Message, Param, RunState, ScriptInputs, ScriptPlan};
use crate::share::Share;
use crate::text::did_you_mean;
use crate::vu::{Quota, Shared, host_of};

/// Who takes rows of tables.
pub(super) fn takers(plan: &TestPlan) -> Takers {
    let is_shared = |lane: &LanePlan| matches!(lane.executor, Executor::SharedIterations { .. });
    let have_a_number = plan.iterations.is_some() || plan.lanes.iter().any(is_shared);
    Takers { users: plan.closed_users(), have_a_number }
}

/// What this process may take of the number of iterations of the run, before others leave some.
pub(super) fn quota(plan: &TestPlan, share: &Share) -> Option<Quota> {
    plan.iterations.map(|iterations| Quota::new(share.by_users(iterations, plan.closed_users())))
}

impl LoadTest {
    /// Loads and checks everything without making any load.
    ///
    /// # Errors
    /// As [`LoadTest::run`].
    pub fn prepare(mut self) -> Result<Prepared, RunError> {
        let resources = self.resources.take();
        let samples = std::mem::take(&mut self.samples);
        // 32 bits are enough to tell runs apart and short enough to be typed again.
        let random_seed = rand::random::<u32>();
        #[cfg(feature = "cluster")]
        if let Some(sent) = self.sent.clone() {
            let (info, shared) = self.unpack(&sent)?;
            return Ok(Prepared { info, shared, resources, samples });
        }
        let (info, shared) = self.check(u64::from(random_seed))?;
        Ok(Prepared { info, shared, resources, samples })
    }

    /// What the script is given: with new common state, so that each run begins with nothing read or kept.
    pub(super) fn inputs(&self, seed: u64) -> ScriptInputs {
        let options = self.options.clone().or(self.lower.clone());
        let folders = Folders::new(&self.script, &options.data_roots);
        let share = self.share.clone().unwrap_or_default();
        let common = Common { data: Registry::new(folders, share.clone()), ..Common::default() };
        #[cfg(feature = "cluster")]
        let common = self.sent.as_ref().map_or(common, |sent| sent.common(share));
        let common = Arc::new(common);
        ScriptInputs {
            params: options.params,
            env: options.env,
            listing: self.listing,
            seed,
            common,
            http_debug: self.http_debug,
        }
    }

    /// The same test for looking at its script alone: nothing is shown, and a parameter needs no value.
    pub(super) fn aside(&self) -> LoadTest {
        LoadTest {
            sources: self.sources.clone(),
            script: self.script.clone(),
            options: self.options.clone(),
            lower: self.lower.clone(),
            extensions: self.extensions.clone(),
            messages: Arc::new(|_| {}),
            http_debug: HttpDebug::Off,
            watch: false,
            check_first: false,
            resources: None,
            samples: Vec::new(),
            origin: Origin::default(),
            fails_on: FailsOn::default(),
            share: self.share.clone(),
            listing: true,
            #[cfg(feature = "cluster")]
            sent: None,
        }
    }

    /// Loads the script once to learn what it declares.
    pub(super) fn load(&self, inputs: ScriptInputs) -> Result<ScriptPlan, RunError> {
        let (sources, extensions) = (self.sources.clone(), self.extensions.clone());
        let loading =
            load_aside(sources, extensions, self.messages.clone(), inputs).map_err(RunError::Thread)?;
        loading
            .join()
            .unwrap_or_else(|_| Err(panicked(&self.sources)))
            .map_err(|error| RunError::Load(error, Vec::new()))
    }

    /// Everything that can be wrong is found here, before any thread of the run exists.
    fn check(mut self, random_seed: u64) -> Result<(RunInfo, Shared), RunError> {
        self.sources.check_roots().map_err(RunError::Script)?;
        let seed = self.options.seed.or(self.lower.seed).unwrap_or(random_seed);
        let mut inputs = self.inputs(seed);
        let looked_through =
            self.check_first.then(|| self.analyse()).transpose().map_err(RunError::Thread)?;
        let mut declared = self.load(inputs.clone()).map_err(|error| self.with_others(error, &inputs))?;
        if let Some(analysis) = looked_through {
            let errors = errors_of(analysis, &inputs.common.secrets);
            if !errors.is_empty() {
                return Err(RunError::Check(errors));
            }
        }
        if let (None, Some(seed)) = (self.options.seed, declared.options.seed) {
            // What the top level drew at random has to follow from the seed that it sets itself.
            inputs.seed = seed;
            declared = self.load(inputs.clone())?;
        }
        check_params(&inputs, &declared.params)?;
        let unfiltered = declared.scenarios.clone();
        // A scenario's own host is more specific than the script's, and the caller's overrides both.
        let host = declared.options.host.take().or(self.lower.host.take());
        for scenario in &mut declared.scenarios {
            if scenario.host.is_none() {
                scenario.host.clone_from(&host);
            }
        }
        let mut options = self.options.or(declared.options).or(self.lower);
        let mut texts = std::mem::take(&mut options.thresholds);
        if let Some(capacity) = &options.capacity {
            // The search goes beyond what a service is to bear, so its limits would mean nothing.
            texts = vec![ThresholdText::new(capacity.threshold(), "find_capacity")];
        }
        let is_tried_out = options.once;
        let plan = TestPlan::new(options, declared.scenarios, seed);
        let known = Known {
            own: declared.own_metrics,
            scenarios: unfiltered.iter().map(|scenario| scenario.name.clone()).collect(),
            stages: plan.as_ref().ok().map(TestPlan::stage_names),
        };
        let (mut plan, (mut thresholds, doubts)) = both(plan, resolve(&texts, &known).map_err(PlanError))?;
        let share = self.share.unwrap_or_else(|| Share::alone(plan.threads));
        plan.threads = share.here();
        if is_tried_out {
            // One iteration says nothing about a service.
            thresholds.clear();
        }
        for warning in plan.warnings.iter().chain(&doubts) {
            (self.messages)(Message { level: Level::Warning, text: warning.clone(), from: None });
        }
        check_hosts(&plan)?;
        let transport = Transport::new(http_options(&plan.http)).map_err(RunError::Http)?;
        let info = run_info(&plan, self.script, self.sources.all(), &declared.params, self.origin);
        let fails_on = self.fails_on;
        inputs.common.data.deal_rows(takers(&plan));
        let info =
            RunInfo { is_trial: is_tried_out, fails_on, ..without_secrets(info, &inputs.common.secrets) };
        let shared = Shared {
            inputs,
            quota: quota(&plan, &share),
            share,
            plan,
            sources: self.sources,
            extensions: self.extensions,
            variables: declared.variables,
            declared: unfiltered,
            watch: self.watch,
            check_first: self.check_first,
            thresholds,
            own_metrics: known.own,
            last_hooks: declared.last_hooks,
            transport,
            run: Arc::new(RunState::default()),
            messages: self.messages,
        };
        Ok((info, shared))
    }
}

/// Both results, or the problems of both.
fn both<A, B>(a: Result<A, PlanError>, b: Result<B, PlanError>) -> Result<(A, B), RunError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(PlanError(mut problems)), Err(PlanError(more))) => {
            problems.extend(more);
            Err(RunError::Plan(PlanError(problems)))
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(RunError::Plan(error)),
    }
}

/// A value for a parameter that the script does not declare is a typing error.
fn check_params(inputs: &ScriptInputs, declared: &[Param]) -> Result<(), RunError> {
    let names = || declared.iter().map(|param| param.name.as_str());
    let unknown = inputs.params.keys().filter(|name| !names().any(|known| known == *name));
    let problems: Vec<String> = unknown
        .map(|name| format!("the script declares no parameter '{name}'{}", did_you_mean(name, names())))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(RunError::Plan(PlanError(problems))) }
}

fn check_hosts(plan: &TestPlan) -> Result<(), RunError> {
    let hosts = plan.scenarios.iter().filter_map(|scenario| host_of(plan, Some(scenario)));
    for host in hosts {
        if !host.contains("://") {
            return Err(RunError::Host(format!(
                "the host '{0}' lacks http:// or https://; write http://{0}",
                masked_url(host)
            )));
        }
        Destination::parse(host).map_err(|error| RunError::Host(format!("the host is no URL: {error}")))?;
    }
    Ok(())
}
