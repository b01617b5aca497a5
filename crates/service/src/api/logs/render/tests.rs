use rollcall_model::Timestamp;
use rollcall_model::ids::{ChangeId, JobId, LogId, ObjectGuid, TenantId};
use rollcall_model::plan::{Failure, LdapFailure, Warning};
use rollcall_store::log::LogDetails;

use super::*;

fn blank(action: Action, status: LogStatus) -> LogRow {
    LogRow {
        id: LogId(uuid::Uuid::from_u128(1)),
        tenant: TenantId(uuid::Uuid::from_u128(2)),
        job: JobId::from_text("API2AD.a.b"),
        change: ChangeId(uuid::Uuid::from_u128(3)),
        cycle: uuid::Uuid::from_u128(4),
        at: Timestamp(0),
        duration_ms: 1,
        action,
        status,
        code: None,
        person: None,
        version: None,
        external_id: "E-1".to_owned(),
        source_name: None,
        guid: Some(ObjectGuid(uuid::Uuid::from_u128(5))),
        target_name: None,
        details: LogDetails::default(),
    }
}

/// Names and status of the steps.
fn check(row: &LogRow, expected: &[(&str, &str)]) {
    let shown = super::row(row, None, GraphVersion::V1);
    let found: Vec<(&str, &str)> =
        shown.provisioning_steps.iter().map(|step| (step.name.as_str(), step.status.as_str())).collect();
    assert_eq!(found, expected, "{row:?}");
}

/// Semantics `clock`: the log says that it was the day.
#[test]
fn a_change_that_no_operation_asked_for_says_why() {
    for (cause, said) in [
        (Cause::Schema, "mappings or scope were changed"),
        (Cause::Reevaluation, "an administrator"),
        (Cause::Clock, "the day has changed"),
    ] {
        let details = LogDetails { cause: Some(cause), ..LogDetails::default() };
        let row = LogRow { details, ..blank(Action::Enable, LogStatus::Success) };
        let shown = super::row(&row, None, GraphVersion::V1);
        let first = &shown.provisioning_steps[0];
        assert!(first.description.contains(said), "{first:?}");
        assert_eq!(first.details.get("cause").map(String::as_str), Some(cause.as_str()));
    }
}

#[test]
fn steps_follow_from_the_facts() {
    let scoped = ("EntrySynchronizationScoping", "success");
    let found = [("EntryImportUpdate", "success"), ("EntryImport", "success"), scoped];
    check(
        &blank(Action::Create, LogStatus::Success),
        &[
            ("EntryImportAdd", "success"),
            ("EntryImportObjectNotFound", "success"),
            scoped,
            ("EntryExportAdd", "success"),
        ],
    );
    for (action, name) in [
        (Action::Update, "EntryExportUpdate"),
        (Action::Enable, "EntryExportUpdate"),
        (Action::Move, "EntryExportUpdate"),
        (Action::Disable, "EntryExportUpdateSoftDelete"),
    ] {
        check(&blank(action, LogStatus::Success), &[found[0], found[1], found[2], (name, "success")]);
    }
    let skipped = LogRow { code: Some(Code::RedundantExport), ..blank(Action::Other, LogStatus::Skipped) };
    check(&skipped, &[found[0], found[1], found[2], ("EntrySynchronizationSkip", "skipped")]);
    let broken = Failure::new(Code::AttributeValidationFailed, Some("/active"), "`active` is neither true nor false");
    let mut failed = blank(Action::Other, LogStatus::Failure);
    failed.details.failure = Some(broken);
    check(&failed, &[("EntryImportUpdate", "failure")]);
    failed.details.failure = Some(Failure::new(Code::DuplicateTargetEntries, None, "two"));
    check(&failed, &[("EntryImportUpdate", "success"), ("EntryImport", "failure")]);
    let mut waiting = blank(Action::Update, LogStatus::Warning);
    let code = Code::UnableToResolveReferenceAttributeValue;
    waiting.details.warnings.push(Warning {
        code,
        attribute: Some("manager".to_owned()),
        text: "no account yet".to_owned(),
    });
    check(
        &waiting,
        &[found[0], found[1], found[2], ("EntryExportUpdate", "warning"), ("EntrySynchronizationSkip", "warning")],
    );
}

#[test]
fn errors_tell_what_the_directory_said() {
    let mut row = blank(Action::Update, LogStatus::Failure);
    let ldap = LdapFailure { result_code: 19, diagnostic: "0000202F".to_owned(), dn: "CN=a".to_owned() };
    row.details.failure =
        Some(Failure { ldap: Some(ldap), ..Failure::new(Code::DirectoryBusy, Some("userPrincipalName"), "Busy.") });
    let error = super::row(&row, None, GraphVersion::V1).provisioning_status_info.error_information.unwrap();
    assert_eq!(error.error_category, "failure");
    assert!(error.reason.contains("will be retried"));
    let additional = error.additional_details.unwrap();
    assert!(
        ["19", "0000202F", "CN=a", "userPrincipalName"].iter().all(|word| additional.contains(word)),
        "{additional}"
    );
    let fine = super::row(&blank(Action::Update, LogStatus::Success), None, GraphVersion::V1);
    let json = serde_json::to_value(&fine.provisioning_status_info).unwrap();
    assert_eq!(json, serde_json::json!({ "status": "success", "errorInformation": null }));
}
