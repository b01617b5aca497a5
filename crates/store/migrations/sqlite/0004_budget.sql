-- Budgeted writes (disables, deletes, moves, clears) that were granted for a person and whose outcome is not recorded
-- yet. They count until then, or until they are as old as the budget's window.
create table budget_grant (
    person integer primary key references person (id),
    tenant integer not null,
    job integer not null,
    at integer not null,
    n integer not null
) strict;
create index budget_grant_by_job on budget_grant (job, at);

-- Budgeted writes that were made, a row a batch; those older than the window are removed.
create table budget_use (
    id integer primary key,
    tenant integer not null,
    job integer not null,
    at integer not null,
    n integer not null
) strict;
create index budget_use_by_job on budget_use (job, at);

-- Persons whom the budget holds back.
create table staged (
    person integer primary key references person (id),
    tenant integer not null,
    job integer not null,
    -- Since when.
    at integer not null,
    -- The most budgeted writes that they could cause.
    cost integer not null,
    -- When they were released, whatever the budget says.
    released integer
) strict;
create index staged_by_job on staged (job, at);
