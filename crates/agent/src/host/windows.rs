//! A Windows service. Our CI does not build this file: its machines have no Windows target. Everything it needs of the
//! agent stands behind [`Host`] and [`crate::Handle`], which Linux uses too.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::Host;

/// The name the service is registered under: `sc.exe create rollcall-agent binPath= "...\rollcall-agent.exe service
/// --config C:\ProgramData\Rollcall\agent.toml"`.
pub const NAME: &str = "rollcall-agent";

/// How long the service control manager waits for a change of state before it calls it hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service does: runs an agent that tells this host, and stops it when the given closure's token says so.
type Run = Box<dyn FnOnce(Arc<Service>) -> Result<(), String> + Send>;

static RUN: OnceLock<Mutex<Option<Run>>> = OnceLock::new();

define_windows_service!(entered, main);

/// Hands this process over to the service control manager; returns when the service has stopped. Errors: it was not
/// started by the manager.
pub fn dispatch(run: Run) -> windows_service::Result<()> {
    let _ = RUN.set(Mutex::new(Some(run)));
    service_dispatcher::start(NAME, entered)
}

/// Called by the manager on a thread of its own.
fn main(_: Vec<OsString>) {
    let service = Arc::new(Service::default());
    let stopped = service.clone();
    let handler = move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            stopped.stopping();
            if let Some(stop) = stopped.locked().stop.take() {
                stop();
            }
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let Ok(handle) = service_control_handler::register(NAME, handler) else { return };
    service.locked().handle = Some(handle);
    service.report(ServiceState::StartPending, 0);
    let run = RUN.get().and_then(|run| run.lock().unwrap_or_else(PoisonError::into_inner).take());
    let ended = run.map_or(Ok(()), |run| run(service.clone()));
    service.report(ServiceState::Stopped, u32::from(ended.is_err()));
}

/// The service as the manager sees it.
#[derive(Default)]
pub struct Service(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    handle: Option<ServiceStatusHandle>,
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Service {
    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a stop asks for: `crate::Handle::stop`.
    pub fn on_stop(&self, stop: impl FnOnce() + Send + 'static) {
        self.locked().stop = Some(Box::new(stop));
    }

    fn report(&self, current_state: ServiceState, exit: u32) {
        let accepts = current_state == ServiceState::Running;
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state,
            controls_accepted: if accepts {
                ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN
            } else {
                ServiceControlAccept::empty()
            },
            exit_code: ServiceExitCode::Win32(exit),
            checkpoint: 0,
            wait_hint: PATIENCE,
            process_id: None,
        };
        if let Some(handle) = &self.locked().handle {
            let _ = handle.set_service_status(status);
        }
    }
}

/// The manager has no watchdog and takes no sentence; its recovery settings start a process that has ended again.
impl Host for Service {
    fn ready(&self) {
        self.report(ServiceState::Running, 0);
    }
    fn status(&self, _: &str) {}
    fn alive(&self) {}
    fn stopping(&self) {
        self.report(ServiceState::StopPending, 0);
    }
    fn watchdog(&self) -> Option<Duration> {
        None
    }
}
