//! Transcripts: what a directory answered to a list of requests, and the client that plays them.
//!
//! A transcript is a file of JSON lines, one [`Step`] each. Recording fills in the answers, replaying compares them.
//! Every transcript has a container of its own, `{ou}`, which is made before it and removed after it. In requests,
//! `{ou} {base} {domain} {netbios} {bind} {password}` stand for facts of the target, `{guid:x}` and `{usn:x}` for
//! what an earlier step kept under the name `x`. In answers, volatile values are numbered in order of appearance, so
//! that it shows which are the same (`usn 1` twice: not raised in between).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use rasn::types::{OctetString, SetOf};
use rasn_ldap::{
    AddRequest, Attribute, AttributeValueAssertion, AuthenticationChoice, BindRequest, ChangeOperation, Control,
    DelRequest, ExtendedRequest, Filter, LdapMessage, LdapResult, ModifyDnRequest, ModifyRequest, ModifyRequestChanges,
    PartialAttribute, ProtocolOp, SearchRequest, SearchRequestDerefAliases, SearchRequestScope, SearchResultEntry,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

use rollcall_practice::wire::{self, CONTROLS, PAGED, Page};

/// Where to play a transcript, and as whom. The bind identity must be allowed to do anything below `ou`.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port` of an LDAPS listener.
    pub address: String,
    /// PEM of the authority that signed its certificate.
    pub ca_pem: Vec<u8>,
    /// A DN or userPrincipalName.
    pub bind: String,
    pub password: SecretString,
    /// DN of the domain, for instance `DC=corp,DC=example,DC=test`.
    pub base: String,
    /// The domain's NetBIOS name.
    pub netbios: String,
    /// DN of an existing container in which each transcript makes its own.
    pub ou: String,
}

/// One request and its recorded answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub ask: Request,
    /// A name under which objectGUID and USN of the first entry found are kept for later steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// `None`: not recorded yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// A request, its values as text where they are text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    Bind {
        name: String,
        password: String,
    },
    Add {
        dn: String,
        attributes: Vec<(String, Vec<Value>)>,
    },
    Modify {
        dn: String,
        changes: Vec<(Change, String, Vec<Value>)>,
    },
    Rename {
        dn: String,
        rdn: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    Delete(String),
    Search {
        base: String,
        scope: Scope,
        filter: Test,
        attributes: Vec<String>,
        /// Entries to a page; all pages are fetched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// An extended operation by its OID.
    Extended(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    Base,
    One,
    Sub,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    Add,
    Delete,
    Replace,
}

/// A search filter (RFC 4511 4.5.1.7).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Equal(String, Value),
    AtLeast(String, Value),
    Present(String),
}

/// An attribute value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    /// A password as `unicodePwd` wants it: in quotes, UTF-16 (MS-ADTS 3.1.1.3.1.5.1).
    Password {
        password: String,
    },
    Repeat {
        repeat: (String, usize),
    },
    /// The 16 bytes of a GUID.
    Guid {
        guid: String,
    },
}

/// What came back, with everything volatile normalised.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// LDAP result code.
    pub code: u32,
    /// The eight hexadecimal digits a diagnostic begins with, and what stands behind `data` in that of a bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// Those attributes of the request that the diagnostic names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
    /// Sorted by DN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Found>,
    /// Entries of each page, where paging was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<usize>,
    /// The diagnostic, for the reader; not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.hex, &self.names, &self.entries, &self.pages)
            == (other.code, &other.hex, &other.names, &other.entries, &other.pages)
    }
}

/// An entry found: its attributes, values sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub dn: String,
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// An answer that is not the recorded one.
#[derive(Debug)]
pub struct Mismatch {
    /// Line of the transcript, from 1.
    pub line: usize,
    pub request: String,
    pub recorded: Option<Answer>,
    pub found: Answer,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |answer| serde_json::to_string(&answer).unwrap_or_default();
        let (recorded, found) = (json(self.recorded.as_ref()), json(Some(&self.found)));
        write!(f, "line {}: {}\n  recorded {recorded}\n  found    {found}", self.line, self.request)
    }
}

/// What can go wrong with playing a transcript.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("certificate: {0}")]
    Certificate(String),
    #[error("transcript: {0}")]
    Transcript(String),
}

