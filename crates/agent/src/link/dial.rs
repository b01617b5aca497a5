//! Opening the connection: TCP, straight or through a proxy, TLS, WebSocket (RFC 6455).

use std::sync::Arc;
use std::time::Duration;

use rollcall_model::limits;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Error;
use crate::address::Address;
use crate::proxy::Proxy;

/// Path of the link.
const PATH: &str = "/rollcall/v1/agents/link";

/// A stream of bytes, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Dials, within the silence that a link may have.
pub(super) async fn open(
    address: &Address,
    tls: &Arc<rustls::ClientConfig>,
    proxy: Option<&Proxy>,
) -> Result<Socket, Error> {
    let limit = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
    let failed = |why: String| Error::Link(format!("{}:{}: {why}", address.host, address.port));
    match timeout(limit, dial(address, tls, proxy)).await {
        Ok(opened) => opened.map_err(failed),
        Err(_) => Err(failed("no connection in time".to_owned())),
    }
}

async fn dial(address: &Address, tls: &Arc<rustls::ClientConfig>, proxy: Option<&Proxy>) -> Result<Socket, String> {
    let tcp = match proxy {
        Some(proxy) => proxy.tunnel(&address.host, address.port).await?,
        None => TcpStream::connect((address.bare_host(), address.port)).await.map_err(|error| error.to_string())?,
    };
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream: Box<dyn Stream> = if address.encrypted {
        let name = ServerName::try_from(address.bare_host().to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(tls.clone());
        Box::new(connector.connect(name, tcp).await.map_err(|error| error.to_string())?)
    } else {
        Box::new(tcp)
    };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(limits::FRAME_BYTES_MAX))
        .max_frame_size(Some(limits::FRAME_BYTES_MAX));
    let url = address.websocket(PATH);
    let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(limits))
        .await
        .map_err(|error| error.to_string())?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
