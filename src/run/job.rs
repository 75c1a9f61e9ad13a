//! A run that other machines take part in: all that they need to prepare the same one.
//!
//! Owns what is sent and how it becomes a test again. Leaves sending to `cluster`. Invariants: whoever prepares a job has the plan and the
//! variables that were computed where it comes from, and the texts, data files, certificates and environment variables that were read
//! there; nothing of these is read where it arrives. What belongs to a machine is not sent: its threads, its system's trusted
//! certificates, the proxy that its environment names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check::analyse_aside;
use super::error::RunError;
use super::http_options::http_options;
use super::load_test::LoadTest;
use super::preparation::{quota, takers};
use super::prepared::Prepared;
use crate::data::{Blob, Blobs, Hash, Registry, SentFiles};
use crate::http::Transport;
use crate::metrics::{CustomMetric, Threshold};
use crate::plan::{Options, RunInfo, ScenarioPlan, TestPlan, cores};
use crate::script::{Common, Environment, LastHooks, RunState, Sources, Value};
use crate::share::Share;
use crate::vu::Shared;

/// See the module's description. All of it is confidential, and so are the contents that it names: scripts, variables, headers
/// and certificates may hold secrets, and environment variables often do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// What reports tell of the run, without the texts of its files.
    info: RunInfo,
    script: PathBuf,
    /// Name of the main file.
    main: String,
    roots: Vec<PathBuf>,
    /// The script and what it imports, by name.
    texts: BTreeMap<String, Blob>,
    plan: TestPlan,
    /// Seed of everything random.
    seed: u64,
    params: BTreeMap<String, String>,
    /// What `-e` gives.
    env: BTreeMap<String, String>,
    /// Variables of the environment that the script asks for; `None` for one that is not set.
    environment: BTreeMap<String, Option<String>>,
    /// Values of the script's top-level variables.
    variables: BTreeMap<String, Value>,
    declared: Vec<ScenarioPlan>,
    thresholds: Vec<Threshold>,
    own_metrics: Vec<CustomMetric>,
    #[serde(default)]
    last_hooks: LastHooks,
    /// The data file that each path of the script means.
    meant: BTreeMap<String, PathBuf>,
    data: BTreeMap<PathBuf, Blob>,
    /// The files of certificates that the settings name.
    certificates: BTreeMap<PathBuf, Blob>,
    /// What the names above stand for, where the job was made.
    #[serde(skip)]
    blobs: Blobs,
}

impl Job {
    /// The contents that it names, each once.
    pub(crate) fn blobs(&self) -> BTreeMap<Hash, u64> {
        let named = self.texts.values().chain(self.data.values()).chain(self.certificates.values());
        named.map(|blob| (blob.hash, blob.size)).collect()
    }

    /// A content, where the job was made.
    ///
    /// # Errors
    /// When its file has changed since, in words.
    pub(crate) fn read(&self, hash: Hash) -> Result<Arc<[u8]>, String> {
        self.blobs.read(hash)
    }

    /// What reports tell of the run, without the texts of its files.
    pub(crate) fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The test, given the contents that the job names. Its preparation is the one that the job was made of; only threads,
    /// messages, samples and resources are to be set by whoever runs it.
    ///
    /// # Errors
    /// When a content is missing or is not what it is named.
    pub(crate) fn into_load_test(
        self,
        fetch: impl Fn(&Hash) -> Option<Arc<[u8]>>,
    ) -> Result<LoadTest, RunError> {
        let get = |blob: &Blob, of: &str| {
            let missing = || format!("'{of}' did not arrive: there is no content {}", blob.hash);
            let content = fetch(&blob.hash).ok_or_else(missing)?;
            blob.check(&content).map_err(|why| format!("'{of}': {why}"))?;
            Ok::<_, String>(content)
        };
        let get_all = |blobs: &BTreeMap<PathBuf, Blob>| {
            let got =
                blobs.iter().map(|(path, blob)| Ok((path.clone(), get(blob, &path.to_string_lossy())?)));
            got.collect::<Result<BTreeMap<_, _>, String>>()
        };
        let text = |(name, blob): (&String, &Blob)| {
            let content = get(blob, name)?;
            let text = std::str::from_utf8(&content).map_err(|_| format!("'{name}' is not text"))?;
            Ok((name.clone(), Arc::from(text)))
        };
        let texts =
            self.texts.iter().map(text).collect::<Result<_, String>>().map_err(RunError::Unsendable)?;
        let contents = get_all(&self.data).map_err(RunError::Unsendable)?;
        let certificates = get_all(&self.certificates).map_err(RunError::Unsendable)?;
        let mut test =
            LoadTest::new(Sources::sent(&self.main, self.roots.clone(), texts), self.script.clone());
        test.options = Options { params: self.params.clone(), env: self.env.clone(), ..Options::default() };
        let data = SentFiles { meant: self.meant.clone(), contents };
        test.sent = Some(Arc::new(Sent { job: self, data, certificates }));
        Ok(test)
    }
}

