-- count_variance(products): what each count of the products found, less what the ledger said just before it.
-- Grain: one row per current authoritative count of a record.   Reads: silver.account_entry.
-- Used by: people who look for shrink; gold.source_drift, by the second form.
create or replace function {{ gold }}.count_variance(products text[])
returns table (
    product_code text, location_code text, state text, bin_code text, lot_code text, event_time timestamptz,
    variance numeric
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    ids integer[] := array(
        select k.product_id from {{ silver }}.product_key as k where k.product_code = any (products)
    );
begin
    if cardinality(ids) = 0 then
        return;
    end if;
    return query
    select k.product_code, l.location_code, c.state, c.bin_code, c.lot_code, c.event_time, trim_scale(e.quantity)
    from {{ silver }}.account_entry as e
    inner join {{ silver }}.fact_count as c
        on
            e.record_id = c.record_id
            and e.product_id = c.product_id
            and e.location_id = c.location_id
            and e.state = c.state
            and e.bin_code = c.bin_code
            and e.lot_code = c.lot_code
            and e.event_time = c.event_time
    inner join {{ silver }}.product_key as k on c.product_id = k.product_id
    inner join {{ silver }}.location_key as l on c.location_id = l.location_id
    where e.product_id = any (ids) and e.account = 'stock' and c.known_to is null and c.role = 'authority';
end
$$;
comment on function {{ gold }}.count_variance(text[]) is
'What each count of the products found, less what the ledger said just before it.';

-- count_variance(products, locations): the same of some products, each at the location beside it: what it costs follows
-- their own ledgers.
create or replace function {{ gold }}.count_variance(products text[], locations text[])
returns table (
    product_code text, location_code text, state text, bin_code text, lot_code text, event_time timestamptz,
    variance numeric
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    product_ids integer[];
    location_ids integer[];
begin
    select array_agg(k.product_id), array_agg(l.location_id) into product_ids, location_ids
    from unnest(products, locations) as w (product_code, location_code)
    inner join {{ silver }}.product_key as k on w.product_code = k.product_code
    inner join {{ silver }}.location_key as l on w.location_code = l.location_code;
    if product_ids is null then
        return;
    end if;
    return query
    select k.product_code, l.location_code, c.state, c.bin_code, c.lot_code, c.event_time, trim_scale(e.quantity)
    from {{ silver }}.account_entry_of_keys(product_ids, location_ids) as e
    inner join {{ silver }}.fact_count as c
        on
            e.record_id = c.record_id
            and e.product_id = c.product_id
            and e.location_id = c.location_id
            and e.state = c.state
            and e.bin_code = c.bin_code
            and e.lot_code = c.lot_code
            and e.event_time = c.event_time
    inner join {{ silver }}.product_key as k on c.product_id = k.product_id
    inner join {{ silver }}.location_key as l on c.location_id = l.location_id
    where e.account = 'stock' and c.known_to is null and c.role = 'authority';
end
$$;
comment on function {{ gold }}.count_variance(text[], text[]) is
'What each count of some products, each at a location, found, less what the ledger said just before it.';
