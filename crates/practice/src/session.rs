//! One connection: TLS, requests one after another, faults.

use std::sync::Arc;
use std::time::Duration;

use rasn::types::SetOf;
use rasn_ldap::{
    AddResponse, AuthenticationChoice, BindRequest, BindResponse, CompareResponse, Control, DelResponse,
    ExtendedRequest, ExtendedResponse, LdapMessage, LdapResult, ModifyDnResponse, ModifyResponse, ProtocolOp,
    ResultCode, SearchRequest, SearchResultDone,
};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::fault::{CONTROL_OID, Fault, Struck};
use crate::refusal::{Refusal, anonymous, bad_credentials, outside};
use crate::tree::Tree;
use crate::wire::PAGED;
use crate::{Error, Shared, change, lock, search, wire};

/// What follows from a request.
enum Reply {
    Messages(Vec<LdapMessage>),
    Close,
}

/// Serves a connection to its end.
pub(crate) async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> Result<(), Error> {
    let mut dropped = shared.generation.subscribe();
    tcp.set_nodelay(true)?;
    let work = async {
        let mut stream = BufReader::with_capacity(64 * 1024, acceptor.accept(tcp).await?);
        let mut session = Session { shared: Arc::clone(&shared), bound: false };
        while let Some(message) = wire::read(&mut stream).await? {
            let delay_ms = lock(&shared.faults).delay_ms;
            if delay_ms > 0 {
                tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
            }
            let Reply::Messages(replies) = session.handle(message) else { break };
            let mut bytes = Vec::new();
            for reply in replies {
                bytes.append(&mut wire::encode(&reply)?);
            }
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = work => ended,
        _ = dropped.changed() => Ok(()),
    }
}

struct Session {
    shared: Arc<Shared>,
    bound: bool,
}

impl Session {
    fn handle(&mut self, message: LdapMessage) -> Reply {
        let id = message.message_id;
        let controls = message.controls.unwrap_or_default();
        let op = match message.protocol_op {
            ProtocolOp::BindRequest(request) => self.bind(&request),
            ProtocolOp::SearchRequest(request) => return self.search(id, &request, &controls),
            ProtocolOp::ExtendedReq(request) => match self.extended(&request) {
                Some(op) => op,
                None => return Reply::Close,
            },
            ProtocolOp::CompareRequest(_) => {
                let refused = if self.bound { outside("a compare") } else { anonymous() };
                ProtocolOp::CompareResponse(CompareResponse(result(Err(refused))))
            }
            ProtocolOp::AbandonRequest(_) => return Reply::Messages(Vec::new()),
            write => match self.write(write, &controls) {
                Some(op) => op,
                None => return Reply::Close,
            },
        };
        Reply::Messages(vec![LdapMessage::new(id, op)])
    }

    fn bind(&mut self, request: &BindRequest) -> ProtocolOp {
        let tree = lock(&self.shared.tree);
        // As recorded, a bind refused leaves the connection as whom it was.
        let refused = match &request.authentication {
            AuthenticationChoice::Simple(password) if request.version == 3 => {
                if request.name.is_empty() {
                    self.bound = false;
                    if password.is_empty() { None } else { Some(bad_credentials("52e")) }
                } else {
                    let checked = search::bind(&tree, &request.name, password);
                    self.bound |= checked.is_ok();
                    checked.err()
                }
            }
            _ => Some(outside("a bind other than simple, version 3")),
        };
        let LdapResult { result_code, matched_dn, diagnostic_message, .. } = result(refused.map_or(Ok(()), Err));
        ProtocolOp::BindResponse(BindResponse::new(result_code, matched_dn, diagnostic_message, None, None))
    }

    fn search(&self, id: u32, request: &SearchRequest, controls: &[Control]) -> Reply {
        let tree = lock(&self.shared.tree);
        let found = search::page_of(controls).and_then(|page| match lock(&self.shared.faults).on_search() {
            _ if request.base_object.is_empty() => search::root_dse(&tree, request),
            _ if !self.bound => Err(anonymous()),
            Struck::Busy => Err(busy()),
            _ => search::search(&tree, request, page),
        });
        let mut messages = Vec::new();
        let (end, page) = match found {
            Ok(found) => {
                let entries = found.entries.into_iter().map(ProtocolOp::SearchResEntry);
                messages.extend(entries.map(|entry| LdapMessage::new(id, entry)));
                (wire::result(found.code, ""), found.page)
            }
            Err(refusal) => (result(Err(refusal)), None),
        };
        let mut done = LdapMessage::new(id, ProtocolOp::SearchResDone(SearchResultDone(end)));
        let value = page.and_then(|page| rasn::ber::encode(&page).ok());
        done.controls = value.map(|value| vec![Control::new(PAGED.as_bytes().into(), false, Some(value.into()))]);
        messages.push(done);
        Reply::Messages(messages)
    }

    /// The only extended operation is ours: to ask for a fault. `None`: the connection is dropped.
    fn extended(&self, request: &ExtendedRequest) -> Option<ProtocolOp> {
        let oid = String::from_utf8_lossy(&request.request_name).into_owned();
        let text = String::from_utf8_lossy(request.request_value.as_deref().unwrap_or_default()).into_owned();
        let done = if oid != CONTROL_OID {
            let text = format!("Extended Operation({oid}) not supported");
            Err(Refusal::new(ResultCode::ProtocolError, text))
        } else if self.bound {
            text.parse::<Fault>().map_err(|error| Refusal::new(ResultCode::ProtocolError, error.to_string()))
        } else {
            Err(anonymous())
        };
        if let Ok(fault) = done {
            self.shared.ask_for(fault);
            if fault == Fault::DropConnections {
                return None;
            }
        }
        let LdapResult { result_code, matched_dn, diagnostic_message, .. } = result(done.map(|_| ()));
        Some(ProtocolOp::ExtendedResp(ExtendedResponse {
            result_code,
            matched_dn,
            diagnostic_message,
            referral: None,
            response_name: None,
            response_value: None,
        }))
    }

    /// Add, modify, rename, delete. `None`: the connection is to be dropped.
    fn write(&self, op: ProtocolOp, controls: &[Control]) -> Option<ProtocolOp> {
        let answer = match &op {
            ProtocolOp::AddRequest(_) => |done| ProtocolOp::AddResponse(AddResponse(done)),
            ProtocolOp::ModifyRequest(_) => |done| ProtocolOp::ModifyResponse(ModifyResponse(done)),
            ProtocolOp::ModDnRequest(_) => |done| ProtocolOp::ModDnResponse(ModifyDnResponse(done)),
            ProtocolOp::DelRequest(_) => |done| ProtocolOp::DelResponse(DelResponse(done)),
            // Unbind, and what no client may send.
            _ => return None,
        };
        if !self.bound {
            return Some(answer(result(Err(anonymous()))));
        }
        if controls.iter().any(|control| control.criticality) {
            return Some(answer(result(Err(outside("a write with a critical control")))));
        }
        let mut tree = lock(&self.shared.tree);
        let struck = lock(&self.shared.faults).on_write();
        let done = match struck {
            Struck::Busy => Err(busy()),
            Struck::Unwilling => Err(Refusal::new(ResultCode::UnwillingToPerform, "00002035: unwilling, as asked for")),
            Struck::DropBeforeCommit => return None,
            Struck::No | Struck::DropAfterCommit => apply(&mut tree, op),
        };
        (struck != Struck::DropAfterCommit).then(|| answer(result(done)))
    }
}

fn apply(tree: &mut Tree, op: ProtocolOp) -> Result<(), Refusal> {
    match op {
        ProtocolOp::AddRequest(request) => {
            let attributes = request.attributes.into_iter().map(|a| (a.r#type.0, bytes(a.vals))).collect();
            change::add(tree, &request.entry, attributes)
        }
        ProtocolOp::ModifyRequest(request) => {
            let changes =
                request.changes.into_iter().map(|c| (c.operation, c.modification.r#type.0, bytes(c.modification.vals)));
            change::modify(tree, &request.object, changes.collect())
        }
        ProtocolOp::ModDnRequest(request) => change::rename(tree, &request),
        ProtocolOp::DelRequest(request) => change::delete(tree, &request.0),
        _ => Err(outside("this operation")),
    }
}

fn bytes(values: SetOf<rasn_ldap::AttributeValue>) -> Vec<Vec<u8>> {
    values.into_vec().into_iter().map(|value| value.to_vec()).collect()
}

fn busy() -> Refusal {
    Refusal::new(ResultCode::Busy, "0000200E: busy, as asked for")
}

fn result(done: Result<(), Refusal>) -> LdapResult {
    match done {
        Ok(()) => wire::result(ResultCode::Success, ""),
        Err(refusal) => wire::result(refusal.code, &refusal.text),
    }
}
