//! Between agent and service: passes bytes on, and can end or silence every connection.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct LinkProxy {
    /// On 127.0.0.1.
    pub(super) port: u16,
    cut: watch::Sender<u64>,
    silent: watch::Sender<bool>,
}

impl LinkProxy {
    /// Passes on to a port of 127.0.0.1, until it is dropped.
    pub(super) async fn to(service_port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (cut, silent) = (watch::Sender::new(0), watch::Sender::new(false));
        let (cuts, silences) = (cut.subscribe(), silent.subscribe());
        tokio::spawn(async move {
            let mut ended = cuts.clone();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((agent, _)) = accepted else { continue };
                        tokio::spawn(pass(agent, service_port, cuts.clone(), silences.clone()));
                    }
                    changed = ended.changed() => if changed.is_err() { break },
                }
            }
        });
        Ok(Self { port, cut, silent })
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// From now on no byte is passed on; connections stay open.
    pub(super) fn silence(&self) {
        self.silent.send_replace(true);
    }

    /// Ends the silent connections; new ones work.
    pub(super) fn speak(&self) {
        self.cut();
        self.silent.send_replace(false);
    }
}

async fn pass(agent: TcpStream, port: u16, mut cut: watch::Receiver<u64>, silent: watch::Receiver<bool>) {
    cut.mark_unchanged();
    let Ok(service) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut agent_in, mut agent_out) = agent.into_split();
    let (mut service_in, mut service_out) = service.into_split();
    tokio::select! {
        () = copy(&mut agent_in, &mut service_out, silent.clone()) => {}
        () = copy(&mut service_in, &mut agent_out, silent) => {}
        _ = cut.changed() => {}
    }
}

async fn copy<R, W>(from: &mut R, to: &mut W, mut silent: watch::Receiver<bool>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        if silent.wait_for(|silent| !silent).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
