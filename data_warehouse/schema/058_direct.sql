-- What load/direct.py asks while it copies records of new keys straight into silver, and what every step of a load
-- tells the planner.

-- know_size(name): have the planner look at a temporary table that has become large. Of a small one it needs to know
-- nothing, and what it looks at makes it plan every statement about it anew.
create or replace function {{ silver }}.know_size(name text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    large constant bigint := 200000;
begin
    if pg_relation_size(to_regclass('pg_temp.' || quote_ident(name))) > large then
        execute format('analyze pg_temp.%I', name);
    end if;
end
$$;
comment on function {{ silver }}.know_size(text) is
'Analyze a temporary table that holds more than a few thousand rows.';

-- reserve_records(n): take n consecutive numbers of silver.record; returns the first. One run works here at a time.
create or replace function {{ silver }}.reserve_records(wanted bigint)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    own constant regclass := pg_get_serial_sequence('{{ silver }}.record', 'record_id');
    first constant bigint := nextval(own);
begin
    if wanted > 1 then
        perform setval(own, first + wanted - 1);
    end if;
    return first;
end
$$;
comment on function {{ silver }}.reserve_records(bigint) is 'Take consecutive numbers of records; returns the first.';
