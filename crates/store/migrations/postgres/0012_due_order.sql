-- In the order in which the due are taken, so that the first few are read without sorting all. An index of SQLite ends
-- with the row's id by itself.
drop index person_by_due;
create index person_by_due on person (job, lane, due, id) where due is not null;
drop index person_by_look;
create index person_by_look on person (job, look, id) where look is not null;