/// Why a replay did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Failed(#[from] Error),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Differs(Vec<Mismatch>),
}

/// Plays a transcript (its text; `name` names its container) and compares. The number of steps, all alike.
pub async fn replay(target: &Target, name: &str, transcript: &str) -> Result<usize, ReplayError> {
    let steps = parse(transcript)?;
    let played = play(target, name, &steps).await?;
    let differs = |(at, (step, found)): (usize, (&Step, &Answer))| {
        (step.answer.as_ref() != Some(found)).then(|| Mismatch {
            line: at + 1,
            request: serde_json::to_string(&step.ask).unwrap_or_default(),
            recorded: step.answer.clone(),
            found: found.clone(),
        })
    };
    let mismatches: Vec<_> = steps.iter().zip(&played).enumerate().filter_map(differs).collect();
    if mismatches.is_empty() { Ok(steps.len()) } else { Err(ReplayError::Differs(mismatches)) }
}

/// Plays a transcript and gives its text back with the answers of this target in it.
pub async fn record(target: &Target, name: &str, transcript: &str) -> Result<String, Error> {
    let mut steps = parse(transcript)?;
    let played = play(target, name, &steps).await?;
    let mut text = String::new();
    for (step, answer) in steps.iter_mut().zip(played) {
        step.answer = Some(answer);
        text.push_str(&serde_json::to_string(step).map_err(|error| Error::Transcript(error.to_string()))?);
        text.push('\n');
    }
    Ok(text)
}

fn parse(transcript: &str) -> Result<Vec<Step>, Error> {
    let step = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Transcript(format!("line {}: {error}", at + 1)))
    };
    transcript.lines().enumerate().map(step).collect()
}

async fn play(target: &Target, name: &str, steps: &[Step]) -> Result<Vec<Answer>, Error> {
    let mut player = Player::connect(target, name).await?;
    player.bind().await?;
    player.sweep().await?;
    let ou = vec![("objectClass".to_owned(), vec![Value::Text("organizationalUnit".to_owned())])];
    let made = player.ask(&Request::Add { dn: player.ou.clone(), attributes: ou }).await?;
    if made.code != 0 {
        return Err(Error::Transcript(format!("the container {} cannot be made: {}", player.ou, made.text)));
    }
    let mut answers = Vec::with_capacity(steps.len());
    for step in steps {
        answers.push(player.step(step).await?);
    }
    player.bind().await?;
    player.sweep().await?;
    Ok(answers)
}

/// A connection and what has been seen on it.
struct Player {
    stream: BufReader<TlsStream<TcpStream>>,
    last_id: u32,
    bind: Request,
    /// Placeholders and their values.
    facts: Vec<(String, String)>,
    ou: String,
    /// Raw value to its number, by kind.
    seen: HashMap<&'static str, Vec<String>>,
}

