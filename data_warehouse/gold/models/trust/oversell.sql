-- oversell: promises that the stock did not cover, and whether that could have been known.
-- Grain: one row per oversold line of a customer's order. Looked at are hard reservations that did not leave in full:
-- still open, lapsed, or cancelled in part or whole; what left in full was covered, whatever the records said.
-- At the instant of the promise, what others had reserved before is taken off the sellable stock: over what was known
-- at the load that brought the promise (then), and over all that is known now (later). known: then it did not cover
-- the line. hidden: then it did, and later knowledge says otherwise. What was known then never changes.
-- Reads: promise_moment, silver.fact_demand, silver.fact_movement, gold.stock_as_of.   Used by: the report.
with

family as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_family') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

fact_demand as (
    select * from {{ source('silver', 'fact_demand') }}
    where role = 'authority'
),

fact_movement as (
    select * from {{ source('silver', 'fact_movement') }}
    where role = 'authority' and movement_class in ('shipment', 'sale') and order_document is not null
),

moment as (
    select * from {{ ref('promise_moment') }}
),

stock as (
    select
        m.order_document,
        m.order_line,
        m.product_id,
        m.location_id,
        m.is_later,
        sum(case when s.state = 'sellable' then s.quantity else 0 end) as sellable
    from moment as m
    inner join family as f on m.product_code = f.product_code
    inner join product as p on f.product_id = p.product_id
    {{ join_stock_as_of('m.reserved_at', 'm.known', 'p.product_code', 'm.location_code') }}
    group by m.order_document, m.order_line, m.product_id, m.location_id, m.is_later
),

-- What other lines of the same goods had reserved before, over the same knowledge.
other as (
    select
        m.order_document,
        m.order_line,
        m.product_id,
        m.location_id,
        m.is_later,
        m.known,
        m.reserved_at,
        d.order_document as other_document,
        d.order_line as other_line,
        d.product_id as other_product_id,
        coalesce(
            sum(case when d.event = 'reserve' then d.quantity end), sum(case when d.event = 'cart' then d.quantity end),
            0
        ) - sum(case when d.event = 'cancel' then d.quantity else 0 end) as wanted,
        sum(case when d.event = 'ship' then d.quantity else 0 end) as shipped,
        min(case when d.event in ('reserve', 'cart') then d.event_time end) as other_at,
        max(
            case
                when d.event in ('reserve', 'cart') and (d.expires_at is null or d.expires_at > m.reserved_at) then 1
                else 0
            end
        ) as is_held
    from moment as m
    inner join family as f on m.product_code = f.product_code
    inner join fact_demand as d
        on
            f.product_id = d.product_id
            and m.location_id = d.location_id
            and m.reserved_at >= d.event_time
            and m.known >= d.known_from
            and m.known < coalesce(d.known_to, m.known + 1)
    where d.order_document <> m.order_document or d.order_line <> m.order_line
    group by
        m.order_document, m.order_line, m.product_id, m.location_id, m.is_later, m.known, m.reserved_at,
        d.order_document, d.order_line, d.product_id
),

-- Those that came before, and what had left of them by what counted shipments and sales of the order took.
left_before as (
    select
        o.order_document,
        o.order_line,
        o.product_id,
        o.location_id,
        o.is_later,
        o.wanted,
        {{ greatest_known() }}(o.shipped, coalesce(-sum(m.quantity), 0)) as shipped
    from other as o
    left join fact_movement as m
        on
            o.other_document = m.order_document
            and o.other_product_id = m.product_id
            and o.other_line = coalesce(nullif(m.order_line, ''), o.other_line)
            and o.reserved_at >= m.event_time
            and o.known >= m.known_from
            and o.known < coalesce(m.known_to, o.known + 1)
    where
        o.is_held = 1
        and (
            o.other_at < o.reserved_at
            or (o.other_at = o.reserved_at and o.other_document < o.order_document)
            or (
                o.other_at = o.reserved_at and o.other_document = o.order_document
                and o.other_line < o.order_line
            )
        )
    group by
        o.order_document, o.order_line, o.product_id, o.location_id, o.is_later, o.wanted, o.shipped,
        o.other_document, o.other_line, o.other_product_id
),

reserved as (
    select
        b.order_document,
        b.order_line,
        b.product_id,
        b.location_id,
        b.is_later,
        sum({{ greatest_known() }}(0, b.wanted - b.shipped)) as reserved_before
    from left_before as b
    group by b.order_document, b.order_line, b.product_id, b.location_id, b.is_later
),

covered as (
    select
        m.order_document,
        m.order_line,
        m.product_id,
        m.location_id,
        m.product_code,
        m.location_code,
        m.channel_code,
        m.reserved_at,
        m.promised_known,
        m.reserved,
        sum(case when m.is_later then 0 else coalesce(s.sellable, 0) - coalesce(r.reserved_before, 0) end)
            as available_then,
        sum(case when m.is_later then coalesce(s.sellable, 0) - coalesce(r.reserved_before, 0) else 0 end)
            as available_later
    from moment as m
    left join stock as s
        on
            m.order_document = s.order_document
            and m.order_line = s.order_line
            and m.product_id = s.product_id
            and m.location_id = s.location_id
            and m.is_later = s.is_later
    left join reserved as r
        on
            m.order_document = r.order_document
            and m.order_line = r.order_line
            and m.product_id = r.product_id
            and m.location_id = r.location_id
            and m.is_later = r.is_later
    group by
        m.order_document, m.order_line, m.product_id, m.location_id, m.product_code, m.location_code, m.channel_code,
        m.reserved_at, m.promised_known, m.reserved
),

judged as (
    select
        c.*,
        case when c.available_then < c.reserved then 'known' else 'hidden' end as oversell_kind,
        case when c.available_then < c.reserved then c.available_then else c.available_later end as available
    from covered as c
    where c.available_then < c.reserved or c.available_later < c.reserved
),

oversell as (
    select
        j.order_document,
        j.order_line,
        k.product_code,
        j.location_code,
        j.channel_code,
        j.reserved_at,
        j.oversell_kind,
        {{ plain('j.reserved') }} as reserved,
        {{ plain('j.available_then') }} as available_then,
        {{ plain('j.available_later') }} as available_later,
        {{ plain('j.reserved - ' ~ greatest_known() ~ '(0, j.available)') }} as short_quantity,
        j.promised_known as known
    from judged as j
    inner join product as k on j.product_id = k.product_id
)

select * from oversell
