//! Values of new accounts that nobody else may have: chosen among candidates, looked up in the directory, and reserved
//! with the service before the account is planned.

use std::collections::{BTreeMap, HashMap, HashSet};

use rollcall_directory::Error as DirectoryError;
use rollcall_model::config::{Apply, target};
use rollcall_model::desired::{DesiredAttribute, DesiredState, IfAbsent, MayWrite, UniqueAttribute};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::plan::{Failure, Write, WriteRequest};
use rollcall_model::{Code, fold, fold_taken, limits};
use rollcall_wire::link::{Reservation, Want};

use super::batch::{Batch, Pass, UNANSWERED_MAX, is_lost};
use super::task::Task;
use crate::controller::{Session, trouble};
use crate::fault;
use crate::link::Outgoing;
use crate::taken::{none_left, taken};

/// Candidates of one choice that are looked up first. Each further look goes further ahead.
const FIRST_LOOK: usize = 2;
const LOOK_GROWTH: usize = 4;
/// Of one frame; whatever a choice has fits, as it came in a frame.
const RESERVE_BYTES_MAX: usize = limits::FRAME_BYTES_MAX / 4;

/// An attribute and a value as they are compared.
type Key = (String, String);

/// One attribute of one account.
struct Choice {
    /// Place of the person in the batch.
    at: usize,
    attribute: String,
    candidates: Vec<(String, Key)>,
    /// Candidates that the directory refused, or that are somebody else's by the service's word.
    denied: HashSet<Key>,
    refused: Vec<String>,
    next_look: usize,
    value: Option<String>,
    is_over: bool,
}

impl Choice {
    fn new(at: usize, task: &Task, attribute: &str, candidates: &[String]) -> Self {
        let key = |value: &String| (fold(attribute), fold_taken(value));
        let is_refused = |name: &String| name.eq_ignore_ascii_case(attribute);
        let refused: Vec<String> =
            task.refused_names.iter().filter(|(name, _)| is_refused(name)).map(|(_, value)| value.clone()).collect();
        Self {
            at,
            attribute: attribute.to_owned(),
            candidates: candidates.iter().map(|value| (value.clone(), key(value))).collect(),
            denied: refused.iter().map(key).collect(),
            refused,
            next_look: FIRST_LOOK,
            value: None,
            is_over: false,
        }
    }

    fn is_open(&self) -> bool {
        self.value.is_none() && !self.is_over
    }

    /// Candidates that are left and of which this is known; `None`: nothing yet.
    fn left<'a>(&'a self, known: &'a Known, taken: Option<bool>) -> impl Iterator<Item = &'a (String, Key)> {
        self.candidates
            .iter()
            .filter(move |(_, key)| !key.1.is_empty() && !self.denied.contains(key) && known.get(key).copied() == taken)
    }

    fn want(&self, task: &Task, known: &Known) -> Want {
        let of = |taken: bool| self.left(known, Some(taken)).map(|(value, _)| value.clone()).collect::<Vec<_>>();
        let free = of(false);
        let mut taken = self.refused.clone();
        if free.is_empty() {
            taken.extend(of(true));
        }
        Want { person: task.desired.person, attribute: self.attribute.clone(), free, taken }
    }
}

/// Whether somebody in the directory holds a value.
type Known = HashMap<Key, bool>;

/// Why a choice ended early.
enum Stopped {
    Over,
    Lost,
}

/// Whether an account is to be made that needs a choice first.
fn needs_names(desired: &DesiredState) -> bool {
    !desired.unique.is_empty()
        && desired.link.is_none()
        && desired.failure.is_none()
        && desired.if_absent == IfAbsent::Create
}

