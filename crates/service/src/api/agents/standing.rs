//! What an agent does now, and why: one word and one sentence.

use rollcall_model::{Timestamp, limits};
use rollcall_store::{Agent, Draining, LeaseHolder};

use crate::moment;

/// The word, as the API has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Standby,
    /// Set to hand its domain over and take none.
    Draining,
    /// Connected, but its directory does not let it work.
    InTrouble,
    Offline,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Draining => "draining",
            Self::InTrouble => "inTrouble",
            Self::Offline => "offline",
        }
    }
}

/// `holder` holds the lease of the agent's domain now, if anybody does; `all` are the agents of the tenant.
pub(super) fn of(agent: &Agent, holder: Option<&LeaseHolder>, all: &[Agent], now: Timestamp) -> (State, String) {
    let own = holder.filter(|holder| holder.agent == agent.id);
    if !is_connected(agent, now) {
        return (State::Offline, offline(agent, own, now));
    }
    let (state, mut why) = match (agent.draining, agent.trouble.as_deref()) {
        (Draining::Yes, _) => (State::Draining, draining(own)),
        (Draining::No, Some(_)) => (State::InTrouble, String::new()),
        (Draining::No, None) => match own {
            Some(holder) => (State::Active, active(agent, holder)),
            None => (State::Standby, standby(agent, holder, all)),
        },
    };
    if let Some(trouble) = agent.trouble.as_deref() {
        let held = own.filter(|_| state == State::InTrouble);
        let held = held.map(|holder| format!("; it holds the lease, epoch {}", holder.lease.epoch.0));
        let apart = if why.is_empty() { "" } else { "; " };
        why = format!("{why}{apart}{}{}", in_trouble(agent, trouble), held.unwrap_or_default());
    }
    (state, why)
}

fn is_connected(agent: &Agent, now: Timestamp) -> bool {
    agent.node.is_some() && agent.last_seen.is_some_and(|seen| now.ms_since(seen) <= limits::LINK_SILENCE_MS_MAX)
}

fn offline(agent: &Agent, own: Option<&LeaseHolder>, now: Timestamp) -> String {
    let Some(seen) = agent.last_seen else {
        return "it was never connected: run `rollcall-agent run` beside the controller".to_owned();
    };
    let mut why = format!("not seen since {}, {} s ago", moment::seconds(seen), now.ms_since(seen).max(0) / 1_000);
    if let Some(holder) = own {
        why = format!("{why}; it holds the lease, epoch {}, until that runs out", holder.lease.epoch.0);
    }
    if agent.draining == Draining::Yes {
        why.push_str("; it is set to drain");
    }
    why
}

fn draining(own: Option<&LeaseHolder>) -> String {
    match own {
        Some(holder) => {
            let epoch = holder.lease.epoch.0;
            format!("it is set to drain, and holds the lease, epoch {epoch}, until another agent can take over")
        }
        None => "it is set to drain and takes no work: `rollcall agent undrain` ends that".to_owned(),
    }
}

fn active(agent: &Agent, holder: &LeaseHolder) -> String {
    let through = agent.controller.as_ref().map(|host| format!(", and writes through {host}")).unwrap_or_default();
    format!("it holds the lease, epoch {}{through}", holder.lease.epoch.0)
}

fn standby(agent: &Agent, holder: Option<&LeaseHolder>, all: &[Agent]) -> String {
    let Some(holder) = holder else {
        return match agent.controller {
            Some(_) => "nobody holds the domain's lease now; an agent with the writing controller takes it".to_owned(),
            None => "it is connected to no controller yet".to_owned(),
        };
    };
    let active = all.iter().find(|other| other.id == holder.agent);
    let name = active.map_or_else(|| holder.agent.to_string(), |active| active.name.clone());
    // Whoever works, works through the controller that is named for writing.
    let writing = active.and_then(|active| active.controller.as_deref());
    match (agent.controller.as_deref(), writing) {
        (Some(own), Some(writing)) if !own.eq_ignore_ascii_case(writing) => {
            format!(
                "it stands by: {name} is active; it is connected to {own}, which is not the writing controller {writing}"
            )
        }
        _ => format!("it stands by: {name} is active"),
    }
}

