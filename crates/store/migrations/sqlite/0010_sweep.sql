-- When to look, without the directory, whether the day alone changes what is wanted; null: nothing reads the clock.
alter table person add column look integer;
-- Why a person is due whom no operation asked for: 1 the mappings, 2 an administrator, 3 the clock. Such persons have
-- lane 2.
alter table person add column cause integer;
create index person_by_look on person (job, look) where look is not null;

-- The last walk over a job's persons.
create table sweep (
    job integer primary key references job (id),
    tenant integer not null,
    -- As person.cause.
    cause integer not null,
    -- Of the job, when it began.
    schema_version integer not null,
    -- 1 running, 2 paused, 3 done, 4 cancelled.
    state integer not null,
    -- The last person that was looked at.
    position integer not null,
    walked integer not null,
    touched integer not null,
    failed integer not null,
    total integer not null,
    started integer not null,
    changed integer not null
) strict;
