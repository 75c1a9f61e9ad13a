//! Arguments for runs on several machines: of `run`, `agent` and `coordinator`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::values::{key_value, listen_address, threads};
use super::web::WebArgs;
use crate::cluster::{AgentOptions, CoordinatorOptions, NatsOptions, OnAgentLoss};

/// How to connect to NATS.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Several machines")]
pub(in crate::cli) struct NatsArgs {
    /// NATS server, with JetStream: nats://[TOKEN@|USER:PASSWORD@]HOST:PORT, several separated by commas
    #[arg(long, value_name = "URL", env = "RHAID_NATS", hide_env_values = true)]
    pub(in crate::cli) nats: Option<String>,

    /// Credentials for NATS: a file with a JWT and an NKEY (.creds)
    #[arg(long, value_name = "FILE", env = "RHAID_NATS_CREDS")]
    pub(in crate::cli) nats_creds: Option<PathBuf>,

    /// File with the seed of an NKEY for NATS
    #[arg(long, value_name = "FILE", env = "RHAID_NATS_NKEY", conflicts_with = "nats_creds")]
    pub(in crate::cli) nats_nkey: Option<PathBuf>,

    /// Certificates (PEM) that the NATS server's certificate must be signed by; requires TLS
    #[arg(long, value_name = "FILE", env = "RHAID_NATS_CA")]
    pub(in crate::cli) nats_ca: Option<PathBuf>,

    /// Client certificate for NATS (PEM)
    #[arg(long, value_name = "FILE", env = "RHAID_NATS_CERT", requires = "nats_key")]
    pub(in crate::cli) nats_cert: Option<PathBuf>,

    /// Key of the client certificate for NATS (PEM)
    #[arg(long, value_name = "FILE", env = "RHAID_NATS_KEY", requires = "nats_cert")]
    pub(in crate::cli) nats_key: Option<PathBuf>,
}

impl NatsArgs {
    fn or(self, file: NatsArgs) -> NatsArgs {
        NatsArgs {
            nats: self.nats.or(file.nats),
            nats_creds: self.nats_creds.or(file.nats_creds),
            nats_nkey: self.nats_nkey.or(file.nats_nkey),
            nats_ca: self.nats_ca.or(file.nats_ca),
            nats_cert: self.nats_cert.or(file.nats_cert),
            nats_key: self.nats_key.or(file.nats_key),
        }
    }

    /// With the URL that was given, or this one.
    fn options(&self, url: Option<&String>) -> Option<NatsOptions> {
        let url = self.nats.as_ref().or(url)?.clone();
        Some(NatsOptions {
            url,
            credentials: self.nats_creds.clone(),
            nkey: self.nats_nkey.clone(),
            ca_file: self.nats_ca.clone(),
            client_cert: self.nats_cert.clone().zip(self.nats_key.clone()),
        })
    }
}

/// What becomes of the share of a lost agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AgentLoss {
    /// The others take it over
    Redistribute,
    /// The run goes on with what is left
    Continue,
    /// The run ends
    Abort,
}

/// A run on several machines.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Several machines")]
pub(in crate::cli) struct ClusterArgs {
    /// Run on this many agents (rhaid agent) instead of in this process; starts a nats-server unless --nats is given
    #[arg(long, value_name = "N", env = "RHAID_AGENTS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) agents: Option<u64>,

    #[command(flatten)]
    pub(in crate::cli) nats: NatsArgs,

    /// Address at which the nats-server that is started listens for agents [default: 127.0.0.1, a free port]
    #[arg(long, value_name = "[HOST:]PORT", env = "RHAID_LISTEN", value_parser = listen_address, conflicts_with = "nats")]
    pub(in crate::cli) listen: Option<SocketAddr>,

    /// What becomes of the share of an agent that is lost [default: redistribute]
    #[arg(long, value_name = "WHAT", env = "RHAID_ON_AGENT_LOSS")]
    pub(in crate::cli) on_agent_loss: Option<AgentLoss>,
}

impl ClusterArgs {
    /// These settings, which override those of a file.
    pub(in crate::cli) fn or(self, file: ClusterArgs) -> ClusterArgs {
        ClusterArgs {
            agents: self.agents.or(file.agents),
            nats: self.nats.or(file.nats),
            listen: self.listen.or(file.listen),
            on_agent_loss: self.on_agent_loss.or(file.on_agent_loss),
        }
    }

    /// Flags that have no effect in a run without agents.
    pub(in crate::cli) fn unused(&self) -> Vec<&'static str> {
        let flags = [
            (self.nats.nats.is_some(), "--nats"),
            (self.listen.is_some(), "--listen"),
            (self.on_agent_loss.is_some(), "--on-agent-loss"),
        ];
        let unused = flags.into_iter().filter(|(is_given, _)| *is_given);
        unused.map(|(_, flag)| flag).collect()
    }

    /// How the coordinator is set up.
    pub(in crate::cli) fn coordinator(&self) -> CoordinatorOptions {
        CoordinatorOptions {
            nats: self.nats.options(None),
            listen: self.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()),
            on_loss: self.on_agent_loss.map(|wanted| match wanted {
                AgentLoss::Redistribute => OnAgentLoss::Redistribute,
                AgentLoss::Continue => OnAgentLoss::Continue,
                AgentLoss::Abort => OnAgentLoss::Abort,
            }),
        }
    }
}

impl ClusterArgs {
    /// The same of a run that is resumed, which knows where NATS is.
    pub(in crate::cli) fn resuming(&self) -> CoordinatorOptions {
        CoordinatorOptions { nats: self.nats.options(Some(&String::new())), ..self.coordinator() }
    }
}

/// Arguments of `rhaid agent`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct AgentArgs {
    /// NATS server at which the coordinator is met, as the coordinator prints it
    #[arg(value_name = "URL", conflicts_with = "nats")]
    pub(in crate::cli) url: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) nats: NatsArgs,

    /// Name of this agent [default: the name of the machine]
    #[arg(long, value_name = "NAME", env = "RHAID_AGENT_NAME")]
    pub(in crate::cli) name: Option<String>,

    /// A label that the report shows with the agent; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) label: Vec<(String, String)>,

    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "N", env = "RHAID_THREADS", value_parser = threads)]
    pub(in crate::cli) threads: Option<usize>,

    /// End after the first run
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub(in crate::cli) once: bool,
}

impl AgentArgs {
    /// What the agent is; `None` when it is not said where the coordinator is met.
    pub(in crate::cli) fn options(&self) -> Option<AgentOptions> {
        Some(AgentOptions {
            nats: self.nats.options(self.url.as_ref())?,
            name: self.name.clone(),
            labels: self.label.iter().cloned().collect(),
            threads: self.threads,
            once: self.once,
        })
    }
}

/// Arguments of `rhaid coordinator`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CoordinatorArgs {
    #[command(flatten)]
    pub(in crate::cli) web: WebArgs,

    #[command(flatten)]
    pub(in crate::cli) cluster: ClusterArgs,
}
