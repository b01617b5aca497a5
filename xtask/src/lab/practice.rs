//! The practice directory as a process of its own.

use std::path::Path;

use super::area::{password, write_private};
use super::ca::Pair;
use super::process::Process;
use super::samba::{BASE_DN, Controller, Passwords};
use super::state::Role;

/// Sets a practice directory up at `address` (host:port); it is not started yet.
pub(crate) fn prepare(
    folder: &Path,
    rollcall: &Path,
    address: &str,
    tls: &Pair,
    log_dir: &Path,
) -> anyhow::Result<Controller> {
    std::fs::create_dir_all(folder)?;
    let passwords = Passwords { administrator: password()?, agent: password()? };
    let (administrator, agent) = (folder.join("administrator.password"), folder.join("agent.password"));
    write_private(&administrator, &passwords.administrator)?;
    write_private(&agent, &passwords.agent)?;
    let process = Process::new(Role::Directory(1), rollcall, log_dir).args([
        "practice".to_owned(),
        format!("--listen={address}"),
        format!("--certificate={}", tls.certificate.display()),
        format!("--key={}", tls.key.display()),
        format!("--base-dn={BASE_DN}"),
        format!("--admin-password-file={}", administrator.display()),
        format!("--agent-password-file={}", agent.display()),
        "--dialect=samba".to_owned(),
    ]);
    Ok(Controller { process, passwords })
}
