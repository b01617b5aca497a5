-- Questions to a domain's agent that came to a node without it; the node that has it takes them. They live for seconds.
create table ask (
    id integer primary key,
    uuid blob not null unique,
    tenant integer not null references tenant (id),
    domain text not null,
    at integer not null,
    -- Whether a node has taken it.
    taken integer not null default 0,
    -- JSON, compressed.
    question blob not null,
    answer blob
) strict;
create index ask_waiting on ask (tenant, domain, id) where taken = 0;
create index ask_by_at on ask (at);
