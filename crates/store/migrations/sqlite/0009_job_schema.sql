-- The schemas that a job has had, a row a version, and what each was judged by. The newest is that of job.schema_version.
create table job_schema (
    tenant integer not null,
    job integer not null references job (id),
    version integer not null,
    at integer not null,
    actor text not null,
    -- How it came about: 0 as shipped, 1 saved, 2 restored, 3 a setting changed.
    origin integer not null,
    -- The version that was restored.
    restored integer,
    note text,
    -- Whether its targets were held against the directory's schema, 0 or 1; and what was found wrong later, JSON.
    checked integer not null,
    problems text,
    -- What the job does by it.
    config text not null,
    -- The document as a client sent it; null where it follows from config.
    document text,
    -- The mapping tests beside it, JSON.
    tests text not null,
    primary key (job, version)
) strict, without rowid;
insert into job_schema (tenant, job, version, at, actor, origin, checked, config, tests)
    select tenant, id, schema_version, changed, 'system', 3, 1, config, '[]' from job;
