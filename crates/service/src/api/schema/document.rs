//! A version's document: as it was put, or made from what the job does.

use rollcall_engine::expression;
use rollcall_model::ids::TenantId;
use rollcall_model::schema::{Schema, Syntax};
use rollcall_store::{Job, StoredSchema};
use rollcall_wire::graph::schema::{
    AttributeDefinition, Described, ReferencedObject, SynchronizationSchema, TARGET_OBJECT, config_to_schema,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::api::error::ApiError;
use crate::moment;
use crate::state::AppState;

/// A version, or the newest.
pub(super) async fn stored(state: &AppState, job: &Job, version: Option<i64>) -> Result<StoredSchema, ApiError> {
    state.store.schema(&job.id, version).await?.ok_or_else(|| {
        let which = version.map_or_else(|| "no schema".to_owned(), |version| format!("no version {version}"));
        ApiError::not_found(format!("The job has {which}; GET /rollcall/v1/jobs/{}/schema/history lists them.", job.id))
    })
}

/// The document of a version, with what is known of the directory.
pub(super) fn shown(state: &AppState, tenant: TenantId, job: &Job, stored: &StoredSchema) -> SynchronizationSchema {
    let before = stored.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let known = job.config.domain.as_deref().and_then(|domain| state.directory_schemas.known(tenant, domain));
    let attributes = known.map(|known| target_attributes(&known)).unwrap_or_default();
    let described = Facts { job: job.id.as_str(), version: &moment::seconds(stored.row.at), attributes: &attributes };
    rendered(&stored.config, before.as_ref(), &described)
}

/// What stands in a document beside the configuration.
pub(super) struct Facts<'a> {
    pub(super) job: &'a str,
    pub(super) version: &'a str,
    pub(super) attributes: &'a [AttributeDefinition],
}

/// The document of a configuration; what `before` says beyond it stays.
pub(super) fn rendered(
    config: &rollcall_model::config::JobConfig,
    before: Option<&SynchronizationSchema>,
    facts: &Facts<'_>,
) -> SynchronizationSchema {
    let described = Described {
        job: facts.job,
        version: facts.version,
        source_directory: stable_id(facts.job, "source directory"),
        target_directory: stable_id(facts.job, "target directory"),
        rule: stable_id(facts.job, "rule"),
        target_attributes: facts.attributes,
        parameter_name: &parameter_name,
    };
    config_to_schema(config, before, &described)
}

/// An id that is the same whenever it is made (RFC 9562 5.8).
pub(super) fn stable_id(job: &str, part: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(format!("{job}\n{part}")).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

pub(super) fn parameter_name(function: &str, at: usize) -> Option<String> {
    let function = expression::functions().find(|known| known.name == function)?;
    function.parameter(at).map(|parameter| parameter.name.to_owned())
}

/// The attributes that users of a directory may have, by name.
pub(super) fn target_attributes(schema: &Schema) -> Vec<AttributeDefinition> {
    let of_users = schema.attributes_of("user");
    of_users
        .iter()
        .filter_map(|name| schema.attribute(name))
        .map(|attribute| {
            let is_read_only = attribute.system_only || attribute.is_back_link();
            let kind = match attribute.syntax {
                Syntax::Boolean => "Boolean",
                Syntax::Integer | Syntax::LargeInteger => "Integer",
                Syntax::Time => "DateTime",
                Syntax::DistinguishedName => "Reference",
                Syntax::Octets | Syntax::Sid | Syntax::SecurityDescriptor => "Binary",
                Syntax::Text | Syntax::Oid | Syntax::NameWithValue | Syntax::Other => "String",
            };
            let references = (kind == "Reference").then(|| ReferencedObject {
                referenced_object_name: Some(TARGET_OBJECT.to_owned()),
                referenced_property: Some("objectGUID".to_owned()),
                ..ReferencedObject::default()
            });
            AttributeDefinition {
                name: attribute.name.clone(),
                kind: kind.to_owned(),
                multivalued: !attribute.single_valued,
                mutability: if is_read_only { "ReadOnly" } else { "ReadWrite" }.to_owned(),
                referenced_objects: references.into_iter().collect(),
                ..AttributeDefinition::default()
            }
        })
        .collect()
}
