-- stock_as_of(at_time, at_known, product, location): what stood where at an instant, over what was known at a load.
-- Grain: product, location, state, bin, lot.   Reads: the ledger, by silver.stock_of_keys.
-- Used by: people and tools (bi_reader may call it), `systock explain`.
-- Again: the same pair of instant and load gives the same answer for ever (law 11), so a load that is not known yet
-- cannot be asked for.

-- keys_of(product, location): the keys that the ledger has, as two arrays, pair by pair. Null means all; a pair that
-- never held anything may be among them.
create or replace function {{ silver }}.keys_of(wanted_product text, wanted_location text)
returns table (products integer[], locations integer[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if wanted_product is not null then
        return query
        select array_agg(p.product_id), array_agg(l.location_id)
        from {{ silver }}.product_key as p
        cross join {{ silver }}.location_key as l
        where p.product_code = wanted_product and (wanted_location is null or l.location_code = wanted_location);
    elsif wanted_location is not null then
        return query
        select array_agg(p.product_id), array_agg(l.location_id)
        from {{ silver }}.product_key as p
        cross join {{ silver }}.location_key as l
        where l.location_code = wanted_location;
    else
        return query
        select array_agg(k.product_id), array_agg(k.location_id)
        from (
            select m.product_id, m.location_id from {{ silver }}.fact_movement as m
            union
            select c.product_id, c.location_id from {{ silver }}.fact_count as c
        ) as k;
    end if;
end
$$;
comment on function {{ silver }}.keys_of(text, text) is 'Stock keys by their codes, as two arrays; null means all.';

-- refuse_unknown_load(at_known): an answer over loads to come would be another one tomorrow.
create or replace function {{ silver }}.refuse_unknown_load(at_known bigint)
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    latest bigint := (select coalesce(max(b.known), 0) from {{ ops }}.batch as b);
begin
    if at_known is null or at_known > latest then
        raise exception 'load % is not known yet: the latest is %', coalesce(cast(at_known as text), 'null'), latest
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function {{ silver }}.refuse_unknown_load(bigint) is 'Refuses a load number that was not given out yet.';

create or replace function {{ gold }}.stock_as_of(
    at_time timestamptz, at_known bigint, product text default null, location text default null
)
returns table (
    product_code text,
    location_code text,
    state text,
    bin_code text,
    lot_code text,
    quantity numeric,
    is_anchored boolean,
    anchor_at timestamptz,
    anchor_quantity numeric,
    last_movement_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if at_time is null then
        raise exception 'the instant is null; name one, or ''infinity''' using errcode = 'invalid_parameter_value';
    end if;
    perform {{ silver }}.refuse_unknown_load(at_known);
    return query
    select
        p.product_code, l.location_code, s.state, s.bin_code, s.lot_code, trim_scale(s.quantity), s.is_anchored,
        s.anchor_at, trim_scale(s.anchor_quantity), s.last_movement_at
    from {{ silver }}.keys_of(product, location) as k
    cross join lateral {{ silver }}.stock_of_keys(k.products, k.locations, at_time, at_known) as s
    inner join {{ silver }}.product_key as p on s.product_id = p.product_id
    inner join {{ silver }}.location_key as l on s.location_id = l.location_id;
end
$$;
comment on function {{ gold }}.stock_as_of(timestamptz, bigint, text, text) is
'On-hand at an instant, over what was known at a load, for one product or location or all. The same pair gives the '
'same answer for ever.';
