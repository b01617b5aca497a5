//! LDAP on port 389 that Kerberos signs and encrypts (RFC 4752).
//!
//! ldap3 can do this too, but it takes each sealed frame for whole LDAP messages: where a frame holds several and
//! another frame is there already, it loses those after the first (0.12.1, `LdapCodec::decode`), and a controller
//! packs its search entries like that. A lost entry would look like an absent account. So the bind and the sealing are
//! done here, and ldap3 is given the plain bytes through a pair of local sockets.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use cross_krb5::{ClientCtx, Step};
use rollcall_model::{Code, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;

use super::ber::{self, BindAnswer};
use super::transport::Place;
use super::{Kerberos, kerberos, refused};
use crate::Error;
use crate::errors::Request;

/// saslBindInProgress (RFC 4511 A.1).
const IN_PROGRESS: u32 = 14;
/// The security layer with confidentiality (RFC 4752 3.1).
const CONFIDENTIALITY: u8 = 4;
/// What a seal may add to what it holds; krb5's takes less than a hundred.
const SEAL_BYTES_MAX: usize = 1_024;

/// Both ends of a seal.
trait Seal: Send + 'static {
    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, String>;
    fn unwrap(&mut self, sealed: &[u8]) -> Result<Vec<u8>, String>;
}

impl Seal for ClientCtx {
    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, String> {
        cross_krb5::K5Ctx::wrap(self, true, plain).map(|sealed| sealed.to_vec()).map_err(|error| format!("{error:#}"))
    }

    fn unwrap(&mut self, sealed: &[u8]) -> Result<Vec<u8>, String> {
        cross_krb5::K5Ctx::unwrap(self, sealed).map(|plain| plain.to_vec()).map_err(|error| format!("{error:#}"))
    }
}

/// A bound connection's plain end, and the task behind it.
pub(super) struct Sealed {
    pub(super) plain: StdUnixStream,
    pub(super) pump: AbortHandle,
}

/// Connects, binds as the account, and seals all that follows.
pub(super) async fn open(place: &Place, account: &Kerberos, service: &str) -> Result<Sealed, Error> {
    let mut tcp = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(broken)?;
    tcp.set_nodelay(true).map_err(broken)?;
    let (context, token) = kerberos::begin(account, service).await?;
    let token = step(&mut tcp, account, 1, Some(&token)).await?;
    let Step::Finished((mut context, None)) = context.step(&token).map_err(not_proved)? else {
        return Err(unusable("the exchange of tokens does not end"));
    };
    let offer = step(&mut tcp, account, 2, None).await?;
    let offer = cross_krb5::K5Ctx::unwrap(&mut context, &offer).map_err(not_proved)?;
    let chunk = chunk_bytes(&offer)?;
    let mut choice = u32::try_from(limits::SEALED_FRAME_BYTES_MAX).unwrap_or(u32::MAX).to_be_bytes();
    choice[0] = CONFIDENTIALITY;
    let choice = Seal::wrap(&mut context, &choice).map_err(|why| unusable(&why))?;
    let bound = exchange(&mut tcp, 3, Some(&choice)).await?;
    if bound.result_code != 0 {
        return Err(not_bound(account, &bound));
    }
    let (plain, local) = StdUnixStream::pair().map_err(broken)?;
    local.set_nonblocking(true).map_err(broken)?;
    let local = UnixStream::from_std(local).map_err(broken)?;
    let task = tokio::spawn(async move {
        let why = pump(context, tcp, local, chunk).await;
        tracing::debug!(why, "sealed LDAP connection ended");
    });
    Ok(Sealed { plain, pump: task.abort_handle() })
}

/// How many plain bytes may go into one frame, from the controller's offer: layers, and its largest frame.
fn chunk_bytes(offer: &[u8]) -> Result<usize, Error> {
    let &[layers, high, middle, low] = offer else { return Err(unusable("the offer of layers has no four bytes")) };
    if layers & CONFIDENTIALITY == 0 {
        return Err(unusable("the controller does not offer to encrypt"));
    }
    let frame = u32::from_be_bytes([0, high, middle, low]);
    let frame = usize::try_from(frame).unwrap_or(usize::MAX).min(limits::SEALED_FRAME_BYTES_MAX);
    frame.checked_sub(SEAL_BYTES_MAX).filter(|chunk| *chunk > 0).ok_or_else(|| unusable("its frames are too small"))
}

