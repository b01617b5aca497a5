-- First of the epochs in a row that the same agent holds: nobody else wrote to the domain since.
alter table lease add column agent_since integer not null default 1;
update lease set agent_since = epoch;