/// A job that has arrived, with its contents.
pub(super) struct Sent {
    job: Job,
    data: SentFiles,
    certificates: BTreeMap<PathBuf, Arc<[u8]>>,
}

impl Sent {
    /// What the threads of the run have in common, new.
    pub(super) fn common(&self, share: Share) -> Common {
        Common {
            data: Registry::sent(self.data.clone(), share),
            environment: Environment::sent(self.job.environment.clone()),
            ..Common::default()
        }
    }
}

impl LoadTest {
    /// The preparation that a job was made of.
    pub(super) fn unpack(self, sent: &Sent) -> Result<(RunInfo, Shared), RunError> {
        let job = &sent.job;
        let inputs = self.inputs(job.seed);
        let share =
            self.share.unwrap_or_else(|| Share::alone(self.options.threads.unwrap_or_else(cores).max(1)));
        let threads = share.here();
        let plan = TestPlan { threads, ..job.plan.clone() };
        inputs.common.data.deal_rows(takers(&plan));
        let mut options = http_options(&plan.http);
        options.contents.clone_from(&sent.certificates);
        let transport = Transport::new(options).map_err(RunError::Http)?;
        let info = RunInfo { threads, ..job.info.clone() };
        let shared = Shared {
            inputs,
            quota: quota(&plan, &share),
            share,
            plan,
            sources: self.sources,
            extensions: self.extensions,
            variables: job.variables.clone(),
            declared: job.declared.clone(),
            watch: false,
            check_first: false,
            thresholds: job.thresholds.clone(),
            own_metrics: job.own_metrics.clone(),
            last_hooks: job.last_hooks,
            transport,
            run: Arc::new(RunState::default()),
            messages: self.messages,
        };
        Ok((info, shared))
    }
}

