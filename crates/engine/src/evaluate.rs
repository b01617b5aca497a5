//! A person into a desired state: matching values, account state, container, manager, and the mapped attributes with
//! the question which of them this version may write.

mod check;
mod prepare;
mod row;

use std::cell::Cell;
use std::collections::BTreeMap;

use rollcall_model::config::{Apply, DeleteAction, FlowWhen, OnScopeExit, target};
use rollcall_model::desired::{
    DesiredAccount, DesiredAttribute, DesiredContainer, DesiredManager, DesiredState, Extent, IfAbsent, MatchRule,
    MayWrite, UniqueAttribute,
};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::operation::Method;
use rollcall_model::person::Person;
use rollcall_model::plan::{Failure, Warning};
use rollcall_model::{Code, Dn, SourceName, Timestamp, fold};
use serde_json::Value as Json;

use crate::expression::part;
use crate::scope::Standing;
use crate::{reconcile, scim};
pub use check::check_config;
pub use prepare::{Place, Prepared, Problem};
use row::{Row, Seen, Source, Yield};

/// `rangeUpper` of cn (MS-ADA1 2.110).
pub(crate) const CN_UNITS_MAX: usize = 64;
/// Unknown attributes that are named in one outcome.
const UNKNOWN_NAMED_MAX: usize = 10;

/// What is to be done about a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// The agent is to make this so.
    Send(Box<DesiredState>),
    /// Nothing is to be done, and why.
    Skip(Code, Vec<Warning>),
    /// Nothing can be done, and why.
    Fail(Failure, Vec<Warning>),
}

/// What an evaluation may know beside the person.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The moment that `Now()` and the date operators of scope filters mean.
    pub now: Timestamp,
    /// The account of [`manager_of`]'s answer, where this job is linked to it.
    pub manager_link: Option<ObjectGuid>,
    /// The job's own secret: one person and one mapping get the same random value every time.
    pub secret: &'a [u8; 32],
    /// Values already reserved for this person, by lower-case target: they are taken as decided.
    pub reserved: &'a BTreeMap<String, String>,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    pub evaluation: Evaluation,
    /// The result holds for this day only: the person is due again at the job's next midnight.
    pub read_clock: bool,
}

/// The `externalId` of the person's manager, where the job maps one; a person is never their own.
#[must_use]
pub fn manager_of(prepared: &Prepared, person: &Person) -> Option<String> {
    let row = prepared.manager.as_ref()?;
    let Yield::Values(values) = row.direct(prepared, &person.record) else { return None };
    values
        .into_iter()
        .next()
        .filter(|value| crate::merge::is_possible_key(value.trim()))
        .filter(|value| fold(value.trim()) != fold(person.external_id.trim()))
}

/// Evaluates one person.
#[must_use]
pub fn evaluate(prepared: &Prepared, person: &Person, surroundings: &Surroundings<'_>) -> Evaluated {
    let seen = Seen {
        record: prepared.with_defaults(person),
        now: surroundings.now,
        secret: surroundings.secret,
        person: person.id,
        read_clock: Cell::new(false),
        redacted: Cell::new(false),
    };
    let run = Run { prepared, person, surroundings, seen: &seen, warnings: Vec::new(), unique: Vec::new() };
    let evaluation = run.decide();
    Evaluated { evaluation, read_clock: seen.read_clock.get() }
}

/// What is known of the value of one mapping.
enum UniqueValue {
    /// Others may have the same.
    NotOfThisKind,
    /// Still to be chosen among candidates.
    Open,
    Reserved(String),
}

/// One evaluation on its way.
struct Run<'a> {
    prepared: &'a Prepared,
    person: &'a Person,
    surroundings: &'a Surroundings<'a>,
    seen: &'a Seen<'a>,
    warnings: Vec<Warning>,
    unique: Vec<UniqueAttribute>,
}

