//! A job's mappings, checked and compiled once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rollcall_model::config::{
    Apply, DeleteAction, InitialPassword, JobConfig, Mapping, MappingSource, OnScopeExit, SourceAttribute,
    TargetActions, target,
};
use rollcall_model::person::Person;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, SourceName, fold};
use rollcall_syntax::attribute::{self, AttributePath};
use rollcall_syntax::{Span, SyntaxError};
use serde_json::{Map, Value as Json};

use super::row::{Read, Role, Row, Source};
use super::{check, head, is_external_id};
use crate::scim::Found;
use crate::scope::{self, Filters};
use crate::{expression, scim};

/// Mappings of one job; a bound, not a policy.
const MAPPINGS_MAX: usize = 500;

/// The part of a job's configuration that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The settings, or the list of mappings as a whole.
    Job,
    /// Of [`JobConfig::mappings`].
    Mapping(usize),
    /// Of a group of the scope; no clause: the group.
    Clause { group: usize, clause: Option<usize> },
    /// Of a group of the filter at import.
    InputClause { group: usize, clause: Option<usize> },
    /// Of [`JobConfig::source_attributes`].
    SourceAttribute(usize),
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// Position in the job's list; `None` where the list as a whole is meant.
    pub mapping: Option<usize>,
    pub target: String,
    /// Where in the mapping's source text.
    pub at: Option<Span>,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// A job's settings and mappings, ready to evaluate persons. Cheap to share, never changed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the job's settings, each read on its own")]
pub struct Prepared {
    pub(super) schema_version: i64,
    pub(super) delete_action: DeleteAction,
    pub(super) must_change_password: bool,
    pub(super) initial_password: InitialPassword,
    pub(super) create_inactive: bool,
    pub(super) enable_found_disabled: bool,
    pub(super) empty_is_value: bool,
    pub(super) container: Option<String>,
    pub(super) default_domain: String,
    /// In ascending order of priority.
    pub(super) matching: Vec<Row>,
    pub(super) attributes: Vec<Row>,
    pub(super) manager: Option<Row>,
    pub(super) account: Option<Row>,
    pub(super) parent: Option<Row>,
    pub(super) cn: Option<Row>,
    pub(super) object_filter: Option<Row>,
    pub(super) enabled: bool,
    pub(super) actions: TargetActions,
    pub(super) on_scope_exit: OnScopeExit,
    pub(super) scope: Filters,
    /// What a new account needs of the record, and what is taken where it is missing.
    required: Vec<(AttributePath, Option<String>)>,
    /// Folded top-level names that need no warning: those of SCIM's schemas and those that mappings read.
    pub(super) known_heads: BTreeSet<String>,
}

impl Prepared {
    /// Checks and compiles. `domain` is what `DefaultDomain()` yields where the job sets no suffix; `schema_version`
    /// is that of the job's mappings.
    pub fn new(config: &JobConfig, schema_version: i64, domain: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = whole(config);
        let mut prepared = Self::empty(config, schema_version, domain);
        let (scope, unusable) = Filters::new(config);
        prepared.scope = scope;
        problems.extend(unusable.into_iter().map(of_scope));
        let mut matching = Vec::new();
        for (index, mapping) in config.mappings.iter().enumerate().take(MAPPINGS_MAX) {
            let problem = |at, message: String, hint| Problem {
                place: Place::Mapping(index),
                mapping: Some(index),
                target: mapping.target.clone(),
                at,
                message,
                hint,
            };
            for (message, hint) in rules(mapping, &config.mappings[..index]) {
                problems.push(problem(None, message, Some(hint)));
            }
            match row(mapping, &config.clearable_sources) {
                Err(unusable) => problems.push(problem(Some(unusable.at), unusable.message, unusable.hint)),
                Ok(row) => {
                    for (message, hint) in check::row(&row, mapping) {
                        problems.push(problem(None, message, Some(hint)));
                    }
                    if mapping.matching_priority > 0 {
                        // Rows are cheap next to a job's life; the second copy keeps both lists plain.
                        if let Ok(row) = self::row(mapping, &config.clearable_sources) {
                            matching.push((mapping.matching_priority, row));
                        }
                    }
                    prepared.place(row);
                }
            }
        }
        matching.sort_by_key(|(priority, _)| *priority);
        prepared.matching = matching.into_iter().map(|(_, row)| row).collect();
        if problems.is_empty() { Ok(prepared) } else { Err(problems) }
    }

