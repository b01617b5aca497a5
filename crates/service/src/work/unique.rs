//! Values that must be unique: which candidates an agent is told, and which of them a person gets.

use rollcall_engine::evaluate::Evaluation;
use rollcall_model::ids::{Epoch, PersonId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{DuePerson, Error, Fenced, Wanted};
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
struct Offer<'a> {
    person: PersonId,
    attribute: String,
    candidates: &'a mut Vec<String>,
    /// Before this one all are taken.
    free_from: usize,
    /// Before this one all are looked up.
    looked_to: usize,
    is_settled: bool,
}

impl Worker {
    /// Leaves of all candidates those that are sent: from the first on that nobody else has, as far as the store knows.
    /// A few reads for all, however many they are.
    pub(super) async fn offer_values(
        &self,
        evaluated: &mut [(DuePerson, Evaluation)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut offers: Vec<Offer<'_>> =
            evaluated.iter_mut().flat_map(|(_, evaluation)| offers_of(evaluation)).collect();
        let mut ahead = FIRST_LOOK;
        while offers.iter().any(|offer| !offer.is_settled) {
            for offer in offers.iter_mut().filter(|offer| !offer.is_settled) {
                offer.looked_to = (offer.free_from + ahead).min(offer.candidates.len());
            }
            self.look_ahead(&mut offers, now).await?;
            ahead = ahead.saturating_mul(LOOK_GROWTH);
        }
        for offer in &mut offers {
            if offer.free_from < offer.candidates.len() {
                offer.candidates.drain(..offer.free_from);
                offer.candidates.truncate(limits::UNIQUE_CANDIDATES_SENT_MAX);
            } else {
                offer.candidates.truncate(SENT_FOR_NOTHING);
            }
        }
        Ok(())
    }

    async fn look_ahead(&self, offers: &mut [Offer<'_>], now: Timestamp) -> Result<(), Error> {
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
        let taken = self.options.store.taken_values(self.tenant, &self.domain, &values, now).await?;
        for taken in taken {
            let Some((at, candidate)) = asked.get(taken.n).copied() else { continue };
            let offer = &mut offers[at];
            // In the order of the question: what comes after a free one does not matter.
            if candidate == offer.free_from && taken.person != Some(offer.person) {
                offer.free_from += 1;
            }
        }
        for offer in offers.iter_mut() {
            offer.is_settled = offer.free_from < offer.looked_to || offer.looked_to == offer.candidates.len();
        }
        Ok(())
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
    desired
        .unique
        .iter_mut()
        .map(|unique| Offer {
            person,
            attribute: unique.name.clone(),
            candidates: &mut unique.candidates,
            free_from: 0,
            looked_to: 0,
            is_settled: false,
        })
        .collect()
}