impl Player {
    async fn connect(target: &Target, name: &str) -> Result<Self, Error> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&target.ca_pem) {
            roots.add(certificate.map_err(|error| Error::Certificate(error.to_string()))?)?;
        }
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
        let host = target.address.rsplit_once(':').map_or(target.address.as_str(), |(host, _)| host);
        let host = ServerName::try_from(host.to_owned()).map_err(|error| Error::Certificate(error.to_string()))?;
        let tcp = TcpStream::connect(&target.address).await?;
        let stream = BufReader::new(TlsConnector::from(Arc::new(config)).connect(host, tcp).await?);
        let ou = format!("OU={name},{}", target.ou);
        let domain = target.base.to_lowercase().replace("dc=", "").replace(',', ".");
        let password = target.password.expose_secret().to_owned();
        let facts = [
            ("{ou}", &ou),
            ("{base}", &target.base),
            ("{domain}", &domain),
            ("{netbios}", &target.netbios),
            ("{bind}", &target.bind),
            ("{password}", &password),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.clone())).to_vec();
        let bind = Request::Bind { name: target.bind.clone(), password };
        Ok(Self { stream, last_id: 0, bind, facts, ou, seen: HashMap::new() })
    }

    async fn bind(&mut self) -> Result<(), Error> {
        let answer = self.ask(&self.bind.clone()).await?;
        if answer.code == 0 { Ok(()) } else { Err(Error::Transcript(format!("bind refused: {}", answer.text))) }
    }

    /// Removes the container and what is in it, leaves first.
    async fn sweep(&mut self) -> Result<(), Error> {
        let filter = Test::Present("objectClass".to_owned());
        let attributes = vec!["1.1".to_owned()];
        let (base, scope) = (self.ou.clone(), Scope::Sub);
        let all = Request::Search { base, scope, filter, attributes, page: Some(500), limit: None };
        let (_, entries, _) = self.search(&all).await?;
        let mut names: Vec<String> = entries.iter().map(|entry| entry.object_name.to_string()).collect();
        names.sort_by_key(|dn| std::cmp::Reverse(dn.matches('=').count()));
        for dn in names {
            self.ask(&Request::Delete(dn)).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<Answer, Error> {
        let broken = |error: serde_json::Error| Error::Transcript(error.to_string());
        let mut text = serde_json::to_string(&step.ask).map_err(broken)?;
        for (name, value) in &self.facts {
            let quoted = serde_json::to_string(value).map_err(broken)?;
            text = text.replace(name, quoted.trim_matches('"'));
        }
        let request: Request = serde_json::from_str(&text).map_err(broken)?;
        if !matches!(request, Request::Search { .. }) {
            return self.ask(&request).await;
        }
        let (mut answer, entries, pages) = self.search(&request).await?;
        if let (Some(name), Some(first)) = (&step.keep, entries.first()) {
            self.keep(name, first);
        }
        answer.pages = if matches!(request, Request::Search { page: Some(_), .. }) { pages } else { Vec::new() };
        let mut sorted = entries;
        sorted.sort_by_key(|entry| entry.object_name.to_lowercase());
        answer.entries = sorted.iter().map(|entry| self.normalise(entry)).collect();
        Ok(answer)
    }

    fn keep(&mut self, name: &str, entry: &SearchResultEntry) {
        for attribute in &entry.attributes {
            let Some(value) = attribute.vals.iter().next() else { continue };
            match attribute.r#type.as_str() {
                "objectGUID" => {
                    if let Ok(bytes) = <[u8; 16]>::try_from(&value[..]) {
                        self.facts.push((format!("{{guid:{name}}}"), Uuid::from_bytes_le(bytes).to_string()));
                    }
                }
                "uSNChanged" | "highestCommittedUSN" => {
                    self.facts.push((format!("{{usn:{name}}}"), String::from_utf8_lossy(value).into_owned()));
                }
                _ => {}
            }
        }
    }

    fn normalise(&mut self, entry: &SearchResultEntry) -> Found {
        let mut attributes = BTreeMap::new();
        for attribute in &entry.attributes {
            let name = attribute.r#type.to_string();
            let mut values: Vec<String> = attribute.vals.iter().map(|v| self.value(&name, v)).collect();
            values.sort();
            values.dedup();
            if name == "supportedControl" {
                values.retain(|oid| CONTROLS.contains(&oid.as_str()));
            }
            attributes.insert(name, values);
        }
        Found { dn: self.neutral(&entry.object_name), attributes }
    }

    fn value(&mut self, name: &str, raw: &[u8]) -> String {
        let text =
            String::from_utf8(raw.to_vec()).unwrap_or_else(|_| format!("base64:{}", data_encoding::BASE64.encode(raw)));
        let kind = match name {
            "objectGUID" => "guid",
            "uSNChanged" | "uSNCreated" => "usn",
            "whenCreated" | "whenChanged" | "currentTime" | "lastLogonTimestamp" => return "time".to_owned(),
            "pwdLastSet" | "lastLogon" if text != "0" => return "time".to_owned(),
            "objectSid" | "invocationId" | "highestCommittedUSN" | "dnsHostName" | "dsServiceName" => {
                return "any".to_owned();
            }
            _ => return self.neutral(&text),
        };
        let seen = self.seen.entry(kind).or_default();
        let at = seen.iter().position(|one| *one == text).unwrap_or_else(|| {
            seen.push(text);
            seen.len() - 1
        });
        format!("{kind} {}", at + 1)
    }

    /// The text with the target's own names taken out again.
    fn neutral(&self, text: &str) -> String {
        let facts = self.facts.iter().filter(|(name, _)| ["{ou}", "{base}", "{domain}"].contains(&name.as_str()));
        facts.fold(text.to_owned(), |text, (name, value)| text.replace(value, name))
    }

    /// Sends a request that is answered by one result.
    async fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        let (op, names) = operation(request);
        let messages = self.exchange(op, None).await?;
        let last = messages.last().and_then(|message| outcome(&message.protocol_op));
        let result = last.ok_or_else(|| Error::Transcript("an answer of another kind".to_owned()))?;
        Ok(self.answer(&result, &names))
    }

    /// Sends a search, page by page where asked for: result, entries, entries of each page.
    async fn search(&mut self, request: &Request) -> Result<(Answer, Vec<SearchResultEntry>, Vec<usize>), Error> {
        let (op, names) = operation(request);
        let size = if let Request::Search { page, .. } = request { *page } else { None };
        let (mut entries, mut pages, mut cookie) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let control = size.map(|size| Control::new(PAGED.as_bytes().into(), true, encode_page(size, &cookie)));
            let messages = self.exchange(op.clone(), control).await?;
            let before = entries.len();
            let mut done = None;
            for message in messages {
                match message.protocol_op {
                    ProtocolOp::SearchResEntry(entry) => entries.push(entry),
                    other => done = outcome(&other).map(|result| (result, message.controls)),
                }
            }
            pages.push(entries.len() - before);
            let Some((result, controls)) = done else { continue };
            let page = controls
                .iter()
                .flatten()
                .find_map(|control| rasn::ber::decode::<Page>(control.control_value.as_deref()?).ok());
            cookie = page.map(|page| page.cookie.to_vec()).unwrap_or_default();
            if cookie.is_empty() {
                return Ok((self.answer(&result, &names), entries, pages));
            }
        }
    }

    fn answer(&self, result: &LdapResult, names: &BTreeSet<String>) -> Answer {
        let raw = result.diagnostic_message.as_str();
        let is_hex = |text: &&str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let data = raw.split_once(" data ").and_then(|(_, rest)| rest.split([',', ' ']).next());
        let hex = raw.get(..8).filter(|text| is_hex(text) && *text != "00000000").map(|hex| match data {
            Some(data) if raw.contains("AcceptSecurityContext") => format!("{hex} data {data}"),
            _ => hex.to_owned(),
        });
        // Names inside a DN are not meant.
        let words: BTreeSet<&str> = raw.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '=').collect();
        let names = names.iter().filter(|name| words.contains(name.as_str())).cloned().collect();
        let text = if hex.is_some() || result.result_code as u32 != 0 {
            self.neutral(raw.trim_end_matches('\0'))
        } else {
            String::new()
        };
        Answer { code: result.result_code as u32, hex, names, text, ..Answer::default() }
    }

    async fn exchange(&mut self, op: ProtocolOp, control: Option<Control>) -> Result<Vec<LdapMessage>, Error> {
        self.last_id += 1;
        let mut message = LdapMessage::new(self.last_id, op);
        message.controls = control.map(|control| vec![control]);
        self.stream.write_all(&wire::encode(&message)?).await?;
        self.stream.flush().await?;
        let mut messages = Vec::new();
        loop {
            let message = wire::read(&mut self.stream).await?;
            let message = message.ok_or_else(|| Error::Transcript("the connection was closed".to_owned()))?;
            let last = !matches!(message.protocol_op, ProtocolOp::SearchResEntry(_) | ProtocolOp::SearchResRef(_));
            messages.push(message);
            if last {
                return Ok(messages);
            }
        }
    }
}

