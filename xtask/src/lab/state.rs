//! What a lab remembers in `lab.json`: the object that `up --json` prints, and how each process was started.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::process::Process;

/// The object of `./lab up --json`. Its members are a fixed interface; docs/guides/lab.md uses them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    pub(crate) version: String,
    /// Base URL of the token endpoint: `{auth}/{tenant}/oauth2/v2.0/token`.
    pub(crate) auth: String,
    /// Base URL of the API: `{graph}/v1.0/...`.
    pub(crate) graph: String,
    /// Not built yet.
    pub(crate) scim: Option<String>,
    /// Not built yet.
    pub(crate) portal: Option<String>,
    /// PEM file that verifies service and directory.
    pub(crate) ca: PathBuf,
    pub(crate) tenant: String,
    /// A client with every application role.
    pub(crate) client: String,
    pub(crate) secret: String,
    pub(crate) service_principal: String,
    pub(crate) job: String,
    /// An ldaps URL that resolves: the first controller's.
    pub(crate) ldap: String,
    /// Every controller's, in order.
    pub(crate) ldap_urls: Vec<String>,
    pub(crate) base_dn: String,
    pub(crate) users_ou: String,
    pub(crate) other_ou: String,
    /// Who looks from outside and makes hand edits.
    pub(crate) bind_dn: String,
    pub(crate) bind_password: String,
    /// The delegated account of the agents.
    pub(crate) agent_bind_dn: String,
    pub(crate) pids: Pids,
    /// The service's configuration file.
    pub(crate) config: PathBuf,
    pub(crate) dir: PathBuf,
}

/// Process ids by role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pids {
    pub(crate) service: u32,
    pub(crate) agents: Vec<u32>,
    pub(crate) directories: Vec<u32>,
}

/// A lab that is up, or was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lab {
    pub(crate) directory: super::Kind,
    /// In the order in which they were started.
    pub(crate) processes: Vec<Process>,
    /// Folders outside the lab's own that `down` removes.
    pub(crate) areas: Vec<PathBuf>,
    pub(crate) shown: Shown,
}

/// Which process is meant; agents and directories count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Service,
    Agent(u8),
    Directory(u8),
    Postgres,
}

impl FromStr for Role {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let number = |rest: &str| match rest {
            "" => Ok(1),
            digits => digits
                .parse::<u8>()
                .ok()
                .filter(|n| *n > 0)
                .with_context(|| format!("'{digits}' is no number from 1 on")),
        };
        if text == "service" {
            Ok(Self::Service)
        } else if text == "postgres" {
            Ok(Self::Postgres)
        } else if let Some(rest) = text.strip_prefix("agent") {
            Ok(Self::Agent(number(rest)?))
        } else if let Some(rest) = text.strip_prefix("directory") {
            Ok(Self::Directory(number(rest)?))
        } else {
            bail!("'{text}' is none of service, agent[N], directory[N], postgres")
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service => f.write_str("service"),
            Self::Agent(n) => write!(f, "agent{n}"),
            Self::Directory(n) => write!(f, "directory{n}"),
            Self::Postgres => f.write_str("postgres"),
        }
    }
}

impl Lab {
    /// The lab of this folder; `None` where none is up.
    pub(crate) fn read(dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join("lab.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{}: not written by this version", path.display()))
    }

    /// Writes `lab.json`, readable by its owner only: it holds secrets.
    pub(crate) fn write(&mut self) -> anyhow::Result<()> {
        self.shown.pids = self.pids();
        super::area::write_private(&self.shown.dir.join("lab.json"), &serde_json::to_string_pretty(self)?)
    }

    fn pids(&self) -> Pids {
        let mut pids = Pids::default();
        for process in &self.processes {
            match process.role {
                Role::Service => pids.service = process.pid,
                Role::Agent(_) => pids.agents.push(process.pid),
                Role::Directory(_) => pids.directories.push(process.pid),
                Role::Postgres => {}
            }
        }
        pids
    }

    /// The URL of a directory, as it counts from 1.
    pub(crate) fn ldap_url(&self, number: u8) -> anyhow::Result<&str> {
        let url = usize::from(number).checked_sub(1).and_then(|at| self.shown.ldap_urls.get(at));
        url.map(String::as_str).with_context(|| format!("this lab has no directory{number}"))
    }

    /// The process of a role.
    pub(crate) fn process_mut(&mut self, role: Role) -> anyhow::Result<&mut Process> {
        let known: Vec<String> = self.processes.iter().map(|process| process.role.to_string()).collect();
        let found = self.processes.iter_mut().find(|process| process.role == role);
        found.with_context(|| format!("this lab has no {role}; it has {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let check = |text: &str, expected: Option<Role>| assert_eq!(text.parse::<Role>().ok(), expected, "{text}");
        check("service", Some(Role::Service));
        check("postgres", Some(Role::Postgres));
        check("agent", Some(Role::Agent(1)));
        check("agent2", Some(Role::Agent(2)));
        check("directory", Some(Role::Directory(1)));
        check("directory1", Some(Role::Directory(1)));
        check("directory2", Some(Role::Directory(2)));
        check("directory256", None);
        check("agent0", None);
        check("agentx", None);
        check("portal", None);
    }

    #[test]
    fn processes_by_role() {
        let process = |role| Process::new(role, Path::new("/bin/true"), Path::new("/"));
        let roles = [Role::Directory(1), Role::Directory(2), Role::Service, Role::Agent(1), Role::Agent(2)];
        let mut processes: Vec<Process> = roles.into_iter().map(process).collect();
        for (pid, process) in (11..).zip(&mut processes) {
            process.pid = pid;
        }
        let urls = ["ldaps://127.0.10.1", "ldaps://127.0.10.2"].map(str::to_owned).to_vec();
        let text = |name: &str| name.to_owned();
        let shown = Shown {
            version: text("1"),
            auth: text("a"),
            graph: text("g"),
            scim: None,
            portal: None,
            ca: "/ca".into(),
            tenant: text("t"),
            client: text("c"),
            secret: text("s"),
            service_principal: text("p"),
            job: text("j"),
            ldap: urls[0].clone(),
            ldap_urls: urls,
            base_dn: text("b"),
            users_ou: text("u"),
            other_ou: text("o"),
            bind_dn: text("d"),
            bind_password: text("w"),
            agent_bind_dn: text("n"),
            pids: Pids::default(),
            config: "/config".into(),
            dir: "/dir".into(),
        };
        let mut lab = Lab { directory: crate::lab::Kind::Samba, processes, areas: Vec::new(), shown };
        let pids = lab.pids();
        assert_eq!((pids.directories, pids.service, pids.agents), (vec![11, 12], 13, vec![14, 15]));
        assert_eq!(lab.process_mut(Role::Directory(2)).unwrap().pid, 12);
        assert_eq!(lab.ldap_url(2).unwrap(), "ldaps://127.0.10.2");
        assert_eq!(lab.ldap_url(3).unwrap_err().to_string(), "this lab has no directory3");
        let error = lab.process_mut(Role::Agent(3)).unwrap_err().to_string();
        assert_eq!(error, "this lab has no agent3; it has directory1, directory2, service, agent1, agent2");
    }
}
