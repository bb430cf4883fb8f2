-- changed_code_owners(k): products to which facts may have been given by a code whose meaning this load changed: an
-- alias that came, went or means another product from some day on; a GTIN that a product gained or lost; a product of
-- the master that was only an alias, or only created, before. Codes are compared without leading zeros, since a feed
-- may have lost them. A code that meant nothing before concerns only what waits in quarantine.
create or replace function {{ silver }}.changed_code_owners(at_known bigint)
returns table (product_code text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    told as (
        select
            a.alias_code as code,
            a.product_code,
            a.effective_from,
            bool_or(a.known_from < at_known and (a.known_to is null or a.known_to = at_known)) as before,
            bool_or(a.known_to is null) as after
        from {{ silver }}.fact_alias as a
        where a.alias_code in (
            select t.alias_code from {{ silver }}.fact_alias as t
            where t.known_from = at_known or t.known_to = at_known
        )
        group by a.alias_code, a.product_code, a.effective_from
        union all
        select
            n.code,
            p.product_code,
            null as effective_from,
            bool_or(p.known_from < at_known and (p.known_to is null or p.known_to = at_known)) as before,
            bool_or(p.known_to is null) as after
        from {{ silver }}.fact_product as p
        cross join lateral (values (p.gtin), (p.product_code)) as n (code)
        where
            n.code is not null
            and p.product_code in (
                select t.product_code from {{ silver }}.fact_product as t
                where t.known_from = at_known or t.known_to = at_known
            )
        group by n.code, p.product_code
    ),

    touched as (
        select distinct ltrim(t.code, '0') as bare from told as t where t.before is distinct from t.after
    ),

    owner as (
        select
            t.bare,
            a.product_code,
            a.effective_from,
            a.known_from < at_known and (a.known_to is null or a.known_to = at_known) as before,
            a.known_to is null as after
        from touched as t
        inner join {{ silver }}.fact_alias as a on t.bare = ltrim(a.alias_code, '0')
        union all
        select
            t.bare,
            p.product_code,
            null as effective_from,
            p.known_from < at_known and (p.known_to is null or p.known_to = at_known) as before,
            p.known_to is null as after
        from touched as t
        inner join {{ silver }}.fact_product as p on t.bare = ltrim(p.gtin, '0')
        union all
        select
            t.bare,
            k.product_code,
            null as effective_from,
            k.known_from < at_known as before,
            true as after
        from touched as t
        inner join {{ silver }}.product_key as k on t.bare = ltrim(k.product_code, '0')
    ),

    compared as (
        select
            o.bare,
            count(distinct o.product_code) filter (where o.before or o.after) as products,
            array_agg(distinct row(o.product_code, o.effective_from)) filter (where o.before) as before,
            array_agg(distinct row(o.product_code, o.effective_from)) filter (where o.after) as after
        from owner as o
        group by o.bare
    )

    select distinct o.product_code
    from compared as c
    inner join owner as o on c.bare = o.bare
    where
        o.before
        and (c.after is null or (c.products > 1 and c.before is distinct from c.after))
$$;
comment on function {{ silver }}.changed_code_owners(bigint) is
'Products whose facts have to be judged again, since a code that may have led to them changed its meaning.';

-- changed_keys(k, soft_sets): codes whose meaning changed in this load, so that files which used them are judged again.
-- Compared is what a code meant before the load with what it means after: changed, gone, or new. Told once more in the
-- same words it has not changed; told in several words, another telling may change which of them holds. A new code
-- concerns only what waits in quarantine, with these exceptions: soft sets (some contract goes on without the code),
-- codes that a feed had created, other codes of a product, and units (one product's conversion may overrule a
-- general one).
create or replace function {{ silver }}.changed_keys(at_known bigint, soft_sets text[])
returns table (set_name text, key text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    touched as (
        select distinct f.set_name, f.key
        from {{ silver }}.fact_reference as f
        where f.known_from = at_known or f.known_to = at_known
    ),

    meaning as (
        select
            t.set_name,
            t.key,
            array_agg(cast(f.attributes as text) order by cast(f.attributes as text)) filter (
                where f.known_from < at_known and (f.known_to is null or f.known_to = at_known)
            ) as before,
            array_agg(cast(f.attributes as text) order by cast(f.attributes as text)) filter (
                where f.known_to is null
            ) as after,
            count(distinct cast(f.attributes as text)) filter (
                where f.known_to is null or f.known_to = at_known
            ) as meanings
        from touched as t
        inner join {{ silver }}.fact_reference as f on t.set_name = f.set_name and t.key = f.key
        group by t.set_name, t.key
    ),

    product as (
        select
            f.product_code,
            max(k.known_from) as key_known_from,
            array_agg(coalesce(f.base_unit, 'EA') order by f.base_unit) filter (
                where f.known_from < at_known and (f.known_to is null or f.known_to = at_known)
            ) as before,
            array_agg(coalesce(f.base_unit, 'EA') order by f.base_unit) filter (where f.known_to is null) as after,
            count(distinct coalesce(f.base_unit, 'EA')) filter (
                where f.known_to is null or f.known_to = at_known
            ) as meanings
        from {{ silver }}.fact_product as f
        inner join {{ silver }}.product_key as k on f.product_code = k.product_code
        where f.product_code in (
            select t.product_code from {{ silver }}.fact_product as t
            where t.known_from = at_known or t.known_to = at_known
        )
        group by f.product_code
    ),

    place as (
        select
            f.location_code,
            max(k.known_from) as key_known_from,
            array_agg(
                cast(row(f.zone, f.location_kind, f.day_close_minutes) as text) order by f.zone, f.location_kind
            ) filter (where f.known_from < at_known and (f.known_to is null or f.known_to = at_known)) as before,
            array_agg(
                cast(row(f.zone, f.location_kind, f.day_close_minutes) as text) order by f.zone, f.location_kind
            ) filter (where f.known_to is null) as after,
            count(distinct row(f.zone, f.location_kind, f.day_close_minutes)) filter (
                where f.known_to is null or f.known_to = at_known
            ) as meanings
        from {{ silver }}.fact_location as f
        inner join {{ silver }}.location_key as k on f.location_code = k.location_code
        where f.location_code in (
            select t.location_code from {{ silver }}.fact_location as t
            where t.known_from = at_known or t.known_to = at_known
        )
        group by f.location_code
    )

    select m.set_name, m.key
    from meaning as m
    where
        m.before is distinct from m.after
        and (m.meanings > 1 or m.before is null or m.after is null)
        and (m.before is not null or m.set_name = any(soft_sets))
    union
    select 'product', p.product_code
    from product as p
    where
        p.before is distinct from p.after
        and (p.meanings > 1 or p.before is null or p.after is null)
        and (p.before is not null or p.key_known_from < at_known)
    union
    select 'location', l.location_code
    from place as l
    where
        l.before is distinct from l.after
        and (l.meanings > 1 or l.before is null or l.after is null)
        and (l.before is not null or l.key_known_from < at_known)
    union
    select 'product', d.product_code
    from {{ silver }}.changed_code_owners(at_known) as d
    union
    select 'unit', n.unit_code
    from {{ silver }}.fact_unit_conversion as n
    where n.known_from = at_known or n.known_to = at_known
$$;
comment on function {{ silver }}.changed_keys(bigint, text[]) is 'Codes whose meaning a load changed.';
