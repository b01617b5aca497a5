//! `rollcall app`: applications, their secrets and roles, by Graph's own routes (wire contract 3.15).

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::{Client, literal, with_query};
use crate::printer::{Printer, plain_table, visible};

/// Graph's template of an application that is nobody's product.
const TEMPLATE: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
/// `appId` of Graph itself, whose roles are granted (wire contract 1.11).
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";
/// Kind of a job that provisions an on-premises AD.
const JOB_TEMPLATE: &str = rollcall_model::ids::JobId::TEMPLATE;

/// What to do about applications.
#[derive(Subcommand, Clone, Debug)]
pub enum App {
    /// Make an application with its service principal and its job
    Create {
        /// Its name
        name: String,
    },
    /// List the applications
    List,
    /// Secrets to log in with
    Secret {
        #[command(subcommand)]
        command: Secret,
    },
    /// Grant roles of the API, for instance `SynchronizationData-User.Upload`
    Grant {
        /// Object id of the application or service principal, appId, or name
        app: String,
        /// Names of roles
        #[arg(required = true, value_name = "ROLE")]
        roles: Vec<String>,
    },
}

/// What to do about secrets.
#[derive(Subcommand, Clone, Debug)]
pub enum Secret {
    /// Make a secret; it is shown this once
    Add {
        /// Object id of the application or service principal, appId, or name
        app: String,
        /// What the secret is for
        #[arg(long, default_value = "rollcall")]
        name: String,
    },
}

/// An object's id, under either of the names that Graph has for it (wire contract 3.15: beta says `objectId`).
fn id_of(url: &reqwest::Url, object: &Value) -> Result<String, Error> {
    let id = object["id"].as_str().or(object["objectId"].as_str());
    let cause = "an object in it has no id".to_owned();
    id.map(str::to_owned).ok_or_else(|| Error::Unexpected { url: url.to_string(), cause })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    application: String,
    app_id: String,
    service_principal: String,
    job: String,
}

/// A service principal, as far as it is needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    id: String,
    #[serde(default)]
    app_id: String,
    #[serde(default)]
    display_name: String,
    /// Graph shows the roles on offer only where one is asked for.
    #[serde(default)]
    app_roles: Vec<AppRole>,
}

#[derive(Debug, Deserialize)]
struct AppRole {
    id: String,
    #[serde(default)]
    value: Option<String>,
}

impl App {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        match self {
            Self::Create { name } => create(client, printer, name).await?,
            Self::List => list(client, printer).await?,
            Self::Secret { command: Secret::Add { app, name } } => add_secret(client, printer, app, name).await?,
            Self::Grant { app, roles } => grant(client, printer, app, roles).await?,
        }
        Ok(Exit::Done)
    }
}

async fn create(client: &Client, printer: &Printer, name: &str) -> Result<(), Error> {
    let url = client.graph(&["applicationTemplates", TEMPLATE, "instantiate"])?;
    let made = client.post(url.clone(), &json!({ "displayName": name })).await?;
    let application = id_of(&url, &made["application"])?;
    let service_principal = id_of(&url, &made["servicePrincipal"])?;
    let app_id = made["application"]["appId"].as_str().unwrap_or_default().to_owned();
    let url = client.graph(&["servicePrincipals", &service_principal, "synchronization", "jobs"])?;
    let job = client.post(url.clone(), &json!({ "templateId": JOB_TEMPLATE })).await.inspect_err(|_| {
        printer.warning(&format!("the application {application} was made, but its job was not"));
    })?;
    let created = Created { application, app_id, service_principal, job: id_of(&url, &job)? };
    printer.data(&created, |it| {
        format!(
            "application        {}\nappId              {}\nservicePrincipal   {}\njob                {}",
            visible(&it.application),
            visible(&it.app_id),
            visible(&it.service_principal),
            visible(&it.job)
        )
    })
}

async fn list(client: &Client, printer: &Printer) -> Result<(), Error> {
    let rows = principals(client).await?;
    printer.data(&json!({ "value": rows }), |_| {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let lines = rows.iter().map(|row| vec![text(row, "displayName"), text(row, "appId"), text(row, "id")]);
        plain_table(printer, &["name", "appId", "servicePrincipal"], lines)
    })
}

/// All service principals but that of Graph itself, which is nobody's application.
pub(crate) async fn principals(client: &Client) -> Result<Vec<Value>, Error> {
    let mut rows = client.list(client.graph(&["servicePrincipals"])?, None).await?;
    rows.retain(|row| row["appId"] != GRAPH_APP_ID);
    Ok(rows)
}

