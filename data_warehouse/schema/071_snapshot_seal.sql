-- Sealing: the procedures that freeze business days into the tables of 070_snapshot.sql.
-- Again: the same facts give the same snapshot and write nothing; other facts give a restated one beside it.

create or replace function {{ silver }}.latest_event(at_known bigint)
returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select max(e.event_time)
    from (
        select max(m.event_time) as event_time from {{ silver }}.fact_movement as m
        where m.known_from <= at_known and (m.known_to is null or m.known_to > at_known)
        union all
        select max(c.event_time) from {{ silver }}.fact_count as c
        where c.known_from <= at_known and (c.known_to is null or c.known_to > at_known)
        union all
        select max(s.event_time) from {{ silver }}.fact_sale as s
        where s.known_from <= at_known and (s.known_to is null or s.known_to > at_known)
    ) as e
$$;
comment on function {{ silver }}.latest_event(bigint) is 'Latest instant at which something is known to have happened.';

-- last_closed_day(latest): the last business day that was over at every place at an instant.
create or replace function {{ silver }}.last_closed_day(latest timestamptz)
returns date
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select min(cast((latest - make_interval(mins => z.day_close_minutes)) at time zone z.zone as date)) - 1
    from (
        select {{ silver }}.default_zone() as zone, 0 as day_close_minutes
        union
        select coalesce(d.zone, {{ silver }}.default_zone()), coalesce(d.day_close_minutes, 0)
        from {{ silver }}.dim_location as d
        where d.valid_to = 'infinity'
    ) as z
$$;
comment on function {{ silver }}.last_closed_day(timestamptz) is 'Last business day that was over everywhere.';

-- refuse_open_day(last_day, at_known, latest): a day may be sealed once the latest event is after its end everywhere.
drop function if exists {{ gold }}.refuse_open_day(date, bigint);
create or replace function {{ gold }}.refuse_open_day(last_day date, at_known bigint, latest timestamptz)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if latest is null then
        raise exception 'no event is known at load %; load something, then take the snapshot', at_known
            using errcode = 'object_not_in_prerequisite_state';
    elsif last_day > {{ silver }}.last_closed_day(latest) then
        raise exception 'day % is not closed: the latest event known is of %, and the last day over everywhere is %',
            last_day, latest, {{ silver }}.last_closed_day(latest)
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;
comment on function {{ gold }}.refuse_open_day(date, bigint, timestamptz) is
'Refuses a day that is not over everywhere.';

create or replace function {{ gold }}.chain_hash(kind text, day date, version integer, content text, previous text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(
        kind || '|' || to_char(day, 'YYYY-MM-DD') || '|' || version || '|' || content || '|' || previous, 'UTF8'
    )), 'hex')
$$;
comment on function {{ gold }}.chain_hash(text, date, integer, text, text) is
'Link of a snapshot to the one before it.';

