//! Which faults come, and in which order.

use std::collections::BTreeMap;

use crate::e2e::seeded::Seeded;

/// Whom a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Service,
    Agent,
    Directory,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ServiceKilled,
    ServiceStopped,
    ServiceStoppedPastLease,
    /// PostgreSQL killed; with SQLite the disk full.
    StoreFailed,
    ServiceClockMoved,
    AgentKilled,
    AgentStopped,
    AgentStoppedPastLease,
    LinkCut,
    /// The link takes bytes and passes none, then ends.
    LinkSilent,
    AgentClockMoved,
    DirectoryKilled,
    DirectoryStopped,
    /// The controller has committed a write, and its answer is lost with the connection.
    AnswerDropped,
    /// The connection ends in the middle of a write's request.
    RequestCut,
    AnswersDelayed,
}

/// One round of a class; what matters most comes oftener.
fn deck(class: Class) -> Vec<Kind> {
    use Kind as K;
    match class {
        Class::Service => vec![
            K::ServiceKilled,
            K::ServiceKilled,
            K::ServiceStopped,
            K::ServiceStoppedPastLease,
            K::StoreFailed,
            K::StoreFailed,
            K::ServiceClockMoved,
        ],
        Class::Agent => vec![
            K::AgentKilled,
            K::AgentKilled,
            K::AgentStopped,
            K::AgentStoppedPastLease,
            K::LinkCut,
            K::LinkCut,
            K::LinkSilent,
            K::AgentClockMoved,
        ],
        Class::Directory => vec![
            K::DirectoryKilled,
            K::DirectoryStopped,
            K::AnswerDropped,
            K::AnswerDropped,
            K::AnswerDropped,
            K::RequestCut,
            K::RequestCut,
            K::AnswersDelayed,
        ],
    }
}

impl Kind {
    pub(super) fn class(self) -> Class {
        let classes = [Class::Service, Class::Agent, Class::Directory];
        classes.into_iter().find(|class| deck(*class).contains(&self)).unwrap_or(Class::Service)
    }
}

/// As many of each class as of the others, each kind in its turn, in an order of chance.
pub(super) fn plan(random: &mut Seeded, faults: usize) -> Vec<Kind> {
    let mut out = Vec::new();
    for (at, class) in [Class::Service, Class::Agent, Class::Directory].into_iter().enumerate() {
        let mut ours = Vec::new();
        let count = faults / 3 + usize::from(at < faults % 3);
        while ours.len() < count {
            let mut round = deck(class);
            random.shuffle(&mut round);
            ours.extend(round);
        }
        ours.truncate(count);
        out.extend(ours);
    }
    random.shuffle(&mut out);
    out
}

/// How often each came.
pub(super) type Tally = BTreeMap<Kind, u32>;

/// The tally as lines, a class each.
pub(super) fn table(tally: &Tally) -> String {
    let line = |class: Class| {
        let ours: Vec<(&Kind, &u32)> = tally.iter().filter(|(kind, _)| kind.class() == class).collect();
        let sum: u32 = ours.iter().map(|(_, number)| **number).sum();
        let kinds: Vec<String> = ours.iter().map(|(kind, number)| format!("{kind:?} {number}")).collect();
        format!("{class:?} {sum}: {}", kinds.join(", "))
    };
    [Class::Service, Class::Agent, Class::Directory].map(line).join("\n")
}

#[test]
fn every_class_and_kind_has_its_share() {
    for (faults, least) in [(24, 1), (200, 8)] {
        let mut tally = Tally::new();
        for kind in plan(&mut Seeded(7), faults) {
            *tally.entry(kind).or_default() += 1;
        }
        for class in [Class::Service, Class::Agent, Class::Directory] {
            let sum: u32 = tally.iter().filter(|(kind, _)| kind.class() == class).map(|(_, number)| *number).sum();
            assert!(sum as usize >= faults / 3, "{class:?}: {tally:?}");
            assert!(deck(class).iter().all(|kind| tally[kind] >= least), "{tally:?}");
        }
    }
}
