-- When to look, without the directory, whether the day alone changes what is wanted; null: nothing reads the clock.
alter table person add column look bigint;
-- Why a person is due whom no operation asked for: 1 the mappings, 2 an administrator, 3 the clock. Such persons have
-- lane 2.
alter table person add column cause smallint;
create index person_by_look on person (job, look) where look is not null;

-- The last walk over a job's persons.
create table sweep (
    job bigint primary key references job (id),
    tenant bigint not null,
    -- As person.cause.
    cause smallint not null,
    -- Of the job, when it began.
    schema_version bigint not null,
    -- 1 running, 2 paused, 3 done, 4 cancelled.
    state smallint not null,
    -- The last person that was looked at.
    position bigint not null,
    walked bigint not null,
    touched bigint not null,
    failed bigint not null,
    total bigint not null,
    started bigint not null,
    changed bigint not null
);
