-- The schemas that a job has had, a row a version, and what each was judged by. The newest is that of job.schema_version.
create table job_schema (
    tenant bigint not null,
    job bigint not null references job (id),
    version bigint not null,
    at bigint not null,
    actor text collate "C" not null,
    -- How it came about: 0 as shipped, 1 saved, 2 restored, 3 a setting changed.
    origin smallint not null,
    -- The version that was restored.
    restored bigint,
    note text collate "C",
    -- Whether its targets were held against the directory's schema, 0 or 1; and what was found wrong later, JSON.
    checked smallint not null,
    problems text collate "C",
    -- What the job does by it.
    config text collate "C" not null,
    -- The document as a client sent it; null where it follows from config.
    document text collate "C",
    -- The mapping tests beside it, JSON.
    tests text collate "C" not null,
    primary key (job, version)
);
insert into job_schema (tenant, job, version, at, actor, origin, checked, config, tests)
    select tenant, id, schema_version, changed, 'system', 3, 1, config, '[]' from job;