async fn add_secret(client: &Client, printer: &Printer, app: &str, name: &str) -> Result<(), Error> {
    let body = json!({ "passwordCredential": { "displayName": name } });
    // The application's own object id needs no look-up; any other id or name leads to the appId.
    let direct = if is_id(app) {
        let url = client.graph(&["applications", app, "addPassword"])?;
        match client.post(url.clone(), &body).await {
            Err(Error::Refused(refusal)) if refusal.status == 404 => None,
            answer => Some((url, answer?)),
        }
    } else {
        None
    };
    let (url, answer) = if let Some(done) = direct {
        done
    } else {
        let principal = find(client, app).await?;
        let url = client.graph(&[&format!("applications(appId='{}')", principal.app_id), "addPassword"])?;
        (url.clone(), client.post(url, &body).await?)
    };
    let member = |name: &str| answer.get(name).cloned().unwrap_or(Value::Null);
    let shown = json!({
        "keyId": member("keyId"), "secretText": member("secretText"),
        "hint": member("hint"), "endDateTime": member("endDateTime"),
    });
    let Some(secret) = answer["secretText"].as_str() else {
        return Err(Error::Unexpected { url: url.to_string(), cause: "it has no secretText".to_owned() });
    };
    printer.note(&format!(
        "secret {} is good until {}; it is shown this once",
        answer["keyId"].as_str().unwrap_or("-"),
        answer["endDateTime"].as_str().unwrap_or("-")
    ));
    printer.data(&shown, |_| visible(secret))
}

async fn grant(client: &Client, printer: &Printer, app: &str, roles: &[String]) -> Result<(), Error> {
    let principal = find(client, app).await?;
    let graph: Principal = client.get(client.graph(&[&format!("servicePrincipals(appId='{GRAPH_APP_ID}')")])?).await?;
    let mut wanted = Vec::new();
    // All of them first: a misspelled one must not leave half of the roles granted.
    for role in roles {
        let known = graph.app_roles.iter().filter_map(|role| Some((role.value.as_deref()?, &role.id)));
        let Some((value, id)) = known.clone().find(|(value, _)| value.eq_ignore_ascii_case(role)) else {
            let all: Vec<_> = known.map(|(value, _)| value).collect();
            return Err(Error::Usage(format!("there is no role '{role}'; there are: {}", all.join(", "))));
        };
        wanted.push((value, id));
    }
    let url = client.graph(&["servicePrincipals", &principal.id, "appRoleAssignments"])?;
    for (_, id) in &wanted {
        let body = json!({ "principalId": principal.id, "resourceId": graph.id, "appRoleId": id });
        client.post(url.clone(), &body).await?;
    }
    let names: Vec<_> = wanted.iter().map(|(value, _)| *value).collect();
    let granted = json!({ "servicePrincipal": principal.id, "appId": principal.app_id, "roles": names });
    printer.data(&granted, |_| {
        let lines =
            names.iter().map(|name| format!("granted {} to {}\n", visible(name), visible(&principal.display_name)));
        lines.collect()
    })
}

fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}

/// An id in the one spelling that filters compare with; a name as it is.
fn canonical(text: &str) -> String {
    uuid::Uuid::parse_str(text).map_or_else(|_| text.to_owned(), |id| id.to_string())
}

/// The one application that is meant: by an id of it, or by its name.
async fn find(client: &Client, app: &str) -> Result<Principal, Error> {
    let by_id = is_id(app);
    let text = literal(&canonical(app));
    let filter = if by_id { format!("id eq {text} or appId eq {text}") } else { format!("displayName eq {text}") };
    let url = with_query(client.graph(&["servicePrincipals"])?, &[("$filter", &filter)]);
    let mut rows = client.list(url, None).await?;
    if rows.is_empty() && by_id {
        // The application's object id, which its service principal does not show: Graph resolves it to the appId.
        let application: Value = client.get(client.graph(&["applications", app])?).await?;
        let text = literal(application["appId"].as_str().unwrap_or_default());
        let url = with_query(client.graph(&["servicePrincipals"])?, &[("$filter", &format!("appId eq {text}"))]);
        rows = client.list(url, None).await?;
    }
    let mut found =
        rows.into_iter().map(|row| read(&client.settings.url, row)).collect::<Result<Vec<Principal>, Error>>()?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            let ids: Vec<_> = found.iter().chain([&one]).map(|it| it.app_id.as_str()).collect();
            Err(Error::Usage(format!("several applications are called '{app}'; give an id: {}", ids.join(", "))))
        }
        (None, _) => Err(Error::Usage(format!("there is no application '{app}': `rollcall app list` shows them"))),
    }
}

/// An answer as what it should be.
fn read<T: serde::de::DeserializeOwned>(url: &reqwest::Url, answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|cause| Error::Unexpected { url: url.to_string(), cause: cause.to_string() })
}