-- prepare_seal(kind, from_day, to_day, at_known): pg_temp.fresh_row is what each day would hold now, and
-- pg_temp.fresh_day what its rows come to.
create or replace function {{ gold }}.prepare_seal(wanted_kind text, from_day date, to_day date, as_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create temporary table fresh_row on commit drop as select * from {{ gold }}.%I(%L, %L, %L)',
        wanted_kind || '_of_days', from_day, to_day, as_known
    );
    create temporary table fresh_day (
        business_date date, rows bigint, content_hash text, old_id bigint, new_id bigint
    ) on commit drop;
    -- The text is made once for each row, below `offset 0`: it is what is sorted and what is put together.
    execute format(
        'insert into pg_temp.fresh_day (business_date, rows, content_hash) '
        'select d.day, count(f.line), encode(sha256(convert_to('
        'coalesce(string_agg(f.line, e''\n'' order by f.line), ''''), ''UTF8'')), ''hex'') '
        'from (select $1 + s.n as day from generate_series(0, $2 - $1 - 1) as s (n)) as d '
        'left join (select t.business_date, (%s) collate "C" as line from pg_temp.fresh_row as t offset 0) as f '
        'on d.day = f.business_date group by d.day',
        {{ gold }}.row_text(wanted_kind)
    ) using from_day, to_day;
end
$$;
comment on function {{ gold }}.prepare_seal(text, date, date, bigint) is
'Puts what each day would hold now, and its hash, into temporary tables.';

-- note_differences(kind): what the restated days of pg_temp.fresh_day hold against the version before.
create or replace function {{ gold }}.note_differences(wanted_kind text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    key_names text[] := case wanted_kind
        when 'stock' then array['product_code', 'location_code', 'state', 'bin_code', 'lot_code']
        when 'sales' then array['location_code', 'channel_code', 'product_code', 'currency']
        else array['product_code']
    end;
    same_key text := (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(key_names) as c);
begin
    if not exists (select 1 from pg_temp.fresh_day as d where d.old_id is not null) then
        return;
    end if;
    -- Rows are compared as they are; only those that differ are told as jsonb.
    execute format(
        'insert into {{ gold }}.snapshot_difference (snapshot_id, row_key, old_row, new_row) '
        'select x.new_id, (select jsonb_object_agg(c, coalesce(x.old_row, x.new_row) -> c) from unnest($1) as c), '
        'x.old_row, x.new_row from ('
        'select coalesce(o.new_id, n.new_id) as new_id, '
        'case when o.new_id is not null then jsonb_strip_nulls(to_jsonb(o) - $2) end as old_row, '
        'case when n.new_id is not null then jsonb_strip_nulls(to_jsonb(n) - $2) end as new_row '
        'from (select d.new_id, t.* from pg_temp.fresh_day as d '
        'inner join {{ gold }}.%1$I as t on d.old_id = t.snapshot_id) as o '
        'full join (select d.new_id, t.* from pg_temp.fresh_day as d '
        'inner join {{ gold }}.%1$I as t on d.new_id = t.snapshot_id where d.old_id is not null) as n '
        'on o.new_id = n.new_id and %2$s where (%3$s) is distinct from (%4$s)) as x',
        wanted_kind || '_snapshot', same_key, {{ gold }}.row_columns(wanted_kind, 'o.'),
        {{ gold }}.row_columns(wanted_kind, 'n.')
    ) using key_names, array['snapshot_id', 'new_id'];
end
$$;
comment on function {{ gold }}.note_differences(text) is 'Notes what restated days changed.';

-- seal_closed(kind, from_day, to_day, as_known): freeze each day from from_day to before to_day; all are over.
create or replace function {{ gold }}.seal_closed(wanted_kind text, from_day date, to_day date, as_known bigint)
returns table (kind text, business_date date, snapshot_id bigint, version integer, is_new boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    latest_hash text;
    one record;
begin
    lock table {{ gold }}.snapshot in share row exclusive mode;
    perform {{ gold }}.prepare_seal(wanted_kind, from_day, to_day, as_known);

    select s.chain_hash into latest_hash
    from {{ gold }}.snapshot as s where s.kind = wanted_kind order by s.snapshot_id desc limit 1;
    for one in
        select f.business_date, f.rows, f.content_hash, s.snapshot_id, coalesce(s.version, 0) + 1 as version
        from pg_temp.fresh_day as f
        left join (
            select h.*, row_number() over (partition by h.business_date order by h.version desc) as place
            from {{ gold }}.snapshot as h where h.kind = wanted_kind
        ) as s on f.business_date = s.business_date and s.place = 1
        where s.content_hash is distinct from f.content_hash
        order by f.business_date
    loop
        update pg_temp.fresh_day as f set old_id = one.snapshot_id where f.business_date = one.business_date;
        with sealed as (
            insert into {{ gold }}.snapshot (
                kind, business_date, version, known, rows, content_hash, previous_hash, chain_hash, restates,
                sealed_at_known
            )
            values (
                wanted_kind, one.business_date, one.version, as_known, one.rows, one.content_hash,
                coalesce(latest_hash, ''),
                {{ gold }}.chain_hash(
                    wanted_kind, one.business_date, one.version, one.content_hash, coalesce(latest_hash, '')
                ),
                one.snapshot_id, (select coalesce(max(b.known), as_known) from {{ ops }}.batch as b)
            )
            returning snapshot_id, chain_hash
        ), noted as (
            update pg_temp.fresh_day as f set new_id = s.snapshot_id
            from sealed as s where f.business_date = one.business_date
        )
        select s.chain_hash into latest_hash from sealed as s;
    end loop;

    execute format(
        'insert into {{ gold }}.%I (snapshot_id, %s) select d.new_id, %s from pg_temp.fresh_day as d '
        'inner join pg_temp.fresh_row as f on d.business_date = f.business_date where d.new_id is not null',
        wanted_kind || '_snapshot', {{ gold }}.row_columns(wanted_kind, ''), {{ gold }}.row_columns(wanted_kind, 'f.')
    );
    perform {{ gold }}.note_differences(wanted_kind);

    return query
    select s.kind, s.business_date, s.snapshot_id, s.version, f.new_id is not null
    from pg_temp.fresh_day as f
    inner join (
        select h.*, row_number() over (partition by h.business_date order by h.version desc) as place
        from {{ gold }}.snapshot as h where h.kind = wanted_kind
    ) as s on f.business_date = s.business_date and s.place = 1
    order by s.business_date;
    drop table pg_temp.fresh_row;
    drop table pg_temp.fresh_day;
end
$$;
comment on function {{ gold }}.seal_closed(text, date, date, bigint) is
'Freeze each business day of a kind; unchanged days stay, changed ones get a restated version.';

-- seal(kind, from_day, to_day, at_known): the same, of days that may not be over yet: those are refused.
create or replace function {{ gold }}.seal(wanted_kind text, from_day date, to_day date, at_known bigint)
returns table (kind text, business_date date, snapshot_id bigint, version integer, is_new boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    as_known bigint := coalesce(at_known, (select max(b.known) from {{ ops }}.batch as b));
begin
    if from_day is null or to_day is null or from_day >= to_day then
        raise exception 'from_day % must lie before to_day %, which is not included', from_day, to_day;
    end if;
    perform {{ gold }}.refuse_open_day(to_day - 1, as_known, {{ silver }}.latest_event(as_known));
    return query select s.* from {{ gold }}.seal_closed(wanted_kind, from_day, to_day, as_known) as s;
end
$$;
comment on function {{ gold }}.seal(text, date, date, bigint) is 'Freeze each business day of a kind that is over.';

create or replace function {{ gold }}.snapshot_stock(day date, at_known bigint default null)
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select s.snapshot_id from {{ gold }}.seal('stock', day, day + 1, at_known) as s
$$;
comment on function {{ gold }}.snapshot_stock(date, bigint) is 'Freeze what each place held at the end of a day.';

create or replace function {{ gold }}.snapshot_product(day date, at_known bigint default null)
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select s.snapshot_id from {{ gold }}.seal('product', day, day + 1, at_known) as s
$$;
comment on function {{ gold }}.snapshot_product(date, bigint) is 'Freeze the product master as of the end of a day.';

create or replace function {{ gold }}.snapshot_sales(day date, at_known bigint default null)
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select s.snapshot_id from {{ gold }}.seal('sales', day, day + 1, at_known) as s
$$;
comment on function {{ gold }}.snapshot_sales(date, bigint) is 'Freeze the sales of a business day.';

-- snapshot_days(first_day, last_day, at_known): both days included. A day that is over by the warehouse's own zone but
-- not yet at every place (another zone, a shop that closes after midnight) is left out: a later call seals it.
create or replace function {{ gold }}.snapshot_days(first_day date, last_day date, at_known bigint default null)
returns table (kind text, business_date date, snapshot_id bigint, version integer, is_new boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    as_known bigint := coalesce(at_known, (select max(b.known) from {{ ops }}.batch as b));
    latest timestamptz := {{ silver }}.latest_event(as_known);
    through date := last_day;
    one text;
begin
    if last_day < cast(latest at time zone {{ silver }}.default_zone() as date) then
        through := least(last_day, {{ silver }}.last_closed_day(latest));
        if through < first_day and first_day <= last_day then
            return;
        end if;
    end if;
    if first_day is null or through is null or first_day > through then
        raise exception 'first_day % must not lie after last_day %', first_day, last_day;
    end if;
    perform {{ gold }}.refuse_open_day(through, as_known, latest); -- once: finding the latest event reads them all
    foreach one in array array['stock', 'product', 'sales'] loop
        return query select s.* from {{ gold }}.seal_closed(one, first_day, through + 1, as_known) as s;
    end loop;
end
$$;
comment on function {{ gold }}.snapshot_days(date, date, bigint) is
'Freeze stock, products and sales of every day from first_day to last_day, both included.';

create or replace function {{ gold }}.broken_snapshots()
returns table (snapshot_id bigint, problem text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select s.snapshot_id, 'its link to the snapshot before it does not hold'
    from (
        select h.*, coalesce(lag(h.chain_hash) over (partition by h.kind order by h.snapshot_id), '') as expected
        from {{ gold }}.snapshot as h
    ) as s
    where
        s.previous_hash <> s.expected
        or s.chain_hash <> {{ gold }}.chain_hash(s.kind, s.business_date, s.version, s.content_hash, s.previous_hash)
$$;
comment on function {{ gold }}.broken_snapshots() is 'Snapshots whose chain does not hold; none is right.';

-- row_hashes(kind): the hash that the rows of each snapshot of a kind come to as they stand.
create or replace function {{ gold }}.row_hashes(wanted_kind text)
returns table (snapshot_id bigint, content_hash text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        'select r.snapshot_id, '
        'encode(sha256(convert_to(string_agg(r.line, e''\n'' order by r.line), ''UTF8'')), ''hex'') '
        'from (select t.snapshot_id, (%s) collate "C" as line from {{ gold }}.%I as t offset 0) as r '
        'group by r.snapshot_id',
        {{ gold }}.row_text(wanted_kind), wanted_kind || '_snapshot'
    );
end
$$;
comment on function {{ gold }}.row_hashes(text) is
'The hash that the rows of each snapshot come to; reads all of them.';

create or replace function {{ gold }}.altered_snapshots()
returns table (snapshot_id bigint, problem text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select h.snapshot_id, 'its rows are not the ones that were sealed'
    from {{ gold }}.snapshot as h
    left join (
        select k.kind, r.snapshot_id, r.content_hash
        from (select distinct s.kind from {{ gold }}.snapshot as s) as k
        cross join lateral {{ gold }}.row_hashes(k.kind) as r
    ) as t on h.snapshot_id = t.snapshot_id and h.kind = t.kind
    where h.content_hash <> coalesce(t.content_hash, encode(sha256(''), 'hex'))
$$;
comment on function {{ gold }}.altered_snapshots() is 'Snapshots whose rows differ from their hash; reads all of them.';