impl Prepared {
    /// What other machines need to take part in this run. Files of test data are read, to name what they hold.
    ///
    /// # Errors
    /// When the run uses functions of this program, or a file cannot be read any more.
    pub(crate) fn job(&self) -> Result<Job, RunError> {
        let shared = &self.shared;
        if !shared.extensions.is_empty() {
            return Err(RunError::Unsendable(
                "a run on several machines cannot use functions that the embedding program adds (with_engine, with_async_fn): \
                 the agents do not have them"
                    .to_owned(),
            ));
        }
        // Looking through it also reads what functions import, which loading does not.
        let looking = analyse_aside(shared.sources.clone(), Vec::new(), shared.inputs.clone());
        let literal = looking.map_err(RunError::Thread)?.join().map(|analysis| analysis.env_names);
        let common = &shared.inputs.common;
        let names: BTreeSet<String> =
            common.environment.asked().into_iter().chain(literal.unwrap_or_default()).collect();
        let environment = names.into_iter().map(|name| (name.clone(), std::env::var(name).ok())).collect();
        let mut blobs = Blobs::default();
        let texts =
            shared.sources.all().into_iter().map(|(name, text)| (name, blobs.add(text.as_bytes()))).collect();
        let meant = common.data.meant();
        let mut add = |path: &PathBuf| Ok((path.clone(), blobs.add_file(path)?));
        let data = meant.values().map(&mut add).collect::<Result<_, _>>().map_err(RunError::Unsendable)?;
        let http = &shared.plan.http;
        let certificates = http.ca_file.iter().chain(&http.client_cert).map(&mut add);
        let certificates = certificates.collect::<Result<_, _>>().map_err(RunError::Unsendable)?;
        Ok(Job {
            info: RunInfo { files: Vec::new(), ..self.info.clone() },
            script: self.info.script.clone(),
            main: shared.sources.main().to_owned(),
            roots: shared.sources.roots().to_vec(),
            texts,
            plan: shared.plan.clone(),
            seed: shared.inputs.seed,
            params: shared.inputs.params.clone(),
            env: shared.inputs.env.clone(),
            environment,
            variables: shared.variables.clone(),
            declared: shared.declared.clone(),
            thresholds: shared.thresholds.clone(),
            own_metrics: shared.own_metrics.clone(),
            last_hooks: shared.last_hooks,
            meant,
            data,
            certificates,
            blobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::metrics::ThresholdText;
    use crate::script::Message;

    const SCRIPT: &str = r#"
        import "lib/cart" as cart;
        import "shared" as common;

        options(#{ users: 1, iterations: 1, thresholds: ["http_req_failed: rate < 33.3%", "size: p(95) < 0.1"] });

        const USERS = data::csv("users.csv");
        const SAME = data::csv("./users.csv");
        const SETTINGS = data::json("settings.json");
        const BODY = data::file("body.bin");
        const PAGE = param("page", 1);
        const TOKEN = param("token", "none", #{ secret: true });
        const UNSET = env::get("RHAID_NO_SUCH_VARIABLE", "unset");
        const NOW = time::now();
        const DRAWN = random::int(1, 1_000_000_000);
        const THIRD = 1.0 / 3.0;
        const NAN = 0.0 / 0.0;
        const SIZE = metrics::trend("size");

        scenario("buy", #{ tasks: #{ buy: 1 }, wait: 0.0001, tags: #{ team: "a" }, env: #{ OWN: "own" } });

        fn buy() {
            import "lazy" as lazy;
            SIZE.add(1);
            let row = USERS.next();
            print(`${cart::sum(1, 2)} ${common::name()} ${lazy::late()} ${row.name} ${SAME.next().name} ${SETTINGS.a.b}`);
            print(`${BODY.size} ${PAGE} ${TOKEN} ${UNSET} ${DRAWN} ${THIRD} ${random::int(1, 1_000_000_000)}`);
            print(`${env::require("PATH")} ${env::get("OWN")} ${secret::get("FROM_E")} ${env::get("FROM_E")}`);
            print(`${env::get("RHAID_NO_OTHER_VARIABLE")} ${NOW}`);
        }
    "#;

    const FILES: [(&str, &str); 7] = [
        ("main/shop.rhai", SCRIPT),
        ("main/lib/cart.rhai", "fn sum(a, b) { a + b }"),
        ("main/lazy.rhai", "fn late() { \"late\" }"),
        ("more/shared.rhai", "fn name() { \"shared\" }"),
        ("main/users.csv", "name\nann\nbob\ncem\n"),
        ("main/settings.json", r#"{ "a": { "b": 0.30000000000000004 } }"#),
        ("main/body.bin", "0123456789"),
    ];

    /// Collects what a script prints.
    fn messages() -> (Arc<Mutex<Vec<String>>>, impl Fn(Message) + Send + Sync + 'static) {
        let all = Arc::new(Mutex::new(Vec::new()));
        let to = all.clone();
        (all, move |message: Message| to.lock().unwrap().push(message.text))
    }

    /// The script in its folder, as a user's flags and settings start it.
    fn test(folder: &Path) -> LoadTest {
        for (name, text) in FILES {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let both = format!("{}{}", key.cert.pem(), key.signing_key.serialize_pem());
        std::fs::write(folder.join("client.pem"), both).unwrap();
        std::fs::write(folder.join("ca.pem"), key.cert.pem()).unwrap();
        let mut options =
            Options { env: [("FROM_E".into(), "given by -e".into())].into(), ..Options::default() };
        options.http.ca_file = Some(folder.join("ca.pem"));
        options.http.client_cert = Some(folder.join("client.pem"));
        options.http.headers = [("x-run".into(), "1".into())].into();
        let lower = Options {
            thresholds: vec![ThresholdText::new("iterations: count > 0", "test")],
            ..Options::default()
        };
        LoadTest::from_file(folder.join("main/shop.rhai"))
            .unwrap()
            .lib_root(folder.join("more"))
            .options(options)
            .defaults(lower)
            .param("token", "hunter2-long")
            .threads(1)
    }

    /// The job after its journey, and its contents as they arrive.
    fn sent(job: &Job) -> (Job, BTreeMap<Hash, Arc<[u8]>>) {
        let contents = job.blobs().into_keys().map(|hash| (hash, job.read(hash).unwrap())).collect();
        (serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap(), contents)
    }

    /// What two preparations have to have in common, as text.
    fn described(prepared: &Prepared) -> String {
        let shared = &prepared.shared;
        let inputs = &shared.inputs;
        format!(
            "{:#?}",
            (
                (&shared.plan, &shared.variables, &shared.declared, &shared.thresholds, &shared.own_metrics),
                (&shared.quota, &shared.share, &inputs.params, &inputs.env, inputs.seed, inputs.listing),
                (shared.sources.all(), RunInfo { files: Vec::new(), ..prepared.info.clone() }),
            )
        )
    }

    #[tokio::test]
    async fn another_machine_prepares_the_same_run_without_reading_anything_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (here, print) = messages();
        let prepared = test(folder.path()).on_message(print).prepare().unwrap();
        let (job, contents) = sent(&prepared.job().unwrap());
        let expected = described(&prepared);
        prepared.start().await.unwrap().wait().await.unwrap();
        folder.close().unwrap();
        let (there, print) = messages();
        let test = job.into_load_test(|hash| contents.get(hash).cloned()).unwrap();
        let prepared = test.threads(1).on_message(print).prepare().unwrap();
        assert_eq!(described(&prepared), expected);
        prepared.start().await.unwrap().wait().await.unwrap();
        let here = here.lock().unwrap().clone();
        assert_eq!(*there.lock().unwrap(), here);
        let path = std::env::var("PATH").unwrap();
        let all = here.join("\n");
        assert!(all.contains("3 shared late ann bob 0.30000000000000004\n10 1 *** unset "), "{all}");
        assert!(all.contains(&format!("{path} own *** ***\n")), "{all}");
    }
    #[test]
    fn what_cannot_be_sent_or_did_not_arrive_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = test(folder.path()).prepare().unwrap();
        let (job, contents) = sent(&prepared.job().unwrap());
        let cart = Hash::of(FILES[1].1.as_bytes());
        let error = |fetch: &dyn Fn(&Hash) -> Option<Arc<[u8]>>| {
            job.clone().into_load_test(fetch).err().unwrap().to_string()
        };
        let missing = error(&|hash| contents.get(hash).filter(|_| *hash != cart).cloned());
        assert!(missing.contains("cart.rhai' did not arrive"), "{missing}");
        let other = error(&|hash| contents.get(hash).map(|all| all[1..].into()));
        assert!(other.contains("is something else"), "{other}");
        std::fs::remove_file(folder.path().join("main/users.csv")).unwrap();
        let gone = prepared.job().err().unwrap().to_string();
        assert!(gone.contains("users.csv'"), "{gone}");
        let extended = LoadTest::from_text("a.rhai", "fn iteration() {}").with_engine(|_| {});
        let refused = extended.prepare().unwrap().job().err().unwrap().to_string();
        assert!(refused.contains("with_engine"), "{refused}");
    }

    #[tokio::test]
    async fn what_a_script_asks_for_that_did_not_come_is_an_error_that_says_so() {
        let script = r#"
            fn iteration() {
                let name = "PA" + "TH";
                try { env::get(name) } catch (error) { print(error); }
                let file = "lib/" + "cart";
                try { import file as cart; } catch (error) { print(error); }
            }
        "#;
        let prepared = LoadTest::from_text("a.rhai", script).iterations(1).threads(1).prepare().unwrap();
        let (job, contents) = sent(&prepared.job().unwrap());
        let (there, print) = messages();
        let test = job.into_load_test(|hash| contents.get(hash).cloned()).unwrap();
        test.threads(1).on_message(print).run().await.unwrap();
        let all = there.lock().unwrap().join("\n");
        assert!(all.contains("PATH did not come with the run") && all.contains("-e PATH=VALUE"), "{all}");
        assert!(all.contains("\"lib/cart\" is not among the files that came with the run"), "{all}");
    }
}
