//! Dying on purpose, for fault tests, in debug builds only.

use rollcall_model::killpoint::KillPoint;

/// Ends the process at once, as SIGKILL does, where `ROLLCALL_KILL_AT` names this step and this is the pass it names.
#[cfg(debug_assertions)]
pub fn reached(point: KillPoint) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSES: AtomicU32 = AtomicU32::new(0);
    let Ok(setting) = std::env::var("ROLLCALL_KILL_AT") else { return };
    let Some(pass) = point.pass_in(&setting) else { return };
    if PASSES.fetch_add(1, Ordering::SeqCst) + 1 == pass {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Release builds cannot be made to die.
#[cfg(not(debug_assertions))]
pub fn reached(_: KillPoint) {}