impl Run<'_> {
    fn decide(mut self) -> Evaluation {
        let (prepared, person) = (self.prepared, self.person);
        if !prepared.enabled {
            return Evaluation::Skip(Code::ObjectMappingDisabled, self.warnings);
        }
        let standing = prepared.scope.standing(&person.record, self.surroundings.now, &self.seen.read_clock);
        match standing {
            Ok(Standing::PassedOver) => return Evaluation::Skip(Code::FilteredAtImport, self.warnings),
            Ok(Standing::Out) => return self.leave(),
            Ok(Standing::In) | Err(_) => {}
        }
        if person.pending.method == Method::Delete && !self.delete_is_nothing() {
            return self.delete();
        }
        if person.link.is_some() && !prepared.actions.update {
            return Evaluation::Skip(Code::UpdateOff, self.warnings);
        }
        let (matching, unmatched) = self.matching();
        let usable = person.link.is_some() || !matching.is_empty();
        let is_leaver = self.active() == Some(false);
        let held = prepared.object_filter.as_ref().map(|row| row.evaluate(prepared, self.seen));
        if !is_leaver && matches!(held, Some(Ok(Yield::HoldBack))) {
            return Evaluation::Skip(Code::EntrySynchronizationSkipped, self.warnings);
        }
        let held = held.map_or(Ok(()), |held| held.map(|_| ()));
        let result = match unmatched {
            Some(failure) if person.link.is_none() => Err(failure),
            _ => standing.map(|_| ()).and(held).and_then(|()| self.everything(&matching)),
        };
        match result {
            Ok(state) => Evaluation::Send(Box::new(state)),
            // A leaver is disabled whatever else is wrong.
            Err(failure) if usable && is_leaver => {
                let mut state = self.account_only(matching);
                state.failure = Some(failure);
                Evaluation::Send(Box::new(state))
            }
            Err(failure) => Evaluation::Fail(failure, self.warnings),
        }
    }

    /// Semantics `scope`: somebody who is out of scope is not managed, but for the one time that they leave.
    fn leave(mut self) -> Evaluation {
        let (prepared, person) = (self.prepared, self.person);
        let is_out = person.confirmed.as_ref().is_some_and(|confirmed| confirmed.in_scope == Some(false));
        let has_left = is_out && !person.pending.reevaluate;
        if person.link.is_none()
            || has_left
            || prepared.on_scope_exit == OnScopeExit::Nothing
            || !prepared.actions.update
        {
            return Evaluation::Skip(Code::NotEffectivelyEntitled, self.warnings);
        }
        let text = "the person is out of the job's scope, and the job disables the accounts of such persons";
        self.warn(Code::NotEffectivelyEntitled, target::ACCOUNT_DISABLED, text.to_owned());
        let (matching, _) = self.matching();
        let mut state = self.account_only(matching);
        state.out_of_scope = true;
        if let OnScopeExit::DisableAndMove(container) = &prepared.on_scope_exit {
            state.extent = Extent::AccountAndContainer;
            (state.container.mapped, state.container.may_move) = (Some(container.clone()), true);
        }
        Evaluation::Send(Box::new(state))
    }

    fn warn(&mut self, code: Code, attribute: &str, text: String) {
        self.warnings.push(Warning { code, attribute: Some(attribute.to_owned()), text });
    }

    fn active(&self) -> Option<bool> {
        scim::member(&self.person.record, "active").and_then(Json::as_bool)
    }

    /// A DELETE that the job ignores does not swallow what operations before it left to do.
    fn delete_is_nothing(&self) -> bool {
        let pending = &self.person.pending;
        self.prepared.delete_action == DeleteAction::Off && (!pending.touched.is_empty() || pending.reevaluate)
    }

    fn delete(self) -> Evaluation {
        if self.prepared.delete_action == DeleteAction::Off {
            return Evaluation::Skip(Code::DeleteIgnored, self.warnings);
        }
        let (matching, _) = self.matching();
        // Nor does one that finds no link swallow the `active` false that came before it.
        let left = self.active() == Some(false) && self.person.pending.touched.contains("active");
        if self.person.link.is_none() && (!left || matching.is_empty()) {
            return Evaluation::Skip(Code::NotLinked, self.warnings);
        }
        let delete = self.prepared.delete_action == DeleteAction::Delete && self.person.link.is_some();
        Evaluation::Send(Box::new(DesiredState { delete, ..self.account_only(matching) }))
    }

    /// The usable matching rules, and what is wrong with the person as far as matching goes.
    fn matching(&self) -> (Vec<MatchRule>, Option<Failure>) {
        let (mut rules, mut wrong) = (Vec::new(), None);
        for row in &self.prepared.matching {
            let value = match row.evaluate(self.prepared, self.seen) {
                Ok(Yield::Values(values)) if values.len() > 1 => {
                    wrong.get_or_insert_with(|| several(row, values.len()));
                    None
                }
                Ok(Yield::Values(values)) => values.into_iter().next().filter(|value| !value.trim().is_empty()),
                Ok(Yield::Nothing | Yield::Clear | Yield::HoldBack) => None,
                Err(failure) => {
                    wrong.get_or_insert(failure);
                    None
                }
            };
            let Some(value) = value else { continue };
            match too_long(&row.target, &value) {
                Some(failure) => {
                    wrong.get_or_insert(failure);
                }
                None => rules.push(MatchRule { attribute: row.target.clone(), value }),
            }
        }
        if rules.is_empty() && wrong.is_none() {
            let names: Vec<&str> = self.prepared.matching.iter().map(|row| row.target.as_str()).collect();
            let reason =
                format!("the record has no value for {}; send the attribute it comes from", names.join(" or "));
            wrong = Some(Failure::new(Code::ImportSkipped, names.first().copied(), reason));
        }
        (rules, wrong)
    }

    /// The whole desired state, or the first thing that makes the record unusable.
    fn everything(&mut self, matching: &[MatchRule]) -> Result<DesiredState, Failure> {
        if self.person.link.is_none() {
            self.prepared.demand(&self.seen.record)?;
        }
        let account = self.account()?;
        let container = self.container()?;
        let manager = self.manager(self.surroundings.manager_link)?;
        let attributes = self.attributes()?;
        let cn = self.cn()?;
        self.name_unknown();
        let mut state = self.account_only(matching.to_vec());
        let creates = self.active() != Some(false) || self.prepared.create_inactive;
        let actions = self.prepared.actions;
        state.if_absent = if creates && actions.create { IfAbsent::Create } else { IfAbsent::Skip };
        state.if_absent_code = (creates && !actions.create).then_some(Code::CreateOff);
        state.leave_existing = !actions.update;
        state.unique = std::mem::take(&mut self.unique);
        state.extent = Extent::Everything;
        (state.account, state.container, state.manager) = (account, container, manager);
        state.rename = self.rename(cn.as_deref());
        (state.attributes, state.cn) = (attributes, cn);
        state.warnings = std::mem::take(&mut self.warnings);
        Ok(state)
    }

    /// A state that disables and does nothing else.
    fn account_only(&self, matching: Vec<MatchRule>) -> DesiredState {
        let (person, prepared) = (self.person, self.prepared);
        DesiredState {
            person: person.id,
            external_id: person.external_id.clone(),
            version: person.version,
            link: person.link.clone(),
            matching,
            account: DesiredAccount::Disabled,
            delete: false,
            if_absent: IfAbsent::Skip,
            extent: Extent::AccountOnly,
            if_absent_code: None,
            leave_existing: false,
            out_of_scope: false,
            unique: Vec::new(),
            attributes: Vec::new(),
            cn: None,
            rename: None,
            container: DesiredContainer { mapped: None, default: prepared.container.clone(), may_move: false },
            manager: None,
            must_change_password: prepared.must_change_password,
            initial_password: prepared.initial_password,
            enable_found_disabled: prepared.enable_found_disabled,
            last_left_enabled: person.confirmed.as_ref().and_then(|confirmed| confirmed.enabled),
            failure: None,
            warnings: self.warnings.clone(),
        }
    }

    /// Semantics `active`, `disable`, `enable`.
    fn account(&self) -> Result<DesiredAccount, Failure> {
        let active = self.active();
        if active == Some(false) {
            return Ok(DesiredAccount::Disabled);
        }
        let is_new = self.person.link.is_none();
        // A rule that reads `active` says nothing of a person for whom it was never sent.
        let is_asked =
            |row: &&Row| (active.is_some() || !row.reads("active")) && (is_new || row.apply != Apply::OnCreate);
        let mut says_enabled = false;
        if let Some(row) = self.prepared.account.as_ref().filter(is_asked)
            && let Some(value) = self.one_or_default(row, is_new)?
        {
            if value.eq_ignore_ascii_case("true") {
                return Ok(DesiredAccount::Disabled);
            }
            says_enabled = value.eq_ignore_ascii_case("false");
        }
        let confirmed = self.person.confirmed.as_ref();
        let left_disabled = confirmed.is_some_and(|confirmed| confirmed.enabled == Some(false));
        let returns = confirmed.is_some_and(|confirmed| confirmed.in_scope == Some(false));
        let pending = &self.person.pending;
        Ok(match active {
            // Back in scope: what leaving it disabled is enabled.
            _ if returns => DesiredAccount::Enabled,
            // A re-evaluation never enables.
            _ if pending.reevaluate => DesiredAccount::EnabledIfNew,
            // Its day has come, for a rule that does without `active`.
            None if left_disabled && says_enabled => DesiredAccount::Enabled,
            None | Some(false) => DesiredAccount::EnabledIfNew,
            Some(true) if pending.was_inactive || left_disabled => DesiredAccount::Enabled,
            Some(true) => DesiredAccount::EnabledIfNewOrFirstLink,
        })
    }

    /// Semantics `move`.
    fn container(&self) -> Result<DesiredContainer, Failure> {
        let mut container =
            DesiredContainer { mapped: None, default: self.prepared.container.clone(), may_move: false };
        let Some(row) = &self.prepared.parent else { return Ok(container) };
        let is_new = self.person.link.is_none();
        if row.apply == Apply::OnCreate && !is_new {
            return Ok(container);
        }
        let Some(text) = self.one(row)? else {
            // Nobody is moved to a default.
            container.default = row.default_value.clone().filter(|_| is_new).or(container.default);
            return Ok(container);
        };
        let dn = Dn::parse(&text).map_err(|error| {
            let reason = format!("{} yields no container: {error}; correct the mapping or the record", row.target);
            Failure::new(Code::AttributeValidationFailed, Some(&row.target), reason)
        })?;
        if row.apply == Apply::OnCreate {
            container.default = Some(text);
            return Ok(container);
        }
        let pending = &self.person.pending;
        let confirmed = self.person.confirmed.as_ref().and_then(|confirmed| confirmed.container.as_deref());
        container.may_move = pending.moved
            || match confirmed {
                Some(confirmed) => !dn.same_as(&Dn::from_directory(confirmed)),
                None => row.is_touched(&pending.touched) || pending.reevaluate,
            };
        container.mapped = Some(text);
        Ok(container)
    }

    fn cn(&mut self) -> Result<Option<String>, Failure> {
        let Some(row) = &self.prepared.cn else { return Ok(None) };
        let is_new = self.person.link.is_none();
        if !is_new && row.apply == Apply::OnCreate {
            return Ok(None);
        }
        match self.unique_value(row)? {
            UniqueValue::NotOfThisKind => {}
            UniqueValue::Open => return Ok(None),
            UniqueValue::Reserved(value) => return Ok(Some(value)),
        }
        // Nobody is renamed for want of a value.
        let text = self.one_or_default(row, is_new)?.unwrap_or_default();
        let cut = part(text.trim().into(), 0, CN_UNITS_MAX).trim_end().to_owned();
        Ok((!cut.is_empty()).then_some(cut))
    }

    /// Semantics `move`: whether an account may be given the name, where the mapping says so.
    fn rename(&self, cn: Option<&str>) -> Option<MayWrite> {
        let row = self.prepared.cn.as_ref().filter(|row| row.apply == Apply::Always)?;
        Some(self.may_write(row, &[cn?.to_owned()]))
    }

    /// The same, or of somebody new the mapping's default.
    fn one_or_default(&self, row: &Row, is_new: bool) -> Result<Option<String>, Failure> {
        Ok(self.one(row)?.or_else(|| row.default_value.clone().filter(|_| is_new)))
    }

    /// The one value of a row that has no list.
    fn one(&self, row: &Row) -> Result<Option<String>, Failure> {
        Ok(match row.evaluate(self.prepared, self.seen)? {
            Yield::Values(values) if values.len() > 1 && !row.is_manager() => return Err(several(row, values.len())),
            Yield::Values(values) => values.into_iter().next().filter(|value| !value.trim().is_empty()),
            Yield::Nothing | Yield::Clear | Yield::HoldBack => None,
        })
    }

    /// Semantics `manager`.
    fn manager(&mut self, guid: Option<ObjectGuid>) -> Result<Option<DesiredManager>, Failure> {
        let Some(row) = &self.prepared.manager else { return Ok(None) };
        let Some(external_id) = self.one(row)?.map(|text| text.trim().to_owned()) else { return Ok(None) };
        if fold(&external_id) == fold(self.person.external_id.trim()) {
            self.warn(
                Code::SelfReference,
                &row.target,
                format!("{external_id} is named as their own manager; none is set"),
            );
            return Ok(None);
        }
        // Waiting for somebody who can never be sent would wait for ever.
        if !crate::merge::is_possible_key(&external_id) {
            let text = "the manager's value can be nobody's externalId; none is set, correct it in the source";
            self.warn(Code::UnableToResolveReferenceAttributeValue, &row.target, text.to_owned());
            return Ok(None);
        }
        let matching = self
            .prepared
            .matching
            .first()
            .filter(|first| first.is_direct_external_id() && too_long(&first.target, &external_id).is_none())
            .map(|first| MatchRule { attribute: first.target.clone(), value: external_id.clone() });
        let confirmed = self.person.confirmed.as_ref().and_then(|confirmed| confirmed.manager.as_deref());
        let differs = confirmed.is_none_or(|confirmed| fold(confirmed) != fold(&external_id));
        let pending = &self.person.pending;
        let may_write = may_write_if(differs || pending.reevaluate || row.is_touched(&pending.touched));
        Ok(Some(DesiredManager { external_id, guid, matching: matching.into_iter().collect(), may_write }))
    }

    fn attributes(&mut self) -> Result<Vec<DesiredAttribute>, Failure> {
        let prepared = self.prepared;
        let mut attributes = Vec::with_capacity(prepared.attributes.len());
        for row in prepared.attributes.iter().chain(&prepared.manager) {
            if let Some(attribute) = self.attribute(row)? {
                attributes.push(attribute);
            }
        }
        Ok(attributes)
    }

    fn attribute(&mut self, row: &Row) -> Result<Option<DesiredAttribute>, Failure> {
        let is_new = self.person.link.is_none();
        // What is written in our own add only is of no account once there is an account.
        if row.apply == Apply::OnCreate && !is_new {
            return Ok(None);
        }
        let yielded = match self.unique_value(row)? {
            UniqueValue::Open => return Ok(None),
            UniqueValue::Reserved(value) => Yield::Values(vec![value]),
            UniqueValue::NotOfThisKind => row.evaluate(self.prepared, self.seen)?,
        };
        let (values, apply) = match yielded {
            // A reference is no attribute of its own, but for being cleared.
            Yield::Values(_) if row.is_manager() => return Ok(None),
            Yield::Values(values) => (values, row.apply),
            Yield::Clear if !is_new => (Vec::new(), row.apply),
            Yield::Nothing | Yield::Clear | Yield::HoldBack => match &row.default_value {
                // Semantics `default`: no source, so nothing is done but to fill what is empty.
                Some(value) if row.is_default_alone() => (vec![value.clone()], Apply::AttributeAddOnly),
                Some(value) if is_new => (vec![value.clone()], Apply::OnCreate),
                _ => return Ok(None),
            },
        };
        if !row.mandatory && self.is_refused(row, &values) {
            return Ok(None);
        }
        let may_write = self.may_write(row, &values);
        let (redacted, owned) = (self.seen.redacted.get(), self.owned(row));
        let (name, mandatory) = (row.target.clone(), row.mandatory);
        Ok(Some(DesiredAttribute { name, values, apply, may_write, mandatory, redacted, owned }))
    }

    /// What is known of the value of a mapping whose value nobody else may have. Candidates are noted.
    fn unique_value(&mut self, row: &Row) -> Result<UniqueValue, Failure> {
        let Source::Expression(compiled) = &row.source else { return Ok(UniqueValue::NotOfThisKind) };
        // What is reserved for the person is decided, whatever the rules would offer by now.
        if let Some(value) = self.surroundings.reserved.get(&row.target_folded).filter(|_| compiled.is_unique()) {
            self.seen.redacted.set(compiled.may_redact());
            return Ok(UniqueValue::Reserved(value.clone()));
        }
        let Some(candidates) = row.candidates(self.prepared, self.seen)? else { return Ok(UniqueValue::NotOfThisKind) };
        let redacted = self.seen.redacted.get();
        self.unique.push(UniqueAttribute { name: row.target.clone(), candidates, redacted });
        Ok(UniqueValue::Open)
    }

    /// Whether the directory refused just this before.
    fn is_refused(&mut self, row: &Row, values: &[String]) -> bool {
        let refused = &self.person.refused;
        let Some(refused) = refused.get(&row.target_folded).or_else(|| refused.get(&row.target)) else { return false };
        if refused.schema_version != self.prepared.schema_version || !same_set(&refused.values, values) {
            return false;
        }
        let text = format!("the directory refused this value before and it is not sent again: {}", refused.reason);
        self.warn(Code::AttributeRefused, &row.target, text);
        true
    }

    /// What we last confirmed of an attribute of which only that may be taken away.
    fn owned(&self, row: &Row) -> Vec<String> {
        let confirmed = self.person.confirmed.as_ref().filter(|_| row.target_folded == reconcile::ADDRESSES_FOLDED);
        confirmed.and_then(|confirmed| confirmed.attributes.get(&row.target_folded)).cloned().unwrap_or_default()
    }

    /// Semantics `may-write`.
    fn may_write(&self, row: &Row, values: &[String]) -> MayWrite {
        let pending = &self.person.pending;
        let confirmed = self.person.confirmed.as_ref().and_then(|all| all.attributes.get(&row.target_folded));
        let differs = match confirmed {
            Some(confirmed) => !same_set(confirmed, values),
            // What was never ours is not cleared without being asked to.
            None => !values.is_empty(),
        };
        let always = row.flow_when == FlowWhen::Always || row.is_default_alone();
        may_write_if(always || differs || pending.reevaluate || row.is_touched(&pending.touched))
    }

    /// Names sent attributes that no schema and no mapping knows.
    fn name_unknown(&mut self) {
        let mut heads: Vec<&str> = self.person.pending.touched.iter().map(|key| head(key)).collect();
        heads.dedup();
        let unknown: Vec<&str> = heads
            .into_iter()
            .filter(|head| !head.starts_with("urn:") && !self.prepared.known_heads.contains(*head))
            .take(UNKNOWN_NAMED_MAX)
            .collect();
        for head in unknown {
            let name = scim::key_of(&self.person.record, head).unwrap_or_else(|| head.to_owned());
            self.warn(
                Code::UnknownAttributeIgnored,
                &format!("/{name}"),
                format!("no mapping uses the attribute {name}"),
            );
        }
    }
}

