-- Ids are integers inside and UUIDs (16 bytes) outside; times are microseconds since 1970, UTC; every row carries
-- its tenant. Numbers of states, codes, actions and statuses are those of rollcall_model and never change.
-- Nothing that is referred to is ever deleted. Large tables declare no foreign keys: their rows are made by joins with
-- what they refer to, and a check for each would cost more than it finds.

create table tenant (
    id integer primary key,
    uuid blob not null unique,
    display_name text not null,
    created integer not null
) strict;

create table signing_key (
    id integer primary key,
    tenant integer not null references tenant (id),
    kid text not null unique,
    sealed blob not null,
    public_pem text not null,
    created integer not null
) strict;

create table application (
    id integer primary key,
    tenant integer not null references tenant (id),
    uuid blob not null unique,
    app_id blob not null unique,
    service_principal blob not null unique,
    display_name text not null,
    enabled integer not null,
    owner blob,
    created integer not null
) strict;

create table secret (
    id integer primary key,
    tenant integer not null references tenant (id),
    application integer not null references application (id),
    key_id blob not null unique,
    sha256 blob not null,
    display_name text not null,
    hint text not null,
    starts integer not null,
    ends integer not null
) strict;
create index secret_by_application on secret (application);

create table role_grant (
    id integer primary key,
    tenant integer not null references tenant (id),
    uuid blob not null unique,
    principal blob not null,
    role text not null,
    created integer not null,
    unique (principal, role)
) strict;

create table audit (
    id integer primary key,
    tenant integer not null references tenant (id),
    uuid blob not null unique,
    at integer not null,
    actor text not null,
    action text not null,
    target text not null,
    details text not null
) strict;
create index audit_by_time on audit (tenant, at);

create table job (
    id integer primary key,
    tenant integer not null references tenant (id),
    name text not null unique,
    service_principal blob not null,
    state integer not null,
    config text not null,
    -- From config, lower case.
    domain text,
    schema_version integer not null,
    created integer not null,
    changed integer not null
) strict;
create index job_by_principal on job (service_principal);
create index job_by_domain on job (tenant, domain);

create table upload (
    id integer primary key,
    tenant integer not null,
    uuid blob not null unique,
    job integer not null,
    sender blob not null,
    received integer not null
) strict;

-- Apart from its upload, so that dropping it leaves nothing behind.
create table upload_body (
    upload integer primary key references upload (id),
    tenant integer not null,
    bytes blob not null
) strict;

create table idempotency (
    tenant integer not null,
    job integer not null references job (id),
    sender blob not null,
    key text not null,
    sha256 blob not null,
    upload blob not null,
    at integer not null,
    primary key (job, sender, key)
) strict, without rowid;

create table person (
    id integer primary key,
    tenant integer not null,
    uuid blob not null unique,
    job integer not null references job (id),
    -- externalId, folded.
    folded text not null,
    -- externalId as last sent, where that differs.
    external_id text,
    version integer not null,
    -- When to work on them; null: nothing is to be done.
    due integer,
    -- 0 urgent, 1 ordinary.
    lane integer not null,
    attempts integer not null,
    last_code integer,
    link_guid blob,
    link_confirmed integer not null default 0,
    link_controller text,
    link_usn integer,
    -- Version at which a link was broken: outcomes of it and of older ones link no more.
    unlinked integer,
    record text not null,
    -- JSON; null: the empty value.
    pending text,
    confirmed text,
    refused text,
    unique (job, folded)
) strict;
create unique index person_by_link on person (job, link_guid) where link_guid is not null;
create index person_by_due on person (job, lane, due) where due is not null;
create index person_failed on person (job, last_code) where last_code is not null;

create table operation (
    -- Its upload's id times 1024, plus its index: neither needs a column nor an index.
    id integer primary key,
    tenant integer not null,
    job integer not null,
    method integer not null,
    lane integer not null,
    state integer not null,
    code integer,
    person integer,
    version integer,
    -- Operation in whose write it went.
    merged_into integer,
    -- Log row that decided it.
    log integer,
    folded text,
    external_id text,
    bulk_id text
) strict;
-- All three hold waiting or open operations only and stay small.
create index operation_waiting on operation (job, lane, id) where state = 0;
create index operation_waiting_by_key on operation (job, folded) where state = 0 and folded is not null;
create index operation_open on operation (job, state) where state < 10;
create index operation_open_by_person on operation (person, id) where state < 10 and person is not null;

-- Persons whose manager has no account yet.
create table waiting (
    person integer primary key references person (id),
    tenant integer not null,
    job integer not null,
    -- The manager's externalId, folded.
    manager text not null
) strict;
create index waiting_by_manager on waiting (job, manager);

create table cycle (
    id integer primary key,
    tenant integer not null,
    uuid blob not null unique
) strict;

create table log (
    id integer primary key,
    tenant integer not null,
    uuid blob not null unique,
    job integer not null,
    change blob not null,
    cycle integer not null,
    at integer not null,
    duration_ms integer not null,
    action integer not null,
    status integer not null,
    code integer,
    person integer,
    version integer,
    external_id text not null,
    source_name text,
    guid blob,
    target_name text,
    -- JSON; null: no details.
    details text
) strict;
create unique index log_by_change on log (change, job);
create index log_by_time on log (tenant, at);
create index log_by_person on log (person, version) where person is not null;

-- Appended per batch, summed when read. Kind 1: log rows by (action, status); kind 2: final operations by (state, 0).
create table counter (
    id integer primary key,
    tenant integer not null,
    job integer not null references job (id),
    kind integer not null,
    first integer not null,
    second integer not null,
    n integer not null
) strict;
create index counter_by_job on counter (job);

create table agent (
    id integer primary key,
    tenant integer not null references tenant (id),
    uuid blob not null unique,
    name text not null,
    domain text not null,
    public_key blob not null,
    enrolled integer not null,
    last_seen integer,
    node blob,
    controller text,
    trouble text
) strict;

create table enrolment (
    id integer primary key,
    tenant integer not null references tenant (id),
    token_sha256 blob not null unique,
    domain text not null,
    expires integer not null,
    -- When it was used up.
    used integer
) strict;

create table lease (
    id integer primary key,
    tenant integer not null references tenant (id),
    domain text not null,
    epoch integer not null,
    node blob not null,
    agent blob not null,
    controller text,
    until integer not null,
    -- 1: given up.
    released integer not null,
    unique (tenant, domain)
) strict;
