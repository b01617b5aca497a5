-- What an agent's program calls itself.
alter table agent add column version text collate "C";
-- 1: it is to hand its domain over and take none.
alter table agent add column draining smallint not null default 0;
-- What it is to log; null: what its own configuration says.
alter table agent add column log_filter text collate "C";
-- Since when it is wanted to make a new key.
alter table agent add column rotate_key_wanted bigint;
-- The key that takes the place of public_key once it has been used.
alter table agent add column new_public_key bytea;
