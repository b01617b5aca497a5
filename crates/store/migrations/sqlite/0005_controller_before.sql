-- The writing controller before the present one: what was written there may still be on its way.
alter table lease add column controller_before text;
-- Its last number, where everything written there was reported.
alter table lease add column usn_before integer;
-- When waiting for it ends.
alter table lease add column before_until integer;
