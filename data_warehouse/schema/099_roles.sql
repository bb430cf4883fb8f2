-- Who may do what, as the last step, so that it speaks about everything before it.
-- bi_reader: reads gold and nothing else; gold's views read silver with their owner's rights.
-- systock_auditor: reads everything and changes nothing: `systock verify`, quarantine, hashes.
-- systock_loader: what a load needs. The flow loads as this role (load/batch.py): what was received is only added to,
--   nothing of the ledger is deleted, gold is only read, no file or program of the server is in reach.
-- The owner deploys, publishes and seals. It needs `create` on the database, and createrole once; never superuser.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['bi_reader', 'systock_auditor', 'systock_loader'] loop
        begin
            if not exists (select 1 from pg_catalog.pg_roles where rolname = wanted) then
                execute format('create role %I nologin', wanted);
            end if;
        exception
            when insufficient_privilege then
                raise notice '% is missing and may not be created here; ask an administrator: create role % nologin',
                    wanted, wanted;
            when duplicate_object or unique_violation then
                null; -- another deployment of this server was faster
        end;
    end loop;
end
$$;

-- may_load_as(role): whether the current user can take the role on, and the role has its rights here.
create or replace function {{ ops }}.may_load_as(wanted text)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (select 1 from pg_roles as r where r.rolname = wanted)
        and case
            when cast(current_setting('server_version_num') as integer) >= 160000
                then pg_has_role(current_user, wanted, 'set')
            else pg_has_role(current_user, wanted, 'member')
        end
        and has_schema_privilege(wanted, '{{ silver }}', 'usage');
end
$$;
comment on function {{ ops }}.may_load_as(text) is 'Whether a load can take a role on, and the role can load.';

revoke all on schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;
revoke all on all tables in schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;
revoke execute on all functions in schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} from public;

do $$
begin
    if exists (select 1 from pg_catalog.pg_roles where rolname = 'bi_reader') then
        grant usage on schema {{ gold }} to bi_reader;
        grant select on all tables in schema {{ gold }} to bi_reader;
        grant execute on function
            {{ gold }}.stock_as_of(timestamptz, bigint, text, text),
            {{ gold }}.stock_explanation(timestamptz, bigint, text, text),
            {{ gold }}.count_variance(text[]), {{ gold }}.count_variance(text[], text[]),
            {{ gold }}.can_promise(text, text, numeric, date), {{ gold }}.atp_by_rule(text, text, text)
        to bi_reader;
        grant execute on function
            {{ gold }}.feed_gap_at(timestamptz), {{ gold }}.feed_freshness_at(timestamptz),
            {{ silver }}.product_merge_at(bigint), {{ silver }}.moving_average(numeric, numeric)
        to bi_reader;
        alter default privileges in schema {{ gold }} grant select on tables to bi_reader;
    end if;
end
$$;

do $$
begin
    if exists (select 1 from pg_catalog.pg_roles where rolname = 'systock_auditor') then
        grant usage on schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} to systock_auditor;
        grant select on all tables in schema {{ bronze }}, {{ silver }}, {{ gold }}, {{ ops }} to systock_auditor;
        alter default privileges in schema {{ gold }} grant select on tables to systock_auditor;
        grant execute on all functions in schema {{ bronze }}, {{ ops }} to systock_auditor;
        grant execute on function
            {{ gold }}.broken_snapshots(), {{ gold }}.altered_snapshots(),
            {{ gold }}.row_hashes(text), {{ gold }}.row_text(text),
            {{ gold }}.chain_hash(text, date, integer, text, text),
            {{ gold }}.feed_gap_at(timestamptz), {{ gold }}.feed_freshness_at(timestamptz),
            {{ gold }}.stock_as_of(timestamptz, bigint, text, text),
            {{ gold }}.stock_explanation(timestamptz, bigint, text, text),
            {{ gold }}.count_variance(text[]), {{ gold }}.count_variance(text[], text[]),
            {{ gold }}.can_promise(text, text, numeric, date), {{ gold }}.atp_by_rule(text, text, text),
            {{ silver }}.product_merge_at(bigint), {{ silver }}.moving_average(numeric, numeric)
        to systock_auditor;
    end if;
end
$$;

-- The loader may do everything in the work tables of a load; then what must only grow is taken out again.
do $$
declare
    one record;
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'systock_loader') then
        return;
    end if;
    begin
        execute format('grant systock_loader to %I', current_user);
    exception
        when insufficient_privilege or invalid_grant_operation then
            null; -- a superuser needs no grant, and others may have been given it
    end;
    grant usage on schema {{ bronze }}, {{ silver }}, {{ ops }}, {{ gold }} to systock_loader;
    grant execute on all functions in schema {{ bronze }}, {{ silver }}, {{ ops }} to systock_loader;
    grant execute on function
        {{ gold }}.broken_snapshots(), {{ gold }}.altered_snapshots(),
        {{ gold }}.row_hashes(text), {{ gold }}.row_text(text),
        {{ gold }}.chain_hash(text, date, integer, text, text),
        {{ gold }}.feed_gap_at(timestamptz), {{ gold }}.feed_freshness_at(timestamptz)
    to systock_loader;
    grant usage on all sequences in schema {{ bronze }}, {{ silver }}, {{ ops }} to systock_loader;
    grant select, insert on all tables in schema {{ bronze }} to systock_loader;
    grant update, delete on {{ bronze }}.file_non_data to systock_loader;
    grant select, insert, update, delete on all tables in schema {{ silver }}, {{ ops }} to systock_loader;
    grant select on
        {{ gold }}.snapshot, {{ gold }}.stock_snapshot, {{ gold }}.product_snapshot, {{ gold }}.sales_snapshot
    to systock_loader;
    revoke delete on {{ ops }}.batch, {{ ops }}.feed, {{ ops }}.law, {{ ops }}.setting from systock_loader;
    revoke delete on
        {{ silver }}.record, {{ silver }}.quarantine, {{ silver }}.product_key, {{ silver }}.location_key
    from systock_loader;
    revoke update on {{ silver }}.quarantine, {{ silver }}.product_key, {{ silver }}.location_key from systock_loader;

    -- Of a fact only its end may be written; of a file and of what is set aside, all but what was received.
    for one in
        select n.nspname, c.relname
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
        where n.nspname = '{{ silver }}' and c.relkind = 'r' and starts_with(c.relname, 'fact_')
    loop
        execute format('revoke update, delete on %I.%I from systock_loader', one.nspname, one.relname);
        execute format('grant update (known_to) on %I.%I to systock_loader', one.nspname, one.relname);
    end loop;
    for one in
        select n.nspname, c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
        where
            (n.nspname, c.relname) in (('{{ bronze }}', 'file'), ('{{ silver }}', 'quarantine'))
            and a.attname not in (
                'file_id', 'feed_id', 'sha256', 'name', 'size_bytes', 'known', 'record_no', 'line_no', 'byte_start',
                'byte_end', 'raw', 'known_from'
            )
        group by n.nspname, c.relname
    loop
        execute format('grant update (%s) on %I.%I to systock_loader', one.columns, one.nspname, one.relname);
    end loop;

    -- From 17 on, a right of its own lets others than the owner bring the planner's statistics up to date.
    if cast(current_setting('server_version_num') as integer) >= 170000 then
        execute 'grant maintain on all tables in schema {{ silver }} to systock_loader';
    end if;
end
$$;