/// One step that is not the last: the controller's token.
async fn step(tcp: &mut TcpStream, account: &Kerberos, id: u8, token: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let answer = exchange(tcp, id, token).await?;
    match answer.credentials {
        Some(token) if answer.result_code == IN_PROGRESS => Ok(token),
        _ if answer.result_code == IN_PROGRESS => Err(unusable("a token is missing")),
        _ => Err(not_bound(account, &answer)),
    }
}

async fn exchange(tcp: &mut TcpStream, id: u8, token: Option<&[u8]>) -> Result<BindAnswer, Error> {
    tcp.write_all(&ber::bind_request(id, "GSSAPI", token)).await.map_err(broken)?;
    let mut message = Vec::new();
    loop {
        if let Some(answer) = ber::bind_answer(&message, id).map_err(unusable)? {
            return Ok(answer);
        }
        let room = limits::BIND_ANSWER_BYTES_MAX.saturating_sub(message.len());
        // Nothing is read beyond the answer: the controller speaks again only when it is asked.
        let read = (&mut *tcp).take(room as u64).read_buf(&mut message).await.map_err(broken)?;
        if read == 0 {
            return Err(unusable(if room == 0 { "the answer is too long" } else { "the connection was closed" }));
        }
    }
}

/// Moves bytes both ways until one side ends; says why it did.
async fn pump<S: Seal>(seal: S, tcp: TcpStream, local: UnixStream, chunk: usize) -> String {
    let seal = Arc::new(Mutex::new(seal));
    let (mut from_tcp, mut to_tcp) = tcp.into_split();
    let (mut from_local, mut to_local) = local.into_split();
    let opening = seal.clone();
    let inward = async {
        let mut frame = Vec::new();
        loop {
            let length = from_tcp.read_u32().await.map_err(|error| error.to_string())?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > limits::SEALED_FRAME_BYTES_MAX {
                return Err::<(), String>(format!("a frame of {length} bytes"));
            }
            frame.resize(length, 0);
            from_tcp.read_exact(&mut frame).await.map_err(|error| error.to_string())?;
            let plain = opening.lock().unwrap_or_else(PoisonError::into_inner).unwrap(&frame)?;
            to_local.write_all(&plain).await.map_err(|error| error.to_string())?;
        }
    };
    let outward = async {
        let mut plain = vec![0; chunk];
        loop {
            let read = from_local.read(&mut plain).await.map_err(|error| error.to_string())?;
            if read == 0 {
                return Err::<(), String>("closed by us".to_owned());
            }
            let sealed = seal.lock().unwrap_or_else(PoisonError::into_inner).wrap(&plain[..read])?;
            let length = u32::try_from(sealed.len()).map_err(|_| "a frame that is too long".to_owned())?;
            let frame = [&length.to_be_bytes()[..], &sealed].concat();
            to_tcp.write_all(&frame).await.map_err(|error| error.to_string())?;
        }
    };
    let ended = tokio::select! {
        ended = inward => ended,
        ended = outward => ended,
    };
    ended.err().unwrap_or_default()
}

fn not_bound(account: &Kerberos, answer: &BindAnswer) -> Error {
    refused(Request::Bind, &account.principal, answer.result_code, &answer.diagnostic)
}

fn not_proved(error: impl std::fmt::Display) -> Error {
    let text = format!("the controller did not prove who it is: {error:#}");
    Error::Unreachable { code: Code::BindRefused, text }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: std::io::Error) -> Error {
    Error::Unreachable { code: Code::EndpointUnavailable, text: error.to_string() }
}

fn unusable(why: &str) -> Error {
    let text = format!("the controller's answer to the Kerberos bind cannot be used: {why}");
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}

#[cfg(test)]
mod tests;