impl Batch {
    /// Chooses for those of the persons at `absent`, who have no account, that need it. Who gets no value has failed.
    pub(super) async fn choose_names(&mut self, session: &Session, absent: &[usize]) -> Pass {
        let mut choices: Vec<Choice> = vec![];
        for at in absent {
            let task = &self.tasks[*at];
            if needs_names(&task.desired) && task.place.is_wanted() {
                let unique = task.desired.unique.iter();
                choices.extend(unique.map(|own| Choice::new(*at, task, &own.name, &own.candidates)));
            }
        }
        let mut known = Known::new();
        while choices.iter().any(Choice::is_open) {
            match self.look_and_reserve(session, &mut choices, &mut known).await {
                Ok(()) => {}
                Err(Stopped::Over) => return Pass::Over,
                Err(Stopped::Lost) => return Pass::Lost,
            }
        }
        for choice in choices {
            let task = &mut self.tasks[choice.at];
            match &choice.value {
                Some(value) => task.name(&choice.attribute, value),
                None if !task.is_ended() => {
                    task.fail(none_left(&choice.attribute, choice.candidates.iter().map(|(value, _)| value)));
                }
                None => {}
            }
        }
        Pass::Complete
    }

    /// One round: what is free in the directory, and which of it the service lets these persons have.
    async fn look_and_reserve(
        &mut self,
        session: &Session,
        choices: &mut [Choice],
        known: &mut Known,
    ) -> Result<(), Stopped> {
        loop {
            let wanted = to_look_up(choices, known);
            if wanted.is_empty() {
                break;
            }
            for (attribute, values) in wanted {
                let asked: Vec<&str> = values.values().map(String::as_str).collect();
                let domain = &session.root.default_naming_context;
                match taken(&*session.reader, domain, &attribute, &asked).await {
                    Ok(held) => {
                        let key = |value: &String| (attribute.clone(), value.clone());
                        known.extend(values.keys().map(|value| (key(value), held.contains(value))));
                    }
                    Err(error) if is_lost(&error) => {
                        self.lost_with(choices, &error);
                        return Err(Stopped::Lost);
                    }
                    Err(error) => self.give_up_on(&attribute, choices, &error),
                }
            }
        }
        let mut asked: Vec<&mut Choice> = choices.iter_mut().filter(|choice| choice.is_open()).collect();
        let wants: Vec<Want> = asked.iter().map(|choice| choice.want(&self.tasks[choice.at], known)).collect();
        fault::reached(KillPoint::BeforeReserveSend);
        let answered = self.reserve(wants.clone()).await;
        fault::reached(KillPoint::AfterReserved);
        let Some(answers) = answered else { return Err(Stopped::Over) };
        for (choice, want) in asked.iter_mut().zip(wants) {
            let is_it = |answer: &&Reservation| {
                answer.person == want.person && answer.attribute.eq_ignore_ascii_case(&want.attribute)
            };
            choice.value = answers.iter().find(is_it).and_then(|answer| answer.value.clone());
            // What is somebody else's is not asked for again; where nothing was free, nothing is left.
            choice.is_over = want.free.is_empty();
            let keys: Vec<Key> = choice.left(known, Some(false)).map(|(_, key)| key.clone()).collect();
            choice.denied.extend(keys);
        }
        Ok(())
    }

    /// The directory gave no answer: one of these values may be the reason, and may not hold everybody up for ever.
    fn lost_with(&mut self, choices: &[Choice], error: &DirectoryError) {
        let open: HashSet<usize> = choices.iter().filter(|choice| choice.is_open()).map(|choice| choice.at).collect();
        for at in open {
            let task = &mut self.tasks[at];
            task.unanswered += 1;
            if task.unanswered >= UNANSWERED_MAX {
                task.fail(trouble(error));
            }
        }
    }

    /// The directory cannot be asked about an attribute.
    fn give_up_on(&mut self, attribute: &str, choices: &mut [Choice], error: &DirectoryError) {
        for choice in choices.iter_mut().filter(|choice| choice.is_open() && fold(&choice.attribute) == attribute) {
            choice.is_over = true;
            self.tasks[choice.at].fail(trouble(error));
        }
    }

