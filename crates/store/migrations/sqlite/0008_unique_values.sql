-- Values of attributes that no two accounts of a domain may share, as far as we have to do with them.
create table unique_value (
    id integer primary key,
    tenant integer not null,
    domain text not null,
    -- LDAP display name, folded.
    attribute text not null,
    -- The value as it is compared: without case, diacritics and width.
    folded text not null,
    -- Whose it is; null: somebody's in the directory of whom we know nothing.
    person integer references person (id),
    -- 0 reserved, 1 held by the person's account, 2 quarantined after it, 3 seen in the directory.
    state integer not null,
    -- When it is free again; null: not by time.
    until integer,
    unique (tenant, domain, attribute, folded)
) strict;
create index unique_value_by_person on unique_value (person) where person is not null;
create index unique_value_by_end on unique_value (tenant, domain, until) where until is not null;