    fn empty(config: &JobConfig, schema_version: i64, domain: &str) -> Self {
        let core = scim::CORE.iter().map(|(name, _)| *name);
        Self {
            schema_version,
            delete_action: if config.actions.delete { config.delete_action } else { DeleteAction::Off },
            must_change_password: config.must_change_password,
            initial_password: config.initial_password,
            create_inactive: config.create_inactive,
            enable_found_disabled: config.enable_found_disabled,
            empty_is_value: config.empty_is_value,
            container: config.container.clone(),
            default_domain: config.upn_suffix.clone().unwrap_or_else(|| domain.to_owned()),
            matching: Vec::new(),
            attributes: Vec::new(),
            manager: None,
            account: None,
            parent: None,
            cn: None,
            object_filter: None,
            enabled: config.enabled,
            actions: config.actions,
            on_scope_exit: config.on_scope_exit.clone(),
            scope: Filters::default(),
            required: required(config),
            known_heads: core.chain(scim::QUIET.iter().copied()).map(fold).collect(),
        }
    }

    /// The record that mappings see: of somebody without an account, with defaults for what is required and missing.
    pub(super) fn with_defaults<'a>(&self, person: &'a Person) -> Cow<'a, Map<String, Json>> {
        let mut record = Cow::Borrowed(&person.record);
        if person.link.is_some() {
            return record;
        }
        for (path, default) in &self.required {
            if let Some(default) = default.as_ref().filter(|_| is_missing(&record, path)) {
                scim::put(record.to_mut(), path, default);
            }
        }
        record
    }

    /// What a new account needs of the record.
    pub(super) fn demand(&self, record: &Map<String, Json>) -> Result<(), Failure> {
        let Some((path, _)) = self.required.iter().find(|(path, _)| is_missing(record, path)) else { return Ok(()) };
        let name = scim::name_of(path);
        let reason = format!("a new account needs a value of {name}; send it, or give the attribute a default");
        Err(Failure::new(Code::MandatoryFieldsMissing, Some(&name), reason))
    }

    fn place(&mut self, row: Row) {
        let keys = row.reads.iter().flat_map(|read| &read.keys);
        self.known_heads.extend(keys.map(|key| head(key).to_owned()));
        match row.role {
            Role::Attribute => self.attributes.push(row),
            Role::Manager => self.manager = Some(row),
            Role::AccountDisabled => self.account = Some(row),
            Role::Parent => self.parent = Some(row),
            Role::Cn => self.cn = Some(row),
            Role::ObjectFilter => self.object_filter = Some(row),
        }
    }
}

/// What the list of source attributes says is required, but for the key, which merging demands.
fn required(config: &JobConfig) -> Vec<(AttributePath, Option<String>)> {
    let wanted = config.source_attributes.iter().filter(|own| own.required && !own.anchor);
    let path = |own: &SourceAttribute| Some((attribute::parse(own.name.as_str()).ok()?, own.default_value.clone()));
    wanted.filter_map(path).collect()
}

fn is_missing(record: &Map<String, Json>, path: &AttributePath) -> bool {
    match scim::find(record, path) {
        Found::Absent | Found::Null => true,
        Found::One(value) => value.as_str().is_some_and(str::is_empty),
        Found::Many(_) => false,
    }
}

fn of_scope(unusable: scope::Unusable) -> Problem {
    let scope::Unusable { is_input, group, clause, message, hint } = unusable;
    let place = if is_input { Place::InputClause { group, clause } } else { Place::Clause { group, clause } };
    Problem { place, mapping: None, target: "scope".to_owned(), at: None, message, hint: Some(hint) }
}

/// What is wrong with the list as a whole.
fn whole(config: &JobConfig) -> Vec<Problem> {
    let problem = |target: &str, message: &str, hint: &str| Problem {
        place: Place::Job,
        mapping: None,
        target: target.to_owned(),
        at: None,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    };
    let mut problems = Vec::new();
    if config.mappings.len() > MAPPINGS_MAX {
        problems.push(problem("", &format!("there are more than {MAPPINGS_MAX} mappings"), "map fewer attributes"));
    }
    if config.mappings.iter().all(|mapping| mapping.matching_priority == 0) {
        let hint = "give one mapping a matching priority, as a rule externalId to employeeID";
        problems.push(problem("", "no mapping is a matching attribute", hint));
    }
    if let OnScopeExit::DisableAndMove(container) = &config.on_scope_exit
        && let Err(error) = rollcall_model::Dn::parse(container)
    {
        problems.push(problem("onScopeExit", &error.to_string(), "write it as in OU=Left,DC=corp,DC=example"));
    }
    if let Some(Err(error)) = config.container.as_deref().map(rollcall_model::Dn::parse) {
        problems.push(problem("container", &error.to_string(), "write it as in OU=Staff,DC=corp,DC=example"));
    }
    problems
}

/// What to do instead of mapping a target that cannot be mapped.
fn instead_of(name: &str) -> &'static str {
    match name.to_lowercase().as_str() {
        "useraccountcontrol" => "map accountDisabled for the account's state",
        "name" | "distinguishedname" => "map cn for the account's name, parentDistinguishedName for its place",
        "unicodepwd" | "userpassword" | "dbcspwd" | "pwdlastset" => {
            "remove the mapping; the job's settings say what password a new account gets"
        }
        "member" | "memberof" | "primarygroupid" => "remove the mapping; groups are not provisioned",
        _ => "the directory sets it itself: remove the mapping",
    }
}