/// The result in an answer, whatever its kind.
fn outcome(op: &ProtocolOp) -> Option<LdapResult> {
    Some(match op {
        ProtocolOp::BindResponse(r) => LdapResult::new(r.result_code, "".into(), r.diagnostic_message.clone()),
        ProtocolOp::ExtendedResp(r) => LdapResult::new(r.result_code, "".into(), r.diagnostic_message.clone()),
        ProtocolOp::AddResponse(r) => r.0.clone(),
        ProtocolOp::ModifyResponse(r) => r.0.clone(),
        ProtocolOp::ModDnResponse(r) => r.0.clone(),
        ProtocolOp::DelResponse(r) => r.0.clone(),
        ProtocolOp::SearchResDone(r) => r.0.clone(),
        _ => return None,
    })
}

/// The request as LDAP, and the attributes it names.
fn operation(request: &Request) -> (ProtocolOp, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    let op = match request {
        Request::Bind { name, password } => {
            let simple = AuthenticationChoice::Simple(password.clone().into_bytes().into());
            ProtocolOp::BindRequest(BindRequest::new(3, name.as_str().into(), simple))
        }
        Request::Add { dn, attributes } => {
            names.extend(attributes.iter().map(|(name, _)| name.clone()));
            let attributes = attributes.iter().map(|(name, values)| Attribute::new(name.as_str().into(), set(values)));
            ProtocolOp::AddRequest(AddRequest { entry: dn.as_str().into(), attributes: attributes.collect() })
        }
        Request::Modify { dn, changes } => {
            names.extend(changes.iter().map(|(_, name, _)| name.clone()));
            let changes = changes.iter().map(|(change, name, values)| ModifyRequestChanges {
                operation: match change {
                    Change::Add => ChangeOperation::Add,
                    Change::Delete => ChangeOperation::Delete,
                    Change::Replace => ChangeOperation::Replace,
                },
                modification: PartialAttribute::new(name.as_str().into(), set(values)),
            });
            ProtocolOp::ModifyRequest(ModifyRequest { object: dn.as_str().into(), changes: changes.collect() })
        }
        Request::Rename { dn, rdn, to } => ProtocolOp::ModDnRequest(ModifyDnRequest {
            entry: dn.as_str().into(),
            new_rdn: rdn.as_str().into(),
            delete_old_rdn: true,
            new_superior: to.as_deref().map(Into::into),
        }),
        Request::Delete(dn) => ProtocolOp::DelRequest(DelRequest(dn.as_str().into())),
        Request::Search { base, scope, filter, attributes, limit, .. } => {
            let scope = match scope {
                Scope::Base => SearchRequestScope::BaseObject,
                Scope::One => SearchRequestScope::SingleLevel,
                Scope::Sub => SearchRequestScope::WholeSubtree,
            };
            let attributes = attributes.iter().map(|name| name.as_str().into()).collect();
            let (base, aliases) = (base.as_str().into(), SearchRequestDerefAliases::NeverDerefAliases);
            let limit = limit.unwrap_or(0);
            let filter = ldap_filter(filter);
            ProtocolOp::SearchRequest(SearchRequest::new(base, scope, aliases, limit, 0, false, filter, attributes))
        }
        Request::Extended(oid) => {
            let request_name = oid.clone().into_bytes().into();
            ProtocolOp::ExtendedReq(ExtendedRequest { request_name, request_value: None })
        }
    };
    (op, names)
}