/// What the agent reported, after what it means.
fn in_trouble(agent: &Agent, trouble: &str) -> String {
    let host = agent.controller.as_deref().map(|host| format!(" {host}")).unwrap_or_default();
    match trouble.split(':').next().unwrap_or_default() {
        "BindRefused" => format!("its controller{host} refuses its credentials: {trouble}"),
        "EndpointUnavailable" | "TimeOut" => format!("its controller{host} cannot be reached: {trouble}"),
        _ => format!("it is in trouble: {trouble}"),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};
    use rollcall_store::Lease;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp(1_768_470_070_000_000);

    /// An agent that was heard of two seconds ago.
    fn agent(number: u128, name: &str, controller: Option<&str>) -> Agent {
        let (id, tenant) = (AgentId(Uuid::from_u128(number)), TenantId(Uuid::nil()));
        Agent {
            last_seen: Some(NOW.plus_ms(-2_000)),
            node: Some(NodeId(Uuid::nil())),
            controller: controller.map(str::to_owned),
            ..Agent::new(id, tenant, name, "corp.test", &[], NOW)
        }
    }

    fn held_by(number: u128) -> LeaseHolder {
        LeaseHolder {
            lease: Lease { tenant: TenantId(Uuid::nil()), domain: "corp.test".to_owned(), epoch: Epoch(7) },
            node: NodeId(Uuid::nil()),
            agent: AgentId(Uuid::from_u128(number)),
            agent_since: Epoch(7),
            writing_controller: Some("i-1".to_owned()),
            until: NOW.plus_ms(1_000),
            before: None,
        }
    }

    /// What agent 1, changed so, is said to be while `holder` holds the lease; agent 2 is called south, on dc1.
    fn check(change: fn(&mut Agent), holder: Option<u128>, state: State, why: &str) {
        let mut one = agent(1, "north", Some("dc2"));
        change(&mut one);
        let all = [one.clone(), agent(2, "south", Some("dc1"))];
        let holder = holder.map(held_by);
        assert_eq!(of(&one, holder.as_ref(), &all, NOW), (state, why.to_owned()));
    }

    #[test]
    fn every_state_says_why() {
        check(|_| {}, Some(1), State::Active, "it holds the lease, epoch 7, and writes through dc2");
        check(|it| it.controller = Some("DC1".to_owned()), Some(2), State::Standby, "it stands by: south is active");
        let other = "it stands by: south is active; it is connected to dc2, which is not the writing controller dc1";
        check(|_| {}, Some(2), State::Standby, other);
        let gone = format!("it stands by: {} is active", Uuid::from_u128(9));
        check(|_| {}, Some(9), State::Standby, &gone);
        let nobody = "nobody holds the domain's lease now; an agent with the writing controller takes it";
        check(|_| {}, None, State::Standby, nobody);
        check(|it| it.controller = None, None, State::Standby, "it is connected to no controller yet");
        let never = "it was never connected: run `rollcall-agent run` beside the controller";
        check(|it| it.last_seen = None, None, State::Offline, never);
        let since = "not seen since 2026-01-15T09:41:08Z, 2 s ago";
        check(|it| it.node = None, Some(2), State::Offline, since);
        let holds = format!("{since}; it holds the lease, epoch 7, until that runs out");
        check(|it| it.node = None, Some(1), State::Offline, &holds);
        // Connected, as far as the store knows; but nobody has heard of it.
        let silent = "not seen since 2026-01-15T09:40:54Z, 16 s ago";
        check(|it| it.last_seen = Some(NOW.plus_ms(-16_000)), Some(2), State::Offline, silent);
    }

    #[test]
    fn draining_and_trouble_come_before_the_lease() {
        fn drain(it: &mut Agent) {
            it.draining = Draining::Yes;
        }
        fn refused(it: &mut Agent) {
            it.trouble = Some("BindRefused: the password is wrong".to_owned());
        }
        fn away(it: &mut Agent) {
            it.trouble = Some("EndpointUnavailable: no route".to_owned());
        }
        let hands_over = "it is set to drain, and holds the lease, epoch 7, until another agent can take over";
        check(drain, Some(1), State::Draining, hands_over);
        let drained = "it is set to drain and takes no work: `rollcall agent undrain` ends that";
        check(drain, Some(2), State::Draining, drained);
        let bind = "its controller dc2 refuses its credentials: BindRefused: the password is wrong";
        check(refused, Some(2), State::InTrouble, bind);
        check(refused, Some(1), State::InTrouble, &format!("{bind}; it holds the lease, epoch 7"));
        let reach = "its controller dc2 cannot be reached: EndpointUnavailable: no route";
        check(away, None, State::InTrouble, reach);
        let both = |it: &mut Agent| {
            drain(it);
            away(it);
        };
        check(both, None, State::Draining, &format!("{drained}; {reach}"));
        let odd = |it: &mut Agent| it.trouble = Some("DirectoryBusy: later".to_owned());
        check(odd, None, State::InTrouble, "it is in trouble: DirectoryBusy: later");
        let gone = |it: &mut Agent| {
            drain(it);
            it.node = None;
        };
        check(gone, None, State::Offline, "not seen since 2026-01-15T09:41:08Z, 2 s ago; it is set to drain");
    }
}
