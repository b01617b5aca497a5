//! Enrolment: the agent makes its own key, and shows a one-time token to have it known.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_model::ids::AgentId;
use rollcall_wire::link::{EnrollRequest, EnrollResponse};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::address::{self, Address};
use crate::proxy::Proxy;
use crate::{Error, files, keys};

/// Longest wait for the service's answer.
const ANSWER_MS_MAX: u64 = 30_000;

/// Who this agent is; `agent.json` in the data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    pub agent: AgentId,
    /// DNS name of the domain it serves.
    pub domain: String,
    /// Host name of the service it was enrolled at.
    pub service: String,
}

/// What enrolment needs.
pub struct Enrolment {
    /// `service.url`.
    pub url: String,
    pub ca: Option<PathBuf>,
    pub proxy: Option<Proxy>,
    pub data: PathBuf,
    pub token: SecretString,
    /// A name for lists.
    pub name: String,
}

/// Enrols, and stores identity and key. A folder that holds an identity already is left alone.
pub async fn enrol(enrolment: &Enrolment) -> Result<Identity, Error> {
    let address = Address::parse(&enrolment.url)?;
    files::create_folder(&enrolment.data)?;
    let _lock = files::Lock::take(&enrolment.data)?;
    let identity_path = enrolment.data.join("agent.json");
    if files::exists(&identity_path) {
        return Err(Error::Enrolled { path: identity_path });
    }
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Error::Key)?;
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| Error::Key)?;
    let request = EnrollRequest {
        token: enrolment.token.expose_secret().to_owned(),
        name: enrolment.name.clone(),
        public_key: BASE64.encode(key.public_key().as_ref()),
    };
    let answer = ask(&address, enrolment, &request).await?;
    let identity = Identity { agent: answer.agent, domain: answer.domain, service: address.host };
    let text = serde_json::to_vec_pretty(&identity).map_err(|source| Error::Json { what: "agent.json", source })?;
    // The key first: an identity without a key would look enrolled and be useless.
    files::replace(&enrolment.data.join(keys::FILE), document.as_ref())?;
    files::replace(&identity_path, &text)?;
    Ok(identity)
}

async fn ask(address: &Address, enrolment: &Enrolment, request: &EnrollRequest) -> Result<EnrollResponse, Error> {
    let tls = address::tls(enrolment.ca.as_deref())?;
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_millis(ANSWER_MS_MAX))
        // What the environment says has been read, by the rules that the link has too.
        .no_proxy();
    if let Some(proxy) = &enrolment.proxy {
        client = client.proxy(proxy.for_requests()?);
    }
    let client = client.build().map_err(Error::Http)?;
    let sent = client.post(address.http("/rollcall/v1/agents/enroll")).json(request).send().await;
    let response = sent.map_err(|error| match &enrolment.proxy {
        Some(proxy) => proxy.explain(error.without_url()),
        None => Error::Http(error.without_url()),
    })?;
    let status = response.status();
    if !status.is_success() {
        // The start of the body: it names what is wrong, and an answer of a proxy may be long.
        let text: String = response.text().await.unwrap_or_default().chars().take(500).collect();
        return Err(Error::EnrolmentRefused { status: status.as_u16(), text });
    }
    response.json().await.map_err(Error::Http)
}

/// Reads who this agent is, as [`enrol`] stored it. Its key is read by [`crate::keys`].
pub(crate) fn load(data: &Path) -> Result<Identity, Error> {
    let path = data.join("agent.json");
    if !files::exists(&path) {
        return Err(Error::NotEnrolled { path });
    }
    serde_json::from_str(&files::read_text(&path)?).map_err(|source| Error::Json { what: "agent.json", source })
}

#[cfg(test)]
mod tests;