fn encode_page(size: u32, cookie: &[u8]) -> Option<OctetString> {
    rasn::ber::encode(&Page { size, cookie: cookie.into() }).ok().map(Into::into)
}

fn ldap_filter(test: &Test) -> Filter {
    let assertion =
        |name: &String, value: &Value| AttributeValueAssertion::new(name.as_str().into(), bytes(value).into());
    match test {
        Test::And(all) => Filter::And(SetOf::from_vec(all.iter().map(ldap_filter).collect())),
        Test::Or(any) => Filter::Or(SetOf::from_vec(any.iter().map(ldap_filter).collect())),
        Test::Not(one) => Filter::Not(Box::new(ldap_filter(one))),
        Test::Equal(name, value) => Filter::EqualityMatch(assertion(name, value)),
        Test::AtLeast(name, value) => Filter::GreaterOrEqual(assertion(name, value)),
        Test::Present(name) => Filter::Present(name.as_str().into()),
    }
}

fn set(values: &[Value]) -> SetOf<rasn_ldap::AttributeValue> {
    SetOf::from_vec(values.iter().map(|value| bytes(value).into()).collect())
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Password { password } => format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Value::Repeat { repeat: (text, times) } => text.repeat(*times).into_bytes(),
        Value::Guid { guid } => Uuid::parse_str(guid).map(|guid| guid.to_bytes_le().to_vec()).unwrap_or_default(),
    }
}
