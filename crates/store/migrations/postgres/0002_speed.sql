-- Open operations (waiting ones have indexes of their own) by job, for sums, and by person; half as much to keep up
-- as the two indexes before.
drop index operation_open;
drop index operation_open_by_person;
create index operation_open on operation (job, person, id, state) where state > 0 and state < 10;

-- Sums of counters are kept, not rows of every batch: reading them stays as cheap as on the first day.
create temporary table summed as select tenant, job, kind, first, second, sum(n) as n from counter group by 1, 2, 3, 4, 5;
delete from counter;
insert into counter (tenant, job, kind, first, second, n) select tenant, job, kind, first, second, n from summed;
drop table summed;
drop index counter_by_job;
create unique index counter_by_kind on counter (job, kind, first, second);

-- Raised by every change of any job, so that a worker asks for one number instead of all jobs.
create table job_change (
    id bigint primary key check (id = 1),
    n bigint not null
);
insert into job_change (id, n) values (1, 0);
