-- Laws: what must hold after every load, checked in production too. Kept cheap: small warehouses are checked whole,
-- large ones on what this load touched and on a sample that depends on the load's number and on nothing else.
-- Writes: ops.law.   Used by: the flow after each load, people who doubt a number.

create or replace view {{ silver }}.movement_account as
select
    a.movement_class,
    a.counter_account,
    a.between_places
from (
    values
    ('sale', 'customer', 'customer'),
    ('return', 'customer', 'customer'),
    ('shipment', 'customer', 'transit'),
    ('receipt', 'supplier', 'transit'),
    ('transfer_out', 'transit', 'transit'),
    ('transfer_in', 'transit', 'transit'),
    ('adjustment', 'adjustment', 'adjustment'),
    ('count_difference', 'shrink', 'shrink'),
    ('write_off', 'write_off', 'write_off'),
    ('state_change', 'state_change', 'state_change'),
    ('opening', 'opening', 'opening')
) as a (movement_class, counter_account, between_places);
comment on view {{ silver }}.movement_account is
'The other side of each movement class; between_places is it where the movement names another place of ours.';

-- account_entry: the double entry behind on-hand. Grain: one leg of one movement or of one count's variance.
-- The sum of the stock legs of a key is its position; the sum of all legs of a product is zero.
create or replace view {{ silver }}.account_entry as
with

movement as not materialized (
    select
        m.record_id,
        m.product_id,
        m.location_id,
        m.state,
        m.bin_code,
        m.lot_code,
        m.event_time,
        m.quantity,
        case when m.counter_location_code is null then a.counter_account else a.between_places end as counter_account
    from {{ silver }}.fact_movement as m
    inner join {{ silver }}.movement_account as a on m.movement_class = a.movement_class
    where m.role = 'authority' and m.known_to is null
),

listed as not materialized (
    select
        c.record_id,
        c.product_id,
        c.location_id,
        c.state,
        c.bin_code,
        c.lot_code,
        c.event_time,
        c.quantity,
        c.count_document,
        cast(r.content_hash as text) as tie
    from {{ silver }}.fact_count as c
    inner join {{ silver }}.record as r on c.record_id = r.record_id
    where c.role = 'authority' and c.known_to is null
),

stock_key as not materialized (
    select
        s.product_id,
        s.location_id,
        s.state,
        s.bin_code,
        s.lot_code,
        min(s.event_time) as first_at
    from (
        select
            m.product_id,
            m.location_id,
            m.state,
            m.bin_code,
            m.lot_code,
            m.event_time
        from movement as m
        union all
        select
            l.product_id,
            l.location_id,
            l.state,
            l.bin_code,
            l.lot_code,
            l.event_time
        from listed as l
    ) as s
    group by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
),

whole_document as (
    select
        c.location_id,
        c.count_document,
        max(c.event_time) as event_time
    from {{ silver }}.fact_count as c
    where c.role = 'authority' and c.known_to is null and c.scope = 'location' and c.absence = 'zero'
    group by c.location_id, c.count_document
),

timeline as (
    select
        m.record_id,
        m.product_id,
        m.location_id,
        m.state,
        m.bin_code,
        m.lot_code,
        m.event_time,
        1 as place,
        '' as tie,
        m.quantity,
        m.counter_account
    from movement as m
    union all
    select
        l.record_id,
        l.product_id,
        l.location_id,
        l.state,
        l.bin_code,
        l.lot_code,
        l.event_time,
        2 as place,
        l.tie,
        l.quantity,
        null as counter_account
    from listed as l
    union all
    select
        null as record_id,
        k.product_id,
        k.location_id,
        k.state,
        k.bin_code,
        k.lot_code,
        w.event_time,
        2 as place,
        '' as tie,
        0 as quantity,
        null as counter_account
    from stock_key as k
    inner join whole_document as w on k.location_id = w.location_id and k.first_at < w.event_time
    where not exists (
        select 1
        from listed as l
        where
            l.product_id = k.product_id
            and l.location_id = k.location_id
            and l.state = k.state
            and l.bin_code = k.bin_code
            and l.lot_code = k.lot_code
            and l.count_document = w.count_document
    )
),

counted as (
    select
        t.*,
        sum(t.place - 1) over (
            partition by t.product_id, t.location_id, t.state, t.bin_code, t.lot_code
            order by t.event_time, t.place, t.tie
            rows between unbounded preceding and current row
        ) as observations
    from timeline as t
),

summed as (
    select
        c.*,
        sum(c.quantity) over (
            partition by c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.observations
            order by c.event_time, c.place, c.tie -- movements of one instant all read their common sum
        ) as on_hand
    from counted as c
),

posted as (
    select
        s.record_id,
        s.product_id,
        s.location_id,
        s.state,
        s.bin_code,
        s.lot_code,
        s.event_time,
        coalesce(s.counter_account, 'shrink') as counter_account,
        case
            when s.place = 1 then s.quantity
            else s.quantity - coalesce(lag(s.on_hand) over (
                partition by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
                order by s.event_time, s.place, s.tie, s.observations
            ), 0)
        end as quantity
    from summed as s
),

account_entry as (
    select
        p.product_id,
        e.account,
        p.location_id,
        p.state,
        p.bin_code,
        p.lot_code,
        p.event_time,
        e.quantity,
        p.record_id
    from posted as p
    cross join lateral (
        values ('stock', p.quantity), (p.counter_account, -p.quantity)
    ) as e (account, quantity)
)

