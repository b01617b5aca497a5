//! One connection: TLS, requests one after another, faults.

use std::sync::Arc;
use std::time::Duration;

use rasn::types::SetOf;
use rasn_ldap::{
    AddResponse, AuthenticationChoice, BindRequest, BindResponse, CompareResponse, Control, DelResponse,
    ExtendedRequest, ExtendedResponse, LdapMessage, LdapResult, ModifyDnResponse, ModifyResponse, ProtocolOp as Op,
    ResultCode, SearchRequest, SearchResultDone,
};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::fault::{CONTROL_OID, Fault, Kind};
use crate::refusal::{Refusal, anonymous, outside};
use crate::tree::Tree;
use crate::wire::PAGED;
use crate::{Error, Shared, change, lock, search, wire};

/// Serves a connection to its end.
pub(crate) async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut dropped = shared.generation.subscribe();
    let work = async {
        tcp.set_nodelay(true)?;
        let mut stream = BufReader::with_capacity(64 * 1024, acceptor.accept(tcp).await?);
        let mut session = Session { shared: Arc::clone(&shared), bound: false };
        while let Some(message) = wire::read(&mut stream).await? {
            let delay_ms = lock(&shared.faults).0.get(&Kind::DelayMs).copied();
            if let Some(delay_ms) = delay_ms {
                tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
            }
            let Some(replies) = session.handle(message) else { break };
            let mut bytes = Vec::new();
            for reply in replies {
                bytes.append(&mut wire::encode(&reply)?);
            }
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        ended = work => tracing::debug!(?ended, "connection ended"),
        _ = dropped.changed() => {}
    }
}

struct Session {
    shared: Arc<Shared>,
    bound: bool,
}

impl Session {
    /// The answers to a request; `None`: the connection is to be dropped.
    fn handle(&mut self, message: LdapMessage) -> Option<Vec<LdapMessage>> {
        let id = message.message_id;
        let controls = message.controls.unwrap_or_default();
        let op = match message.protocol_op {
            Op::BindRequest(request) => {
                let LdapResult { result_code, matched_dn, diagnostic_message, .. } = result(self.bind(&request));
                let answer = BindResponse::new(result_code, matched_dn, diagnostic_message, None, None);
                Op::BindResponse(answer)
            }
            Op::SearchRequest(request) => return Some(self.search(id, &request, &controls)),
            Op::ExtendedReq(request) => extended_response(result(self.extended(&request))),
            Op::CompareRequest(_) => Op::CompareResponse(CompareResponse(result(Err(outside("a compare"))))),
            Op::AbandonRequest(_) => return Some(Vec::new()),
            write => self.write(write, &controls)?,
        };
        Some(vec![LdapMessage::new(id, op)])
    }

    /// As recorded, a bind refused leaves the connection as whom it was.
    fn bind(&mut self, request: &BindRequest) -> Result<(), Refusal> {
        let password = match &request.authentication {
            AuthenticationChoice::Simple(password) if request.version == 3 => password,
            _ => return Err(outside("a bind other than simple, version 3")),
        };
        if !(request.name.is_empty() && password.is_empty()) {
            search::bind(&lock(&self.shared.tree), &request.name, password)?;
        }
        self.bound = !request.name.is_empty();
        Ok(())
    }

    fn search(&self, id: u32, request: &SearchRequest, controls: &[Control]) -> Vec<LdapMessage> {
        let done = |result| Op::SearchResDone(SearchResultDone(result));
        let tree = lock(&self.shared.tree);
        let found = search::page_of(controls).and_then(|page| match lock(&self.shared.faults).next(&[Kind::Busy]) {
            _ if request.base_object.is_empty() => search::root_dse(&tree, request),
            _ if !self.bound => Err(anonymous()),
            Some(_) => Err(asked_for(ResultCode::Busy, "0000200E")),
            None => search::search(&tree, request, page),
        });
        let (entries, code, page) = match found {
            Ok(found) => found,
            Err(refusal) => return vec![LdapMessage::new(id, done(result(Err(refusal))))],
        };
        let entries = entries.into_iter().map(|entry| LdapMessage::new(id, Op::SearchResEntry(entry)));
        let mut messages: Vec<_> = entries.collect();
        let mut done = LdapMessage::new(id, done(LdapResult::new(code, "".into(), "".into())));
        let value = page.and_then(|page| rasn::ber::encode(&page).ok());
        done.controls = value.map(|value| vec![Control::new(PAGED.as_bytes().into(), false, Some(value.into()))]);
        messages.push(done);
        messages
    }

