-- Double entry: the other side of each movement, and of what each count found. A merged code's goods that are counted
-- under its survivor leave one code by shrink and stand under the other, so the shrink of both is what was found.
-- Used by: law 6, people who ask where something went.

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
    where
        not exists (
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
    union all
    select
        null as record_id,
        k.product_id,
        k.location_id,
        k.state,
        k.bin_code,
        k.lot_code,
        c.event_time,
        2 as place,
        '' as tie,
        0 as quantity,
        null as counter_account
    from {{ silver }}.product_merge_at(9223372036854775807) as g
    inner join stock_key as k on g.member_id = k.product_id
    inner join {{ silver }}.fact_count as c
        on
            g.survivor_id = c.product_id
            and k.location_id = c.location_id
            and k.state = c.state
            and k.bin_code = c.bin_code
            and k.lot_code = c.lot_code
    where
        c.role = 'authority'
        and c.known_to is null
        and c.event_time >= g.valid_from
        and c.event_time < g.valid_to
        and k.first_at < c.event_time
        and not exists (
            select 1
            from listed as l
            where
                l.product_id = k.product_id
                and l.location_id = k.location_id
                and l.state = k.state
                and l.bin_code = k.bin_code
                and l.lot_code = k.lot_code
                and l.count_document = c.count_document
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
