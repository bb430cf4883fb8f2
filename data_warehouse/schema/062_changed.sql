-- changed_keys(k): codes whose meaning changed in this load, so that files which used them are judged again.
-- A code that is new changes nothing that was accepted; only what waits in quarantine for it.
-- Exception: a unit conversion of one product may overrule a general one.
create or replace function {{ silver }}.changed_keys(at_known bigint)
returns table (set_name text, key text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select distinct n.set_name, n.key
    from {{ silver }}.fact_reference as n
    inner join {{ silver }}.fact_reference as o on n.set_name = o.set_name and n.key = o.key
    where
        n.known_from = at_known
        and n.known_to is null
        and o.known_from < at_known
        and (o.known_to is null or o.known_to = at_known)
        and n.attributes <> o.attributes
    union
    select distinct 'product', n.product_code
    from {{ silver }}.fact_product as n
    inner join {{ silver }}.fact_product as o on n.product_code = o.product_code
    where
        n.known_from = at_known
        and n.known_to is null
        and o.known_from < at_known
        and (o.known_to is null or o.known_to = at_known)
        and coalesce(n.base_unit, 'EA') <> coalesce(o.base_unit, 'EA')
    union
    select distinct 'location', n.location_code
    from {{ silver }}.fact_location as n
    inner join {{ silver }}.fact_location as o on n.location_code = o.location_code
    where
        n.known_from = at_known
        and n.known_to is null
        and o.known_from < at_known
        and (o.known_to is null or o.known_to = at_known)
        and row(n.zone, n.location_kind, n.day_close_minutes)
        is distinct from row(o.zone, o.location_kind, o.day_close_minutes)
    union
    select distinct 'unit', n.unit_code
    from {{ silver }}.fact_unit_conversion as n
    where n.known_from = at_known
$$;
comment on function {{ silver }}.changed_keys(bigint) is 'Codes whose meaning a load changed.';

-- files_using(set, key): files whose records have to be judged again when a code changes its meaning.
create or replace function {{ silver }}.files_using(changed_set text, changed_key text)
returns table (file_id bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select u.file_id
    from {{ silver }}.file_reference as u
    where u.set_name = changed_set and u.key = changed_key
    union
    select r.file_id
    from {{ silver }}.product_key as k
    inner join {{ silver }}.fact_movement as m on k.product_id = m.product_id
    inner join {{ silver }}.record as r on m.record_id = r.record_id
    where changed_set = 'product' and k.product_code = changed_key and m.unit_code is not null
    union
    select r.file_id
    from {{ silver }}.location_key as k
    inner join {{ silver }}.fact_movement as m on k.location_id = m.location_id
    inner join {{ silver }}.record as r on m.record_id = r.record_id
    where changed_set = 'location' and k.location_code = changed_key
    union
    select r.file_id
    from {{ silver }}.location_key as k
    inner join {{ silver }}.fact_sale as s on k.location_id = s.location_id
    inner join {{ silver }}.record as r on s.record_id = r.record_id
    where changed_set = 'location' and k.location_code = changed_key
$$;
comment on function {{ silver }}.files_using(text, text) is 'Files that used a code.';