select * from account_entry;
comment on view {{ silver }}.account_entry is
'Double entry of stock: each movement and each count variance with its counter account. A count''s variance is what '
'it found minus what the ledger said just before, posted to shrink.';

create or replace function {{ ops }}.is_small()
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select pg_relation_size('{{ silver }}.record') < 64 * 1024 * 1024
$$;
comment on function {{ ops }}.is_small() is 'Whether the laws are checked on everything.';

create or replace function {{ ops }}.law_products(at_known bigint)
returns integer[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(s.product_id)
    from (
        select k.product_id
        from {{ silver }}.product_key as k
        left join (
            select distinct p.product_id from {{ silver }}.position as p
            where p.known = at_known and not (select {{ ops }}.is_small())
        ) as t on k.product_id = t.product_id
        order by (t.product_id is null), md5(k.product_code || at_known)
        limit case when (select {{ ops }}.is_small()) then null else 100 end
    ) as s
$$;
comment on function {{ ops }}.law_products(bigint) is 'Products to check: all, or a sample of those just touched.';

create or replace function {{ ops }}.law_files(at_known bigint)
returns bigint[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(f.file_id)
    from {{ bronze }}.file as f
    where f.status = 'loaded' and ((select {{ ops }}.is_small()) or f.known = at_known)
$$;
comment on function {{ ops }}.law_files(bigint) is 'Files to check: all, or those of this load.';

-- Law 1: records in = accepted + duplicate + superseded + non-data + quarantined; blocks tile the file.
-- A duplicate is what is left over, so the law is broken where less than nothing is left.
create or replace function {{ ops }}.law_1_files_add_up(files bigint[])
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select f.name || ' has ' || f.records || ' records and ' || f.non_data + r.homes + q.open_rows || ' are told'
    from {{ bronze }}.file as f
    cross join lateral (
        select count(*) as homes from {{ silver }}.record as h
        where h.file_id = f.file_id and not h.is_withdrawn
    ) as r
    cross join lateral (
        select count(*) as open_rows from {{ silver }}.quarantine as s
        where s.file_id = f.file_id and s.known_to is null
    ) as q
    where f.file_id = any (files) and f.records < f.non_data + r.homes + q.open_rows
    union all
    select f.name || ' is not tiled by its blocks'
    from {{ bronze }}.file as f
    left join (
        select
            s.file_id,
            max(s.byte_end) as bytes,
            bool_and(
                s.byte_start = s.expected_start
                and s.byte_end - s.byte_start = octet_length(s.content)
                and (s.line_nos is null or cardinality(s.record_starts) = cardinality(s.line_nos))
            ) as is_tiled
        from (
            select b.*, coalesce(lag(b.byte_end) over (partition by b.file_id order by b.block_no), 0) as expected_start
            from {{ bronze }}.block as b
            where b.file_id = any (files)
        ) as s
        group by s.file_id
    ) as t on f.file_id = t.file_id
    where
        f.file_id = any (files)
        and f.content_bytes > 0
        and not coalesce(t.is_tiled and t.bytes = f.content_bytes, false)
$$;
comment on function {{ ops }}.law_1_files_add_up(bigint[]) is 'Files whose records do not add up or do not tile.';

-- Law 5: each position is its recomputation from the ledger.
create or replace function {{ ops }}.law_5_positions(products integer[], at_known bigint)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    is_kept_aside boolean := to_regclass('pg_temp.touched_key') is not null;
begin
    -- Within the load's transaction the name is taken by the load's own keys.
    if is_kept_aside then
        alter table pg_temp.touched_key rename to touched_key_of_load;
    end if;
    create temporary table touched_key on commit drop as
    select m.product_id, m.location_id from {{ silver }}.fact_movement as m where m.product_id = any (products)
    union
    select c.product_id, c.location_id from {{ silver }}.fact_count as c where c.product_id = any (products)
    union
    select p.product_id, p.location_id from {{ silver }}.position as p where p.product_id = any (products);
    analyze pg_temp.touched_key;

    return query
    select
        k.product_code || ' at ' || l.location_code || ' shows ' || coalesce(cast(trim_scale(o.quantity) as text), 'none')
        || ', its ledger says ' || coalesce(cast(trim_scale(n.quantity) as text), 'none')
    from {{ silver }}.stock_from_ledger('infinity', at_known) as n
    full join (
        select p.* from {{ silver }}.position as p where p.product_id = any (products)
    ) as o
        on
            n.product_id = o.product_id
            and n.location_id = o.location_id
            and n.state = o.state
            and n.bin_code = o.bin_code
            and n.lot_code = o.lot_code
    inner join {{ silver }}.product_key as k on k.product_id = coalesce(n.product_id, o.product_id)
    inner join {{ silver }}.location_key as l on l.location_id = coalesce(n.location_id, o.location_id)
    where
        (n.quantity, n.is_anchored, n.anchor_at, n.anchor_quantity, n.last_movement_at)
        is distinct from (o.quantity, o.is_anchored, o.anchor_at, o.anchor_quantity, o.last_movement_at);

    drop table pg_temp.touched_key;
    if is_kept_aside then
        alter table pg_temp.touched_key_of_load rename to touched_key;
    end if;
end
$$;
comment on function {{ ops }}.law_5_positions(integer[], bigint) is 'Positions that differ from their ledger.';
