-- Double entry behind on-hand: each movement and each count's variance, with its other side. ddl.py renders this text
-- twice, by filling in the marks: as a view over everything, and as a function of some keys, which costs what they do.
-- Grain: one leg of one movement or of one count's variance. The sum of the stock legs of a key is its position; the
-- sum of all legs of a product is zero.
with

movement as {{ kept }} (
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
    where m.role = 'authority' and m.known_to is null{{ and_wanted }}
),

listed as {{ kept }} (
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
    where c.role = 'authority' and c.known_to is null{{ and_wanted }}
),

stock_key as {{ kept }} (
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
    where
        c.role = 'authority'
        and c.known_to is null
        and c.scope = 'location'
        and c.absence = 'zero'{{ and_wanted_place }}
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

select * from account_entry
