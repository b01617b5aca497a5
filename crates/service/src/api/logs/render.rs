//! A stored row, which holds facts, as Graph shows it: texts and steps are made here (wire contract 4.2-4.6).

use std::collections::BTreeMap;

use rollcall_model::Code;
use rollcall_model::code::Kind;
use rollcall_model::plan::Action;
use rollcall_model::source::ENTERPRISE_USER;
use rollcall_store::{Application, Cause, LogRow, LogStatus};
use rollcall_wire::logs::{
    ErrorInformation, Initiator, LegacyStatusInfo, ModifiedProperty, Named, ProvisionedIdentity,
    ProvisioningObjectSummary, ProvisioningStep, StatusInfo, System,
};
use sha2::{Digest as _, Sha256};

use crate::api::path::GraphVersion;
use crate::moment;

#[cfg(test)]
mod tests;

/// The cloud service's own name: clients know rows of a cycle by it.
pub(super) const INITIATOR: &str = "Azure AD Provisioning Service";
pub(super) const SOURCE: &str = "API";
pub(super) const TARGET: &str = "Active Directory";
pub(super) const TARGET_TYPE: &str = "User";

/// An id for one end of a job: always the same, made from the application's.
pub(super) fn system_id(application: &Application, end: &str) -> String {
    let digest = Sha256::digest(format!("{end}\n{}", application.service_principal).as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// One row. `application` is the job's; `None` where it is gone.
pub(in crate::api) fn row(
    row: &LogRow,
    application: Option<&Application>,
    version: GraphVersion,
) -> ProvisioningObjectSummary {
    let error_information = error_information(row);
    let action = row.action.graph_name();
    let status = row.status.as_str().to_owned();
    let is_beta = version == GraphVersion::Beta;
    let legacy = LegacyStatusInfo {
        status: status.clone(),
        error_code: error_information.as_ref().map(|error| error.error_code.clone()),
        reason: error_information.as_ref().map(|error| error.reason.clone()),
        additional_details: error_information.as_ref().and_then(|error| error.additional_details.clone()),
        error_category: error_information.as_ref().map(|error| error.error_category.clone()),
        recommended_action: error_information.as_ref().and_then(|error| error.recommended_action.clone()),
    };
    ProvisioningObjectSummary {
        id: row.id.0,
        activity_date_time: moment::seconds(row.at),
        tenant_id: row.tenant.0,
        job_id: row.job.as_str().to_owned(),
        provisioning_job_id: row.job.as_str().to_owned(),
        cycle_id: row.cycle,
        change_id: row.change.0,
        provisioning_action: action.to_owned(),
        action: is_beta.then(|| pascal(action)),
        duration_in_milliseconds: row.duration_ms,
        service_principal: Named {
            id: application.map_or_else(String::new, |one| one.service_principal.to_string()),
            display_name: application.map_or_else(String::new, |one| one.display_name.clone()),
        },
        source_system: system(application, "source", SOURCE),
        target_system: system(application, "target", TARGET),
        initiated_by: Initiator {
            id: String::new(),
            display_name: INITIATOR.to_owned(),
            initiator_type: "system".to_owned(),
        },
        source_identity: ProvisionedIdentity {
            id: row.external_id.clone(),
            display_name: row.source_name.clone().unwrap_or_default(),
            identity_type: ENTERPRISE_USER.to_owned(),
            details: BTreeMap::new(),
        },
        target_identity: ProvisionedIdentity {
            id: row.guid.map_or_else(String::new, |guid| guid.to_string()),
            display_name: row.target_name.clone().unwrap_or_default(),
            identity_type: TARGET_TYPE.to_owned(),
            details: BTreeMap::new(),
        },
        modified_properties: modified(row),
        provisioning_steps: steps(row),
        provisioning_status_info: StatusInfo { status, error_information },
        status_info: is_beta.then_some(legacy),
    }
}

fn pascal(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn system(application: Option<&Application>, end: &str, name: &str) -> System {
    let mut details = BTreeMap::new();
    if let Some(application) = application.filter(|_| end == "source") {
        details.insert("ApplicationId".to_owned(), application.app_id.to_string());
        details.insert("ServicePrincipalId".to_owned(), application.service_principal.to_string());
        details.insert("ServicePrincipalDisplayName".to_owned(), application.display_name.clone());
    }
    System {
        id: application.map_or_else(String::new, |one| system_id(one, end)),
        display_name: name.to_owned(),
        details,
    }
}

fn modified(row: &LogRow) -> Vec<ModifiedProperty> {
    let properties = row.details.properties.iter();
    properties
        .map(|change| ModifiedProperty {
            display_name: change.name.clone(),
            old_value: change.old.join(";"),
            new_value: change.new.join(";"),
        })
        .collect()
}

/// Present wherever the row has a code: the reason of a skip and the reservation of a warning are told there too.
fn error_information(row: &LogRow) -> Option<ErrorInformation> {
    let failure = row.details.failure.as_ref();
    let code = failure.map(|failure| failure.code).or(row.code)?;
    let warnings: Vec<&str> = row.details.warnings.iter().map(|warning| warning.text.as_str()).collect();
    let mut reason = match failure {
        Some(failure) => failure.reason.clone(),
        None if !warnings.is_empty() => warnings.join(" "),
        None => code.reason().to_owned(),
    };
    if failure.is_some() && code.is_transient() {
        reason.push_str(" The operation will be retried.");
    }
    let additional = failure.and_then(|failure| {
        let place = failure.attribute.as_ref().map(|attribute| format!("Attribute: {attribute}."));
        let said = failure
            .ldap
            .as_ref()
            .map(|ldap| format!("LDAP result code {}: {} ({})", ldap.result_code, ldap.diagnostic, ldap.dn));
        let parts: Vec<String> = place.into_iter().chain(said).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    });
    let category = match (row.status, code.kind()) {
        (LogStatus::Success | LogStatus::Skipped, _) => "success",
        (_, Kind::Transient) => "failure",
        _ => "nonServiceFailure",
    };
    Some(ErrorInformation {
        error_code: code.as_str().to_owned(),
        error_category: category.to_owned(),
        error_detail: reason.clone(),
        reason,
        additional_details: additional,
        recommended_action: Some(code.recommended_action().to_owned()),
    })
}

/// How far a row's person came before it ended as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Import,
    Match,
    Scope,
    Export,
}

fn ended_at(row: &LogRow) -> Stage {
    match row.details.failure.as_ref().map(|failure| failure.code).or(row.code) {
        Some(
            Code::AttributeValidationFailed
            | Code::ImportSkipped
            | Code::DuplicateSourceEntries
            | Code::RecordTooLarge
            | Code::MatchingValueTooLong,
        ) => Stage::Import,
        Some(
            Code::DuplicateTargetEntries | Code::InvalidAnchor | Code::LinkedToAnotherPerson | Code::NotYetReplicated,
        ) => Stage::Match,
        Some(Code::NotEffectivelyEntitled) => Stage::Scope,
        _ => Stage::Export,
    }
}

fn steps(row: &LogRow) -> Vec<ProvisioningStep> {
    let end = ended_at(row);
    let mut steps = vec![import(row)];
    if end > Stage::Import {
        steps.push(matching(row));
    }
    if end > Stage::Match {
        steps.push(scoping(end == Stage::Scope));
    }
    if end > Stage::Scope {
        steps.push(export(row));
    }
    if let Some(last) = steps.last_mut() {
        row.status.as_str().clone_into(&mut last.status);
        if let Some(failure) = &row.details.failure {
            last.description.clone_from(&failure.reason);
        }
    }
    steps.extend(reference(row));
    steps
}

fn step(name: &str, kind: &str, description: String, details: &[(&str, &str)]) -> ProvisioningStep {
    ProvisioningStep {
        name: name.to_owned(),
        provisioning_step_type: kind.to_owned(),
        status: "success".to_owned(),
        description,
        details: details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn import(row: &LogRow) -> ProvisioningStep {
    let (name, kind) =
        if row.action == Action::Create { ("EntryImportAdd", "Add") } else { ("EntryImportUpdate", "Update") };
    let who = &row.external_id;
    let told = [("externalId", who.as_str()), ("displayName", row.source_name.as_deref().unwrap_or_default())];
    let Some(cause) = row.details.cause else {
        return step(name, "import", format!("Received User '{who}' change of type ({kind}) from {SOURCE}"), &told);
    };
    let why = match cause {
        Cause::Schema => "the job's mappings or scope were changed",
        Cause::Reevaluation => "an administrator asked for it",
        Cause::Clock => "the day has changed, and a mapping or the scope reads the clock",
    };
    let text = format!("Looked at User '{who}' without an operation: {why}");
    step(name, "import", text, &[told[0], told[1], ("cause", cause.as_str())])
}

fn matching(row: &LogRow) -> ProvisioningStep {
    let who = &row.external_id;
    match row.guid.filter(|_| row.action != Action::Create) {
        Some(guid) => step(
            "EntryImport",
            "matching",
            format!("Retrieved '{who}' from {TARGET}"),
            &[("objectGUID", &guid.to_string()), ("name", row.target_name.as_deref().unwrap_or_default())],
        ),
        None => step(
            "EntryImportObjectNotFound",
            "matching",
            format!("No User that matches '{who}' was found in {TARGET}"),
            &[],
        ),
    }
}

fn scoping(is_out: bool) -> ProvisioningStep {
    let passed = if is_out { "False" } else { "True" };
    let description = if is_out { "The User is out of scope" } else { "The User is in scope" };
    step(
        "EntrySynchronizationScoping",
        "scoping",
        description.to_owned(),
        &[("Scoping filter evaluation passed", passed), ("ScopeEvaluationResult", "{}")],
    )
}

fn export(row: &LogRow) -> ProvisioningStep {
    let who = row.target_name.as_deref().unwrap_or(&row.external_id);
    if row.status == LogStatus::Skipped {
        let code = row.code.map_or("EntrySynchronizationSkipped", Code::as_str);
        let text = row.code.map_or("Nothing was to be done", Code::reason);
        return step(
            "EntrySynchronizationSkip",
            "export",
            format!("User '{}' was skipped: {text}", row.external_id),
            &[("SkipReason", code), ("ReportableIdentifier", &row.external_id)],
        );
    }
    let (name, done) = match row.action {
        Action::Create => ("EntryExportAdd", "created"),
        Action::Disable => ("EntryExportUpdateSoftDelete", "disabled"),
        Action::Enable => ("EntryExportUpdate", "enabled"),
        Action::Move => ("EntryExportUpdate", "moved"),
        Action::Rename => ("EntryExportUpdate", "renamed"),
        Action::Delete => ("EntryExportDelete", "deleted"),
        Action::Update | Action::Other => ("EntryExportUpdate", "updated"),
    };
    let mut details = Vec::new();
    if row.details.confirmed_after_crash {
        details.push(("ConfirmedAfterCrash", "True"));
    }
    let drift: Vec<&str> = row.details.drift.iter().map(|change| change.name.as_str()).collect();
    let drift = drift.join(", ");
    if !drift.is_empty() {
        details.push(("DifferencesLeft", drift.as_str()));
    }
    step(name, "export", format!("User '{who}' was {done} in {TARGET}"), &details)
}

fn reference(row: &LogRow) -> Option<ProvisioningStep> {
    let code = Code::UnableToResolveReferenceAttributeValue;
    let warning = row.details.warnings.iter().find(|warning| warning.code == code)?;
    let details = [("SkipReason", code.as_str()), ("PropertyName", warning.attribute.as_deref().unwrap_or("manager"))];
    let mut step = step("EntrySynchronizationSkip", "referenceResolution", warning.text.clone(), &details);
    "warning".clone_into(&mut step.status);
    Some(step)
}
