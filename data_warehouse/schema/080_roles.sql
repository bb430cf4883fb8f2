-- Who may read what. bi_reader reads gold and nothing else; gold's views read silver with their owner's rights.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'bi_reader') then
        create role bi_reader nologin;
    end if;
exception
    when insufficient_privilege then
        raise notice 'bi_reader is missing and may not be created here; ask an administrator: create role bi_reader nologin';
    when duplicate_object or unique_violation then
        null; -- another deployment of this server was faster
end
$$;

revoke all on schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;
revoke all on all tables in schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;
revoke execute on all functions in schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;

do $$
begin
    if exists (select 1 from pg_catalog.pg_roles where rolname = 'bi_reader') then
        grant usage on schema {{ gold }} to bi_reader;
        grant select on all tables in schema {{ gold }} to bi_reader;
        alter default privileges in schema {{ gold }} grant select on tables to bi_reader;
    end if;
end
$$;
