-- First half of the SHA-256 of an operation's data; null: stored before there was one.
alter table operation add column data bytea;
-- That of the operation merged last.
alter table person add column data bytea;
-- The job's schema version under which the last outcome left nothing to do and nothing to tell.
alter table person add column quiet bigint;
-- The record's, for those who do not read it.
alter table person add column display_name text collate "C";

-- Without the rows that say that nothing was to be done (code 1): every feed adds one for everybody, in the order of
-- the feed, not of this index. Their operations name them; nobody looks for them by person.
drop index log_by_person;
create index log_by_person on log (person, version) where person is not null and code is distinct from 1;
