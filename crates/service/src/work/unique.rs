//! Values that must be unique: which candidates an agent is told, and which of them a person gets.

use std::collections::HashSet;

use rollcall_engine::evaluate::Evaluation;
use rollcall_model::desired::UniqueAttribute;
use rollcall_model::ids::{Epoch, PersonId, TenantId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{DuePerson, Error, Fenced, Store, Wanted};
use rollcall_wire::link::{Reservation, ToAgent, Want};

use super::domain::Worker;
use super::session::SessionId;
use crate::fault;

/// Candidates of one person and attribute that are looked up first. Where all are taken, further ones are.
const FIRST_LOOK: usize = 16;
const LOOK_GROWTH: usize = 4;
/// Candidates that are sent where all are taken: the person may have an account all the same, and if not, the failure
/// names them.
const SENT_FOR_NOTHING: usize = 10;

/// One attribute of one person who may get an account.
pub(crate) struct Offer<'a> {
    person: PersonId,
    attribute: String,
    candidates: &'a mut Vec<String>,
    /// Before this one all are taken.
    free_from: usize,
    /// Before this one all are looked up.
    looked_to: usize,
    is_settled: bool,
}

impl<'a> Offer<'a> {
    pub(crate) fn new(person: PersonId, unique: &'a mut UniqueAttribute) -> Self {
        let (attribute, candidates) = (unique.name.clone(), &mut unique.candidates);
        Self { person, attribute, candidates, free_from: 0, looked_to: 0, is_settled: false }
    }
}

/// Leaves of all candidates those that are sent: from the first on that nobody else has, as far as the store knows and
/// `is_given` says, which is asked about an attribute's value. A few reads for all, however many they are. Yields, for
/// each offer in its order, how many candidates were passed over and sent; `None`: all of them are somebody's.
pub(crate) async fn narrow(
    store: &dyn Store,
    (tenant, domain): (TenantId, &str),
    offers: &mut [Offer<'_>],
    is_given: &(dyn Fn(&str, &str) -> bool + Sync),
    now: Timestamp,
) -> Result<Vec<Option<usize>>, Error> {
    let mut ahead = FIRST_LOOK;
    while offers.iter().any(|offer| !offer.is_settled) {
        for offer in offers.iter_mut().filter(|offer| !offer.is_settled) {
            offer.looked_to = (offer.free_from + ahead).min(offer.candidates.len());
        }
        look_ahead(store, (tenant, domain), offers, is_given, now).await?;
        ahead = ahead.saturating_mul(LOOK_GROWTH);
    }
    let cut = |offer: &mut Offer<'_>| {
        if offer.free_from < offer.candidates.len() {
            offer.candidates.drain(..offer.free_from);
            offer.candidates.truncate(limits::UNIQUE_CANDIDATES_SENT_MAX);
            Some(offer.free_from + offer.candidates.len())
        } else {
            offer.candidates.truncate(SENT_FOR_NOTHING);
            None
        }
    };
    Ok(offers.iter_mut().map(cut).collect())
}

async fn look_ahead(
    store: &dyn Store,
    (tenant, domain): (TenantId, &str),
    offers: &mut [Offer<'_>],
    is_given: &(dyn Fn(&str, &str) -> bool + Sync),
    now: Timestamp,
) -> Result<(), Error> {
    let asked: Vec<(usize, usize)> = (0..)
        .zip(offers.iter())
        .filter(|(_, offer)| !offer.is_settled)
        .flat_map(|(at, offer)| (offer.free_from..offer.looked_to).map(move |candidate| (at, candidate)))
        .collect();
    let values: Vec<(&str, &str)> = asked
        .iter()
        .filter_map(|(at, candidate)| {
            let offer = offers.get(*at)?;
            Some((offer.attribute.as_str(), offer.candidates.get(*candidate)?.as_str()))
        })
        .collect();
    let mut others: HashSet<(usize, usize)> = HashSet::new();
    for taken in store.taken_values(tenant, domain, &values, now).await? {
        let Some((at, candidate)) = asked.get(taken.n).copied() else { continue };
        if offers.get(at).is_some_and(|offer| taken.person != Some(offer.person)) {
            others.insert((at, candidate));
        }
    }
    for (at, offer) in offers.iter_mut().enumerate().filter(|(_, offer)| !offer.is_settled) {
        let is_anothers = |candidate: usize| {
            let value = offer.candidates.get(candidate);
            others.contains(&(at, candidate)) || value.is_some_and(|value| is_given(&offer.attribute, value))
        };
        // What comes after a free one does not matter.
        let free = (offer.free_from..offer.looked_to).find(|candidate| !is_anothers(*candidate));
        offer.free_from = free.unwrap_or(offer.looked_to);
        offer.is_settled = free.is_some() || offer.looked_to == offer.candidates.len();
    }
    Ok(())
}

impl Worker {
    /// Leaves of all candidates those that are sent.
    pub(super) async fn offer_values(
        &self,
        evaluated: &mut [(DuePerson, Evaluation)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut offers: Vec<Offer<'_>> =
            evaluated.iter_mut().flat_map(|(_, evaluation)| offers_of(evaluation)).collect();
        if offers.is_empty() {
            return Ok(());
        }
        let place = (self.tenant, self.domain.as_str());
        narrow(&*self.options.store, place, &mut offers, &|_, _| false, now).await.map(drop)
    }

    /// Answers which of the values that are free in the directory these persons get.
    pub(super) async fn reserve(
        &mut self,
        id: SessionId,
        request: u64,
        epoch: Epoch,
        wants: Vec<Want>,
    ) -> Result<(), Error> {
        let lease = self.active.as_ref().filter(|active| active.session == id && active.lease.epoch == epoch);
        let Some(lease) = lease.map(|active| active.lease.clone()) else { return Ok(()) };
        let wanted: Vec<Wanted> = wants
            .into_iter()
            .map(|want| Wanted {
                person: want.person,
                attribute: want.attribute,
                candidates: want.free,
                seen: want.taken,
            })
            .collect();
        fault::reached(KillPoint::BeforeReserveCommit);
        let answered = self.options.store.reserve(&lease, &wanted, self.options.clock.now()).await?;
        fault::reached(KillPoint::AfterReserveCommit);
        let Fenced::Done(given) = answered else {
            self.lose_lease();
            return Ok(());
        };
        let answers = wanted
            .into_iter()
            .zip(given)
            .map(|(mut wanted, at)| Reservation {
                person: wanted.person,
                attribute: wanted.attribute,
                value: at.filter(|at| *at < wanted.candidates.len()).map(|at| wanted.candidates.swap_remove(at)),
            })
            .collect();
        self.send_to(id, ToAgent::Reserved { request, answers });
        Ok(())
    }
}

fn offers_of(evaluation: &mut Evaluation) -> Vec<Offer<'_>> {
    let Evaluation::Send(desired) = evaluation else { return Vec::new() };
    let person = desired.person;
    desired.unique.iter_mut().map(|unique| Offer::new(person, unique)).collect()
}
