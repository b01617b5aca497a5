//! The service as a whole: opened, served, stopped.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rollcall_model::ids::NodeId;
use rollcall_model::{Clock, Random};

use crate::config::Config;
use crate::state::{AppState, Parts};
use crate::tokens::Tokens;
use crate::work::{Hub, WorkOptions};
use crate::{Error, JobSecrets, api, files, first_start, tls};

/// What the service needs from outside.
pub struct Options {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

/// An opened service: the store is there and current, keys are known.
pub struct Service {
    state: AppState,
}

impl Service {
    /// Opens the store, brings its schema up to date, and makes at the first start what must be there.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let Options { config, clock, random } = options;
        files::make_folder(&config.data.dir)?;
        let master = first_start::master_key(&config, &*random)?;
        if config.store.url == "sqlite" {
            let file = config.data.dir.join(rollcall_store::SQLITE_FILE_NAME);
            ["", "-wal", "-shm"].iter().try_for_each(|beside| {
                let mut name = file.clone().into_os_string();
                name.push(beside);
                files::hide(name.as_ref())
            })?;
            files::make_secret(&file)?;
        }
        let store = rollcall_store::open(&config.store.url, &config.data.dir).await?;
        let keys = first_start::identity(&config, &*store, &master, &*clock, &*random).await?;
        let tokens = Tokens::open(&config.server.public_url, &keys, &master)?;
        let secrets = JobSecrets::new(master);
        let hub = Hub::new(WorkOptions {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            node: NodeId(random.uuid_v4()),
            secrets: secrets.clone(),
        });
        let metrics = metrics_handle();
        let state = AppState::new(Parts {
            config,
            store,
            clock,
            random,
            hub,
            tokens,
            secrets,
            directory_schemas: api::DirectorySchemas::default(),
            failures: api::token::Failures::default(),
            counted: api::health::Counted::default(),
            on_demand: api::on_demand::OnDemand::default(),
            metrics,
        });
        Ok(Self { state })
    }

    /// What handlers share.
    #[cfg(test)]
    pub(crate) fn state(&self) -> &AppState {
        &self.state
    }

    /// The application, to be called in process.
    pub fn router(&self) -> Router {
        api::router(&self.state)
    }

    /// Serves until `shutdown`: then listeners close, agents are sent elsewhere, running requests get
    /// `server.stop_timeout_s` to end.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let config = &self.state.config;
        let certificate = tls::Reloader::start(config, &self.state.clock)?;
        let tls = certificate.serving();
        let listeners = listen(config)?;
        let router = self.router();
        let handle = Handle::new();
        let mut servers = tokio::task::JoinSet::new();
        for listener in listeners {
            let server = axum_server::from_tcp_rustls(listener, tls.clone()).map_err(Error::Server)?;
            servers.spawn(server.handle(handle.clone()).serve(router.clone().into_make_service()));
        }
        let renewal = tokio::spawn(certificate.run());
        tracing::info!(url = config.server.public_url, store = self.state.store.engine(), "serving");
        tokio::pin!(shutdown);
        let ended = tokio::select! {
            () = &mut shutdown => None,
            ended = servers.join_next() => ended,
        };
        tracing::info!("stopping");
        handle.graceful_shutdown(Some(Duration::from_secs(config.server.stop_timeout_s)));
        renewal.abort();
        self.state.hub.stop().await;
        let mut result = ended.map_or(Ok(()), served);
        while let Some(ended) = servers.join_next().await {
            result = result.and(served(ended));
        }
        self.state.store.close().await;
        tracing::info!("stopped");
        result
    }
}

fn served(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), Error> {
    ended.map_err(std::io::Error::other).and_then(|result| result).map_err(Error::Server)
}

/// Binds every address; an optional one that cannot be bound is left out.
fn listen(config: &Config) -> Result<Vec<TcpListener>, Error> {
    let bind = |address: SocketAddr| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(listener)
    };
    let mut listeners = Vec::new();
    for address in &config.server.listen {
        let listener = bind(*address).map_err(|source| Error::Listen { address: *address, source })?;
        tracing::info!(address = %listener.local_addr().unwrap_or(*address), "listening");
        listeners.push(listener);
    }
    for address in &config.server.optional_listen {
        match bind(*address) {
            Ok(listener) => {
                tracing::info!(%address, "listening");
                listeners.push(listener);
            }
            Err(error) => tracing::warn!(%address, %error, "an optional address is left out"),
        }
    }
    Ok(listeners)
}

/// The process's one recorder of metrics.
fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return handle.clone();
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // Whoever comes second in a race keeps the first's.
    if metrics::set_global_recorder(recorder).is_ok() {
        let _ = HANDLE.set(handle.clone());
    }
    HANDLE.get().cloned().unwrap_or(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_stops_the_start_unless_it_is_optional() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
        config.server.optional_listen = vec![taken.local_addr().unwrap()];
        assert_eq!(listen(&config).unwrap().len(), 1);
        config.server.listen.push(taken.local_addr().unwrap());
        let error = listen(&config).unwrap_err().to_string();
        assert!(
            error.contains(&taken.local_addr().unwrap().to_string()) && error.contains("optional_listen"),
            "{error}"
        );
    }
}
