-- What the snapshots of days would hold now, and the text of a row that is hashed.
-- Used by: gold.seal_closed (071_snapshot_seal.sql), gold.altered_snapshots.
drop function if exists {{ gold }}.fresh_stock_rows(date, date, bigint);
drop function if exists {{ gold }}.fresh_product_rows(date, date, bigint);
drop function if exists {{ gold }}.fresh_sales_rows(date, date, bigint);
drop function if exists {{ gold }}.sealed_rows(text, bigint[]);

create or replace function {{ gold }}.stock_of_days(from_day date, to_day date, at_known bigint)
returns table (
    business_date date, product_code text, location_code text, state text, bin_code text, lot_code text,
    quantity numeric, is_anchored boolean
)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select
        s.business_date, p.product_code, l.location_code, s.state, s.bin_code, s.lot_code, trim_scale(s.quantity),
        s.is_anchored
    from {{ silver }}.stock_at_day_ends(from_day, to_day, at_known) as s
    inner join {{ silver }}.product_key as p on s.product_id = p.product_id
    inner join {{ silver }}.location_key as l on s.location_id = l.location_id
$$;
comment on function {{ gold }}.stock_of_days(date, date, bigint) is 'Rows of stock snapshots as they would be now.';

-- Product history is kept as it is known now, so it can only be frozen while no later load has changed it.
create or replace function {{ gold }}.product_of_days(from_day date, to_day date, at_known bigint)
returns table (
    business_date date, product_code text, product_name text, category_code text, base_unit text, gtin text,
    is_stocked boolean, is_discontinued boolean, standard_cost numeric, list_price numeric, currency text,
    safety_stock numeric, reorder_point numeric, is_created boolean
)
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
        d.day, p.product_code, p.product_name, p.category_code, p.base_unit, p.gtin, p.is_stocked, p.is_discontinued,
        trim_scale(p.standard_cost), trim_scale(p.list_price), p.currency, trim_scale(p.safety_stock),
        trim_scale(p.reorder_point), p.is_created
    from (
        select
            from_day + s.n as day,
            {{ silver }}.day_end(from_day + s.n, {{ silver }}.default_zone(), 0) as end_at
        from generate_series(0, to_day - from_day - 1) as s (n)
    ) as d
    inner join {{ silver }}.dim_product as p on p.valid_from < d.end_at and p.valid_to >= d.end_at;
end
$$;
comment on function {{ gold }}.product_of_days(date, date, bigint) is
'Rows of product snapshots as they would be now.';

-- Grouped by number, and named afterwards: what is no product and what has no code are one.
create or replace function {{ gold }}.sales_of_days(from_day date, to_day date, at_known bigint)
returns table (
    business_date date, location_code text, channel_code text, product_code text, currency text,
    quantity_sold numeric, quantity_returned numeric, quantity numeric, net_amount numeric, line_count bigint
)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select
        s.business_date, l.location_code, s.channel_code, coalesce(p.product_code, ''), s.currency,
        trim_scale(s.quantity_sold), trim_scale(s.quantity_returned), trim_scale(s.quantity), trim_scale(s.net_amount),
        s.line_count
    from (
        select
            f.business_date, f.location_id, k.product_id,
            coalesce(f.channel_code, '') as channel_code,
            coalesce(f.currency, '') as currency,
            sum(case when f.kind = 'sale' then f.quantity else 0 end) as quantity_sold,
            sum(case when f.kind = 'return' then -f.quantity else 0 end) as quantity_returned,
            sum(case when f.kind = 'charge' then 0 else f.quantity end) as quantity,
            sum(f.net_amount) as net_amount,
            count(*) as line_count
        from {{ silver }}.fact_sale as f
        left join {{ silver }}.product_key as k on f.product_id = k.product_id and k.product_code <> ''
        where
            f.role = 'authority'
            and f.business_date >= from_day
            and f.business_date < to_day
            and f.known_from <= at_known
            and (f.known_to is null or f.known_to > at_known)
        group by f.business_date, f.location_id, k.product_id, coalesce(f.channel_code, ''), coalesce(f.currency, '')
    ) as s
    inner join {{ silver }}.location_key as l on s.location_id = l.location_id
    left join {{ silver }}.product_key as p on s.product_id = p.product_id
$$;
comment on function {{ gold }}.sales_of_days(date, date, bigint) is 'Rows of sales snapshots as they would be now.';

-- row_text(kind): the expression for the text of a row `t` that is hashed: the row as jsonb prints it, without what is
-- empty. Where no column may be empty it is put together piece by piece, names in the order in which jsonb has them,
-- which is a third of the work. It may never give another text: what was sealed would no longer be.
create or replace function {{ gold }}.row_text(wanted_kind text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case wanted_kind
        when 'stock' then
            $line$'{"state": ' || to_json(t.state) || ', "bin_code": ' || to_json(t.bin_code)
            || ', "lot_code": ' || to_json(t.lot_code) || ', "quantity": ' || to_json(t.quantity)
            || ', "is_anchored": ' || to_json(t.is_anchored) || ', "product_code": ' || to_json(t.product_code)
            || ', "location_code": ' || to_json(t.location_code) || '}'$line$
        when 'sales' then
            $line$'{"currency": ' || to_json(t.currency) || ', "quantity": ' || to_json(t.quantity)
            || ', "line_count": ' || to_json(t.line_count) || ', "net_amount": ' || to_json(t.net_amount)
            || ', "channel_code": ' || to_json(t.channel_code) || ', "product_code": ' || to_json(t.product_code)
            || ', "location_code": ' || to_json(t.location_code) || ', "quantity_sold": ' || to_json(t.quantity_sold)
            || ', "quantity_returned": ' || to_json(t.quantity_returned) || '}'$line$
        else
            $line$cast(jsonb_strip_nulls(to_jsonb(t) - 'snapshot_id' - 'business_date') as text)$line$
    end
$$;
comment on function {{ gold }}.row_text(text) is 'The expression for the text of a snapshot''s row that is hashed.';

-- row_columns(kind, prefix): the columns of a kind's rows, but for the snapshot's number, each with a prefix.
create or replace function {{ gold }}.row_columns(wanted_kind text, prefix text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg(prefix || quote_ident(a.attname), ', ' order by a.attnum)
    from pg_attribute as a
    where
        a.attrelid = cast(format('{{ gold }}.%I', wanted_kind || '_snapshot') as regclass)
        and a.attnum > 0
        and not a.attisdropped
        and a.attname <> 'snapshot_id'
$$;
comment on function {{ gold }}.row_columns(text, text) is
'The columns of a kind''s rows, for a query that is put together.';