    /// Asks the service which values these accounts are to have. `None`: the epoch is over.
    async fn reserve(&self, wants: Vec<Want>) -> Option<Vec<Reservation>> {
        let mut frames: Vec<(usize, Vec<Want>)> = vec![];
        for want in wants {
            let bytes = serde_json::to_vec(&want).map_or(0, |text| text.len());
            match frames.last_mut() {
                Some((length, frame)) if *length + bytes <= RESERVE_BYTES_MAX => {
                    *length += bytes;
                    frame.push(want);
                }
                _ => frames.push((bytes, vec![want])),
            }
        }
        let (mut all, epoch) = (vec![], self.epoch);
        for (_, wants) in frames {
            let ask = |answer| Outgoing::Reserve { epoch, wants: wants.clone(), answer };
            all.extend(self.ask(ask).await?);
        }
        Some(all)
    }
}

/// Values that have to be looked up next, by attribute, with their comparable form: until everybody has one of their
/// own that may be free, as far as the candidates go.
fn to_look_up(choices: &mut [Choice], known: &Known) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut wanted: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut promised: HashSet<Key> = HashSet::new();
    for choice in choices.iter_mut().filter(|choice| choice.is_open()) {
        let own = choice.left(known, Some(false)).find(|(_, key)| !promised.contains(key)).map(|(_, key)| key.clone());
        if let Some(own) = own {
            promised.insert(own);
            continue;
        }
        let next: Vec<_> = choice.left(known, None).take(choice.next_look).cloned().collect();
        choice.next_look = choice.next_look.saturating_mul(LOOK_GROWTH);
        for (value, (attribute, key)) in next {
            wanted.entry(attribute).or_default().insert(key, value);
        }
    }
    wanted
}

impl Task {
    /// Sets a value that was chosen.
    fn name(&mut self, attribute: &str, value: &str) {
        let desired = &mut self.desired;
        if attribute.eq_ignore_ascii_case(target::CN) {
            desired.cn = Some(value.to_owned());
            return;
        }
        let hides = |own: &UniqueAttribute| own.redacted && own.name.eq_ignore_ascii_case(attribute);
        let redacted = desired.unique.iter().any(hides);
        desired.attributes.retain(|own| !own.name.eq_ignore_ascii_case(attribute));
        desired.attributes.push(DesiredAttribute {
            name: attribute.to_owned(),
            values: vec![value.to_owned()],
            apply: Apply::OnCreate,
            may_write: MayWrite::Yes,
            mandatory: attribute.eq_ignore_ascii_case(target::SAM_ACCOUNT_NAME),
            redacted,
            owned: vec![],
        });
    }

    /// Notes that the directory refused a chosen value because somebody holds it after all; whether another may be
    /// chosen. `Some` failure: too often.
    pub(super) fn refuse_name(&mut self, write: &Write, failure: &Failure) -> Option<Result<(), Failure>> {
        let is_conflict = matches!(
            failure.code,
            Code::EntryConflict | Code::HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique
        );
        let WriteRequest::Add { cn, attributes, .. } = &write.request else { return None };
        let named = failure.attribute.as_deref().or(match (failure.code, self.desired.unique.as_slice()) {
            (Code::EntryConflict, [only]) => Some(only.name.as_str()),
            (Code::EntryConflict, _) => None,
            _ => Some(target::USER_PRINCIPAL_NAME),
        })?;
        let unique = self.desired.unique.iter().find(|own| own.name.eq_ignore_ascii_case(named))?;
        let value = if named.eq_ignore_ascii_case(target::CN) {
            Some(cn)
        } else {
            attributes.iter().find(|own| own.name.eq_ignore_ascii_case(named)).and_then(|own| own.values.first())
        };
        let value = value.filter(|_| is_conflict)?.clone();
        self.refused_names.push((unique.name.clone(), value));
        if self.refused_names.len() < limits::UNIQUE_REFUSALS_MAX {
            return Some(Ok(()));
        }
        let refused: Vec<&str> = self.refused_names.iter().map(|(_, value)| value.as_str()).collect();
        let reason = format!(
            "the directory refused values that nobody was seen to hold: {}; {}",
            refused.join(", "),
            failure.reason
        );
        let code = Code::NoUniqueValueLeft;
        Some(Err(Failure { code, reason, attribute: Some(unique.name.clone()), ..failure.clone() }))
    }
}