/// Which of them is meant is anybody's guess.
fn several(row: &Row, count: usize) -> Failure {
    let reason = format!("{} takes one value, and the mapping yields {count}; map one of them", row.target);
    Failure::new(Code::AttributeValidationFailed, Some(&row.target), reason)
}

fn may_write_if(yes: bool) -> MayWrite {
    if yes { MayWrite::Yes } else { MayWrite::FirstLinkOnly }
}

/// The top-level name in a folded source name: `name` of `name.givenname`. An extension's stays whole.
fn head(key: &str) -> &str {
    if key.starts_with("urn:") { key } else { key.split(['.', '[']).next().unwrap_or(key) }
}

fn same_set(a: &[String], b: &[String]) -> bool {
    a == b || (a.len() == b.len() && a.iter().all(|value| b.contains(value)) && b.iter().all(|value| a.contains(value)))
}

/// Longest values of attributes that jobs match on, in UTF-16 units (`rangeUpper`, MS-ADA1 and MS-ADA3; 20 for a
/// user's sAMAccountName is SAM's own limit).
const MATCHING_UNITS_MAX: &[(&str, usize)] = &[
    ("employeeID", 16),
    ("sAMAccountName", 20),
    ("employeeNumber", 512),
    ("employeeType", 256),
    ("userPrincipalName", 1_024),
    ("mail", 256),
    ("cn", 64),
    ("displayName", 256),
];

/// A matching value that the attribute cannot hold can never be found, nor be part of an add.
fn too_long(attribute: &str, value: &str) -> Option<Failure> {
    let (_, most) = MATCHING_UNITS_MAX.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute))?;
    let units = value.encode_utf16().count();
    (units > *most).then(|| {
        let reason = format!(
            "the matching value has {units} characters, {attribute} holds {most}; use a shorter identifier, or match on \
             another attribute"
        );
        Failure::new(Code::MatchingValueTooLong, Some(attribute), reason)
    })
}

/// Whether `name` is the plain attribute `externalId`.
fn is_external_id(name: &SourceName) -> bool {
    name.folded() == "externalid" || name.folded() == fold(&format!("{}:externalId", rollcall_model::source::CORE_USER))
}

#[cfg(test)]
mod tests;
