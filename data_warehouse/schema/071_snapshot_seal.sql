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

-- refuse_open_day(last_day, at_known): a day may be sealed once an event later than its end is known everywhere.
create or replace function {{ gold }}.refuse_open_day(last_day date, at_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    latest timestamptz := {{ silver }}.latest_event(at_known);
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
comment on function {{ gold }}.refuse_open_day(date, bigint) is 'Refuses a day that is not over everywhere.';

create or replace function {{ gold }}.fresh_stock_rows(from_day date, to_day date, at_known bigint)
returns table (business_date date, body jsonb)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select
        s.business_date,
        jsonb_build_object(
            'product_code', p.product_code, 'location_code', l.location_code, 'state', s.state,
            'bin_code', s.bin_code, 'lot_code', s.lot_code,
            'quantity', trim_scale(s.quantity), 'is_anchored', s.is_anchored
        )
    from {{ silver }}.stock_at_day_ends(from_day, to_day, at_known) as s
    inner join {{ silver }}.product_key as p on s.product_id = p.product_id
    inner join {{ silver }}.location_key as l on s.location_id = l.location_id
$$;
comment on function {{ gold }}.fresh_stock_rows(date, date, bigint) is 'Rows of stock snapshots as they would be now.';

-- Product history is kept as it is known now, so it can only be frozen while no later load has changed it.
create or replace function {{ gold }}.fresh_product_rows(from_day date, to_day date, at_known bigint)
returns table (business_date date, body jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select 1 from {{ silver }}.fact_product as f where f.known_from > at_known or f.known_to > at_known) then
        raise exception 'products have changed since load %; take the product snapshot as of the latest load', at_known
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return query
    select
        d.day,
        jsonb_strip_nulls(jsonb_build_object(
            'product_code', p.product_code, 'product_name', p.product_name, 'category_code', p.category_code,
            'base_unit', p.base_unit, 'gtin', p.gtin, 'is_stocked', p.is_stocked,
            'is_discontinued', p.is_discontinued, 'standard_cost', trim_scale(p.standard_cost),
            'list_price', trim_scale(p.list_price), 'currency', p.currency,
            'safety_stock', trim_scale(p.safety_stock), 'reorder_point', trim_scale(p.reorder_point),
            'is_created', p.is_created
        ))
    from (
        select
            from_day + s.n as day,
            {{ silver }}.day_end(from_day + s.n, {{ silver }}.default_zone(), 0) as end_at
        from generate_series(0, to_day - from_day - 1) as s (n)
    ) as d
    inner join {{ silver }}.dim_product as p on p.valid_from < d.end_at and p.valid_to >= d.end_at;
end
$$;
comment on function {{ gold }}.fresh_product_rows(date, date, bigint) is
'Rows of product snapshots as they would be now.';

create or replace function {{ gold }}.fresh_sales_rows(from_day date, to_day date, at_known bigint)
returns table (business_date date, body jsonb)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select
        s.business_date,
        jsonb_build_object(
            'location_code', l.location_code, 'channel_code', coalesce(s.channel_code, ''),
            'product_code', coalesce(p.product_code, ''), 'currency', coalesce(s.currency, ''),
            'quantity_sold', trim_scale(sum(case when s.kind = 'sale' then s.quantity else 0 end)),
            'quantity_returned', trim_scale(sum(case when s.kind = 'return' then -s.quantity else 0 end)),
            'quantity', trim_scale(sum(case when s.kind = 'charge' then 0 else s.quantity end)),
            'net_amount', trim_scale(sum(s.net_amount)),
            'line_count', count(*)
        )
    from {{ silver }}.fact_sale as s
    inner join {{ silver }}.location_key as l on s.location_id = l.location_id
    left join {{ silver }}.product_key as p on s.product_id = p.product_id
    where
        s.role = 'authority'
        and s.business_date >= from_day
        and s.business_date < to_day
        and s.known_from <= at_known
        and (s.known_to is null or s.known_to > at_known)
    group by
        s.business_date, l.location_code, coalesce(s.channel_code, ''), coalesce(p.product_code, ''),
        coalesce(s.currency, '')
$$;
comment on function {{ gold }}.fresh_sales_rows(date, date, bigint) is 'Rows of sales snapshots as they would be now.';

create or replace function {{ gold }}.sealed_rows(wanted_kind text, wanted bigint[])
returns table (snapshot_id bigint, body jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        'select t.snapshot_id, jsonb_strip_nulls(to_jsonb(t) - ''snapshot_id'') '
        'from {{ gold }}.%I as t where t.snapshot_id = any ($1)', wanted_kind || '_snapshot'
    ) using wanted;
end
$$;
comment on function {{ gold }}.sealed_rows(text, bigint[]) is 'Rows of sealed snapshots in the form that is hashed.';

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

-- seal(kind, from_day, to_day, at_known): freeze each day from from_day to before to_day.
create or replace function {{ gold }}.seal(wanted_kind text, from_day date, to_day date, at_known bigint)
returns table (kind text, business_date date, snapshot_id bigint, version integer, is_new boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    as_known bigint := coalesce(at_known, (select max(b.known) from {{ ops }}.batch as b));
    key_names text[] := case wanted_kind
        when 'stock' then array['product_code', 'location_code', 'state', 'bin_code', 'lot_code']
        when 'sales' then array['location_code', 'channel_code', 'product_code', 'currency']
        else array['product_code']
    end;
    latest_hash text;
    one record;
begin
    if from_day is null or to_day is null or from_day >= to_day then
        raise exception 'from_day % must lie before to_day %, which is not included', from_day, to_day;
    end if;
    lock table {{ gold }}.snapshot in share row exclusive mode;
    perform {{ gold }}.refuse_open_day(to_day - 1, as_known);

    create temporary table fresh_row (business_date date, body jsonb) on commit drop;
    execute format('insert into pg_temp.fresh_row select * from {{ gold }}.%I($1, $2, $3)', 'fresh_' || wanted_kind || '_rows')
    using from_day, to_day, as_known;

    create temporary table fresh_day on commit drop as
    select
        d.day as business_date,
        count(f.body) as rows,
        encode(sha256(convert_to(
            coalesce(string_agg(cast(f.body as text), e'\n' order by cast(f.body as text) collate "C"), ''), 'UTF8'
        )), 'hex') as content_hash,
        cast(null as bigint) as old_id,
        cast(null as bigint) as new_id
    from (select from_day + s.n as day from generate_series(0, to_day - from_day - 1) as s (n)) as d
    left join pg_temp.fresh_row as f on d.day = f.business_date
    group by d.day;

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
        'insert into {{ gold }}.%1$I '
        'select r.* from pg_temp.fresh_day as d inner join pg_temp.fresh_row as f using (business_date) '
        'cross join lateral jsonb_populate_record('
        'null::{{ gold }}.%1$I, f.body || jsonb_build_object(''snapshot_id'', d.new_id)) as r '
        'where d.new_id is not null', wanted_kind || '_snapshot'
    );
    insert into {{ gold }}.snapshot_difference (snapshot_id, row_key, old_row, new_row)
    select coalesce(o.new_id, n.new_id), coalesce(o.row_key, n.row_key), o.body, n.body
    from (
        select d.new_id, s.body, (select jsonb_object_agg(c, s.body -> c) from unnest(key_names) as c) as row_key
        from {{ gold }}.sealed_rows(wanted_kind, array(select old_id from pg_temp.fresh_day where old_id is not null)) as s
        inner join pg_temp.fresh_day as d on s.snapshot_id = d.old_id
    ) as o
    full join (
        select d.new_id, f.body, (select jsonb_object_agg(c, f.body -> c) from unnest(key_names) as c) as row_key
        from pg_temp.fresh_row as f
        inner join pg_temp.fresh_day as d on f.business_date = d.business_date and d.old_id is not null
    ) as n on o.new_id = n.new_id and o.row_key = n.row_key
    where o.body is distinct from n.body;

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
comment on function {{ gold }}.seal(text, date, date, bigint) is
'Freeze each business day of a kind; unchanged days stay, changed ones get a restated version.';

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
    foreach one in array array['stock', 'product', 'sales'] loop
        return query select s.* from {{ gold }}.seal(one, first_day, through + 1, as_known) as s;
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

create or replace function {{ gold }}.altered_snapshots()
returns table (snapshot_id bigint, problem text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select h.snapshot_id, 'its rows are not the ones that were sealed'
    from {{ gold }}.snapshot as h
    left join (
        select
            r.snapshot_id,
            encode(sha256(convert_to(
                string_agg(cast(r.body as text), e'\n' order by cast(r.body as text) collate "C"), 'UTF8'
            )), 'hex') as content_hash
        from (select distinct s.kind from {{ gold }}.snapshot as s) as k
        cross join lateral {{ gold }}.sealed_rows(
            k.kind, array(select s.snapshot_id from {{ gold }}.snapshot as s where s.kind = k.kind)
        ) as r
        group by r.snapshot_id
    ) as t on h.snapshot_id = t.snapshot_id
    where h.content_hash <> coalesce(t.content_hash, encode(sha256(''), 'hex'))
$$;
comment on function {{ gold }}.altered_snapshots() is 'Snapshots whose rows differ from their hash; reads all of them.';