/// Rules on one mapping that do not depend on its source's text: message and hint of each that is broken.
fn rules(mapping: &Mapping, earlier: &[Mapping]) -> Vec<(String, String)> {
    let name = mapping.target.as_str();
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let mut broken = Vec::new();
    let mut refuse = |message: String, hint: &str| broken.push((message, hint.to_owned()));
    if !target::is_display_name(name) {
        refuse(format!("'{name}' is no attribute's name"), "write an LDAP display name, as in telephoneNumber");
    }
    if target::NEVER_MAPPABLE.iter().any(|other| is(other)) {
        refuse(format!("{name} cannot be mapped"), instead_of(name));
    }
    if earlier.iter().any(|other| is(&other.target)) {
        refuse(format!("{name} is mapped twice"), "remove one of the two mappings");
    }
    let special = [target::ACCOUNT_DISABLED, target::PARENT, target::MANAGER, target::CN, target::OBJECT_FILTER]
        .into_iter()
        .any(is);
    if special && mapping.matching_priority > 0 {
        refuse(format!("{name} cannot be a matching attribute"), "match on an attribute that holds a key");
    }
    if is(target::MANAGER) && !matches!(mapping.source, MappingSource::Direct(_)) {
        refuse("manager is a reference and must be mapped directly".to_owned(), "map the enterprise attribute manager");
    }
    if is(target::MANAGER) && mapping.apply == Apply::OnCreate {
        refuse("manager is set once there is an account".to_owned(), "set apply to always");
    }
    broken
}

fn row(mapping: &Mapping, clearable: &[SourceName]) -> Result<Row, expression::Unusable> {
    let (source, paths) = match &mapping.source {
        MappingSource::Constant(text) => (Source::Constant(text.clone()), Vec::new()),
        MappingSource::None => (Source::None, Vec::new()),
        MappingSource::Direct(name) => {
            let path = attribute::parse(name.as_str()).map_err(|error| unusable(name.as_str(), &error))?;
            (Source::Direct { path: path.clone(), is_external_id: is_external_id(name) }, vec![path])
        }
        MappingSource::Expression(text) => {
            let mut compiled = expression::compile(text)?;
            let paths = std::mem::take(&mut compiled.sources);
            (Source::Expression(compiled), paths)
        }
    };
    let is = |other: &str| mapping.target.eq_ignore_ascii_case(other);
    let role = match () {
        () if is(target::MANAGER) => Role::Manager,
        () if is(target::ACCOUNT_DISABLED) => Role::AccountDisabled,
        () if is(target::PARENT) => Role::Parent,
        () if is(target::CN) => Role::Cn,
        () if is(target::OBJECT_FILTER) => Role::ObjectFilter,
        () => Role::Attribute,
    };
    Ok(Row {
        target: mapping.target.clone(),
        target_folded: mapping.target.to_lowercase(),
        source,
        reads: paths.into_iter().map(|path| read(path, clearable)).collect(),
        apply: mapping.apply,
        default_value: mapping.default_value.clone().filter(|value| !value.is_empty()),
        flow_null_values: mapping.flow_null_values,
        flow_when: mapping.flow_when,
        mandatory: mapping.matching_priority > 0 || is(target::SAM_ACCOUNT_NAME),
        role,
    })
}

fn unusable(name: &str, error: &SyntaxError) -> expression::Unusable {
    let hint = "write it as in name.givenName or emails[type eq \"work\"].value";
    expression::Unusable {
        at: error.at,
        message: format!("'{name}' is no source attribute: {error}"),
        hint: Some(hint.to_owned()),
    }
}

/// The names under which a source attribute shows up as sent. An element told apart by something else than its type
/// counts as sent with its whole list.
fn read(path: AttributePath, clearable: &[SourceName]) -> Read {
    let mut keys = vec![scim::touched_key(&path)];
    let by_type = path.filter.as_ref().is_some_and(|filter| filter.attribute.eq_ignore_ascii_case("type"));
    let mut whole = path.clone();
    (whole.filter, whole.sub) = (None, None);
    let is_list = path.filter.is_some()
        || matches!(scim::known(scim::CORE, &path.name), Some((_, scim::Shape::Typed(_) | scim::Shape::List)));
    if is_list && !by_type {
        keys.push(scim::touched_key(&whole));
    }
    // Null for the whole object, or the whole extension, is meant for everything in it.
    if path.sub.is_some() && !is_list {
        keys.push(scim::touched_key(&whole));
    }
    if let Some(urn) = path.urn.as_deref().filter(|urn| !scim::is_core(urn)) {
        keys.push(fold(urn));
    }
    let clearable = clearable.iter().any(|name| {
        attribute::parse(name.as_str()).map_or_else(|_| name.folded(), |path| scim::touched_key(&path)) == keys[0]
    });
    Read { path, keys, clearable }
}