    /// The only extended operation is ours: to ask for a fault.
    fn extended(&self, request: &ExtendedRequest) -> Result<(), Refusal> {
        let oid = String::from_utf8_lossy(&request.request_name);
        let text = String::from_utf8_lossy(request.request_value.as_deref().unwrap_or_default());
        let refuse = |text| Refusal::new(ResultCode::ProtocolError, text);
        match Fault::parse(&text) {
            _ if oid != CONTROL_OID => Err(refuse(format!("Extended Operation({oid}) not supported"))),
            _ if !self.bound => Err(anonymous()),
            None => Err(refuse(format!("'{text}' is no fault"))),
            Some(fault) => {
                self.shared.ask_for(fault);
                Ok(())
            }
        }
    }

    /// Add, modify, rename, delete. `None`: the connection is to be dropped.
    fn write(&self, op: Op, controls: &[Control]) -> Option<Op> {
        let answer = match &op {
            Op::AddRequest(_) => |done| Op::AddResponse(AddResponse(done)),
            Op::ModifyRequest(_) => |done| Op::ModifyResponse(ModifyResponse(done)),
            Op::ModDnRequest(_) => |done| Op::ModDnResponse(ModifyDnResponse(done)),
            Op::DelRequest(_) => |done| Op::DelResponse(DelResponse(done)),
            // Unbind, and what no client may send.
            _ => return None,
        };
        let mut tree = lock(&self.shared.tree);
        let faults = [Kind::Busy, Kind::Unwilling, Kind::DropBeforeCommit, Kind::DropAfterCommit];
        let struck = lock(&self.shared.faults).next(&faults);
        let done = match struck {
            _ if !self.bound => Err(anonymous()),
            _ if controls.iter().any(|control| control.criticality) => Err(outside("a write with a critical control")),
            Some(Kind::Busy) => Err(asked_for(ResultCode::Busy, "0000200E")),
            Some(Kind::Unwilling) => Err(asked_for(ResultCode::UnwillingToPerform, "00002035")),
            Some(Kind::DropBeforeCommit) => return None,
            _ => apply(&mut tree, op),
        };
        (struck != Some(Kind::DropAfterCommit)).then(|| answer(result(done)))
    }
}

fn apply(tree: &mut Tree, op: Op) -> Result<(), Refusal> {
    match op {
        Op::AddRequest(request) => {
            let attributes = request.attributes.into_iter().map(|a| (a.r#type.0, bytes(a.vals))).collect();
            change::add(tree, &request.entry, attributes)
        }
        Op::ModifyRequest(request) => {
            let changes =
                request.changes.into_iter().map(|c| (c.operation, c.modification.r#type.0, bytes(c.modification.vals)));
            change::modify(tree, &request.object, changes.collect())
        }
        Op::ModDnRequest(request) => change::rename(tree, &request),
        Op::DelRequest(request) => change::delete(tree, &request.0),
        _ => Err(outside("this operation")),
    }
}

fn bytes(values: SetOf<rasn_ldap::AttributeValue>) -> Vec<Vec<u8>> {
    values.into_vec().into_iter().map(|value| value.to_vec()).collect()
}

fn asked_for(code: ResultCode, hex: &str) -> Refusal {
    Refusal::new(code, format!("{hex}: as asked for"))
}

fn result(done: Result<(), Refusal>) -> LdapResult {
    let Refusal { code, text } = done.err().unwrap_or_else(|| Refusal::new(ResultCode::Success, ""));
    LdapResult::new(code, "".into(), text.into())
}

fn extended_response(result: LdapResult) -> Op {
    Op::ExtendedResp(ExtendedResponse {
        result_code: result.result_code,
        matched_dn: result.matched_dn,
        diagnostic_message: result.diagnostic_message,
        referral: None,
        response_name: None,
        response_value: None,
    })
}
