//! Access tokens: signed and checked (RFC 7519, RS256; claims of wire contract 1.4).

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rollcall_model::ids::TenantId;
use rollcall_model::{Random, Timestamp, limits};
use rollcall_store::{Application, SealedKey};
use rollcall_wire::oauth::{Claims, GRAPH_APP_ID, GRAPH_URI};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::seal::{MasterKey, Place};

/// How far clocks of nodes may differ.
const LEEWAY_S: i64 = 30;
/// Longest token that is looked at; ours are far shorter.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Why a token was not accepted; a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// The signing keys of every tenant, newest first.
pub(crate) struct Tokens {
    public_url: String,
    keys: Vec<SigningKey>,
}

struct SigningKey {
    tenant: TenantId,
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    jwk: serde_json::Value,
}

/// Makes an RSA key of 2,048 bits and seals its private half.
pub(crate) fn make_key(master: &MasterKey, random: &dyn Random, now: Timestamp) -> Result<SealedKey, Error> {
    let failed = |_| Error::Keys("an RSA key could not be made".to_owned());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let private: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(failed)?;
    let kid = data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(public.as_ref()));
    let place = Place { table: "signing_key", row: &kid, column: "sealed" };
    Ok(SealedKey {
        sealed: master.seal(place, private.as_ref(), random)?,
        public_pem: pem("PUBLIC KEY", public.as_ref()),
        created: now,
        kid,
    })
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl Tokens {
    /// Opens the stored keys.
    pub(crate) fn open(public_url: &str, stored: &[(TenantId, SealedKey)], master: &MasterKey) -> Result<Self, Error> {
        let keys = stored.iter().map(|(tenant, key)| open_key(*tenant, key, master)).collect::<Result<_, _>>()?;
        Ok(Self { public_url: public_url.to_owned(), keys })
    }

    /// `iss` of a tenant's tokens.
    #[must_use]
    pub(crate) fn issuer(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}/", self.public_url)
    }

    /// Audiences that are this service.
    fn audiences(&self) -> [&str; 3] {
        [GRAPH_URI, GRAPH_APP_ID, &self.public_url]
    }

    /// The audience that a requested resource stands for; `None` for one that is not ours. A trailing slash counts as
    /// none.
    #[must_use]
    pub(crate) fn audience(&self, resource: &str) -> Option<String> {
        let resource = resource.trim_end_matches('/');
        self.audiences().iter().find(|ours| ours.eq_ignore_ascii_case(resource)).map(|ours| (*ours).to_owned())
    }

    /// Signs a token for an application.
    pub(crate) fn issue(
        &self,
        tenant: TenantId,
        application: &Application,
        roles: Vec<String>,
        audience: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<String, Error> {
        let key = self
            .keys
            .iter()
            .find(|key| key.tenant == tenant)
            .ok_or_else(|| Error::Keys(format!("tenant {tenant} has no signing key")))?;
        let seconds = now.0.div_euclid(1_000_000);
        let mut unique = [0_u8; 16];
        random.fill(&mut unique);
        let principal = application.service_principal.to_string();
        let claims = Claims {
            aud: audience.to_owned(),
            iss: self.issuer(tenant),
            iat: seconds,
            nbf: seconds,
            exp: seconds + limits::TOKEN_LIFE_S,
            app_displayname: application.display_name.clone(),
            appid: application.app_id.to_string(),
            appidacr: "1".to_owned(),
            idp: self.issuer(tenant),
            idtyp: "app".to_owned(),
            oid: principal.clone(),
            sub: principal,
            roles,
            tid: tenant.to_string(),
            uti: data_encoding::BASE64URL_NOPAD.encode(&unique),
            ver: "1.0".to_owned(),
        };
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &key.encoding)
            .map_err(|error| Error::Keys(format!("a token could not be signed: {error}")))
    }

    /// Checks a token: signature by a key of the tenant it names, audience, issuer, time.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<(TenantId, Claims), Refusal> {
        if token.is_empty() {
            return Err(Refusal("Access token is empty."));
        }
        let malformed = Refusal("CompactToken parsing failed: the access token is malformed.");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| malformed.clone())?;
        let unsigned = Refusal("Access token validation failure. Invalid signature.");
        // The algorithm is ours to choose, never the token's.
        if header.alg != Algorithm::RS256 {
            return Err(unsigned);
        }
        let key = header.kid.as_deref().and_then(|kid| self.keys.iter().find(|key| key.kid == kid));
        let key = key.ok_or_else(|| unsigned.clone())?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&self.audiences());
        validation.set_issuer(&[self.issuer(key.tenant)]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss"]);
        // By our own clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation)
            .map_err(|error| {
                use jsonwebtoken::errors::ErrorKind;
                match error.kind() {
                    ErrorKind::InvalidAudience => Refusal("Access token validation failure. Invalid audience."),
                    ErrorKind::InvalidIssuer => Refusal("Access token validation failure. Invalid issuer."),
                    ErrorKind::InvalidSignature => unsigned.clone(),
                    _ => malformed.clone(),
                }
            })?
            .claims;
        if claims.tid != key.tenant.to_string() {
            return Err(Refusal("Access token validation failure. Invalid tenant."));
        }
        let seconds = now.0.div_euclid(1_000_000);
        if seconds >= claims.exp + LEEWAY_S || seconds + LEEWAY_S < claims.nbf {
            return Err(Refusal("Lifetime validation failed, the token is expired or not yet valid."));
        }
        Ok((key.tenant, claims))
    }

    /// The public keys of a tenant, or of all (RFC 7517).
    #[must_use]
    pub(crate) fn jwks(&self, tenant: Option<TenantId>) -> serde_json::Value {
        let keys = self.keys.iter().filter(|key| tenant.is_none_or(|tenant| tenant == key.tenant));
        serde_json::json!({ "keys": keys.map(|key| key.jwk.clone()).collect::<Vec<_>>() })
    }
}

fn open_key(tenant: TenantId, stored: &SealedKey, master: &MasterKey) -> Result<SigningKey, Error> {
    let unusable = |what: &str| Error::Keys(format!("signing key {} is unusable: {what}", stored.kid));
    let place = Place { table: "signing_key", row: &stored.kid, column: "sealed" };
    let private = master.open(place, &stored.sealed)?;
    let private_pem = zeroize::Zeroizing::new(pem("PRIVATE KEY", &private));
    let encoding = EncodingKey::from_rsa_pem(private_pem.as_bytes()).map_err(|error| unusable(&error.to_string()))?;
    let decoding =
        DecodingKey::from_rsa_pem(stored.public_pem.as_bytes()).map_err(|error| unusable(&error.to_string()))?;
    let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).map_err(|error| unusable(&error.to_string()))?;
    jwk.common.key_id = Some(stored.kid.clone());
    jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
    let jwk = serde_json::to_value(&jwk).map_err(|error| unusable(&error.to_string()))?;
    Ok(SigningKey { tenant, kid: stored.kid.clone(), encoding, decoding, jwk })
}
