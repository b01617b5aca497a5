//! The token endpoint's bodies and the claims of its tokens (RFC 6749 4.4; wire contract 1.2-1.5).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// App id of the Graph resource, which tokens are made for.
pub const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";
/// Its URI, the audience of tokens.
pub const GRAPH_URI: &str = "https://graph.microsoft.com";

/// Answer of the v2 endpoint.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenResponse {
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds.
    pub ext_expires_in: i64,
    pub access_token: String,
}

/// Answer of the v1 endpoint: texts instead of numbers, and more of them.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenResponseV1 {
    pub token_type: String,
    pub expires_in: String,
    pub ext_expires_in: String,
    /// Seconds since the epoch.
    pub expires_on: String,
    pub not_before: String,
    pub resource: String,
    pub access_token: String,
}

/// Error of either endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenErrorBody {
    pub error: String,
    /// Begins with `AADSTS` and the number.
    pub error_description: String,
    pub error_codes: Vec<u32>,
    pub timestamp: String,
    pub trace_id: String,
    pub correlation_id: String,
    pub error_uri: String,
}

/// Claims of an access token (wire contract 1.4): `ver` 1.0, as Graph's are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub aud: String,
    pub iss: String,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub app_displayname: String,
    pub appid: String,
    /// `1`: a secret.
    pub appidacr: String,
    pub idp: String,
    /// `app`: no user behind it.
    pub idtyp: String,
    /// Object id of the calling service principal.
    pub oid: String,
    pub sub: String,
    /// Left out where nothing was granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    pub tid: String,
    pub uti: String,
    pub ver: String,
}
