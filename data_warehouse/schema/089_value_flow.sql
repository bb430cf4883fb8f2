-- What flows in and out of stock, and what it cost: the one reading of the ledger that every way of valuing stock uses.
-- Shadow movements never count; what counts found or missed (shrink) flows as well. Merged codes are one product.

-- standard_cost_version: what a piece costs by decree.
-- Grain: product, location (null: everywhere), rank and valid_from.
-- Of the versions that hold, the lowest rank counts: a cost for the place, a cost for everywhere, the product master.
create or replace view {{ silver }}.standard_cost_version as
with

price as (
    select
        p.product_id,
        p.location_id,
        p.effective_to,
        p.amount,
        p.currency,
        coalesce(p.effective_from, '-infinity') as valid_from,
        row_number() over (
            partition by p.product_id, p.location_id, coalesce(p.effective_from, '-infinity')
            order by p.amount desc, p.currency asc
        ) as place
    from {{ silver }}.fact_price as p
    where p.price_kind = 'cost' and p.known_to is null
),

standard_cost_version as (
    select
        c.product_id,
        c.location_id,
        case when c.location_id is null then 2 else 1 end as rank,
        c.valid_from,
        least(coalesce(c.effective_to, 'infinity'), lead(c.valid_from, 1, 'infinity') over (
            partition by c.product_id, c.location_id
            order by c.valid_from
        )) as valid_to,
        c.amount,
        c.currency
    from price as c
    where c.place = 1
    union all
    select
        d.product_id,
        null as location_id,
        3 as rank,
        d.valid_from,
        d.valid_to,
        d.standard_cost as amount,
        d.currency
    from {{ silver }}.dim_product as d
    where d.standard_cost is not null
)

select * from standard_cost_version;
comment on view {{ silver }}.standard_cost_version is
'Standard costs of one base unit, by place, everywhere (null) and by the product master; the lowest rank counts.';

-- value_flow: the flow of stock in event order, with costs.
-- Grain: product, location and seq: one instant's movements of one account that cost the same; or, with quantity 0,
-- an instant at which the standard cost changed. At an instant a new standard comes first, then what comes in, then
-- what goes out, then what a count found. No record number decides an order, so neither does the order of arrival.
-- unit_cost: of what comes in, what it cost: told by the movement, else by its purchase order line, else the standard
-- cost then, else the cost of what came before, else of what came next, else 0 (cost_source none). Of what goes out,
-- the provisional cost of what was not there: the standard cost then, else the same.
-- currency: the one in which most costs of the key are told. A cost in another currency is not used: there is no dated
-- rate to bring it over.
create or replace view {{ silver }}.value_flow as
with

latest as (
    select
        coalesce(
            (
                select max(f.logical_time) from {{ bronze }}.file as f
                where f.status = 'loaded'
            ),
            (select m.event_time from {{ silver }}.latest_movement as m),
            cast('-infinity' as timestamptz)
        ) as as_of
),

survivor as (
    select
        f.product_id as member_id,
        k.product_id as survivor_id
    from {{ silver }}.product_family as f
    inner join {{ silver }}.product_key as k on f.product_code = k.product_code
    where f.product_id <> k.product_id
),

order_cost as (
    select
        s.order_document,
        s.order_line,
        s.event_time,
        s.currency,
        coalesce(v.survivor_id, s.product_id) as product_id,
        case
            when s.source_quantity = s.quantity or s.quantity = 0 or s.unit_code is null then s.unit_cost
            else coalesce(s.unit_cost * s.source_quantity / s.quantity, s.unit_cost)
        end as unit_cost
    from {{ silver }}.fact_supply as s
    left join survivor as v on s.product_id = v.member_id
    where s.event = 'order' and s.role = 'authority' and s.known_to is null and s.unit_cost >= 0
),

order_line_cost as (
    select distinct on (c.order_document, c.order_line, c.product_id)
        c.order_document,
        c.order_line,
        c.product_id,
        c.unit_cost,
        c.currency
    from order_cost as c
    order by
        c.order_document asc, c.order_line asc, c.product_id asc, c.event_time desc, c.unit_cost asc,
        c.currency asc
),

-- Of a receipt that names no line: the first line of the order that has the product.
order_product_cost as (
    select distinct on (c.order_document, c.product_id)
        c.order_document,
        c.product_id,
        c.unit_cost,
        c.currency
    from order_line_cost as c
    order by c.order_document, c.product_id, c.order_line
),

movement as (
    select
        m.location_id,
        m.event_time,
        m.quantity,
        m.order_document,
        m.order_line,
        m.currency,
        coalesce(v.survivor_id, m.product_id) as product_id,
        m.movement_class = 'receipt' as is_receipt,
        case when m.unit_cost >= 0 and m.quantity > 0 then m.unit_cost end as unit_cost,
        case when m.counter_location_code is null then a.counter_account else a.between_places end as account
    from {{ silver }}.fact_movement as m
    inner join {{ silver }}.movement_account as a on m.movement_class = a.movement_class
    left join survivor as v on m.product_id = v.member_id
    where m.role = 'authority' and m.known_to is null and a.counter_account <> 'shrink'
),

leg as (
    select
        m.product_id,
        m.location_id,
        m.event_time,
        1 as place,
        m.account,
        m.quantity,
        case
            when m.quantity < 0 then null
            when m.unit_cost is not null then m.unit_cost
            else coalesce(l.unit_cost, o.unit_cost)
        end as told_cost,
        case
            when m.quantity < 0 then null
            when m.unit_cost is not null then 'movement'
            when coalesce(l.unit_cost, o.unit_cost) is not null then 'order'
        end as told_by,
        case
            when m.quantity < 0 then null
            when m.unit_cost is not null then m.currency
            when l.unit_cost is not null then l.currency
            else o.currency
        end as told_currency
    from movement as m
    left join order_line_cost as l
        on
            m.is_receipt
            and m.order_document = l.order_document
            and m.order_line = l.order_line
            and m.product_id = l.product_id
    left join order_product_cost as o
        on m.is_receipt and m.order_document = o.order_document and m.product_id = o.product_id
    union all
    select
        coalesce(v.survivor_id, e.product_id) as product_id,
        e.location_id,
        e.event_time,
        2 as place,
        e.account,
        -e.quantity as quantity,
        null as told_cost,
        null as told_by,
        null as told_currency
    from {{ silver }}.account_entry as e
    left join survivor as v on e.product_id = v.member_id
    where e.account = 'shrink' and e.quantity <> 0
),

-- What only changes its state, bin or code within the place does not flow.
netted as (
    select
        g.product_id,
        g.location_id,
        g.event_time,
        g.place,
        g.account,
        g.told_cost,
        g.told_by,
        g.told_currency,
        sum(g.quantity) as quantity
    from leg as g
    group by
        g.product_id, g.location_id, g.event_time, g.place, g.account, g.told_cost, g.told_by, g.told_currency,
        case
            when g.account in ('shrink', 'state_change') then 0
            when g.account = 'transit' and g.told_cost is null then 0
            else sign(g.quantity)
        end
    having sum(g.quantity) <> 0
),

begun as (
    select
        e.product_id,
        e.location_id,
        min(e.event_time) as first_at
    from netted as e
    group by e.product_id, e.location_id
),

standard as materialized (
    select * from {{ silver }}.standard_cost_version
),

moment as (
    select * from netted
    union all
    select distinct
        b.product_id,
        b.location_id,
        s.valid_from as event_time,
        0 as place,
        'revaluation' as account,
        cast(null as numeric) as told_cost,
        null as told_by,
        null as told_currency,
        0 as quantity
    from begun as b
    cross join latest as n
    inner join standard as s
        on
            b.product_id = s.product_id
            and (s.location_id is null or b.location_id = s.location_id)
            and b.first_at < s.valid_from
            and n.as_of >= s.valid_from
),

costed as (
    select
        m.*,
        case
            when s1.amount is not null then s1.amount
            when s2.amount is not null then s2.amount
            else s3.amount
        end as standard_cost,
        case
            when s1.amount is not null then s1.currency
            when s2.amount is not null then s2.currency
            else s3.currency
        end as standard_currency
    from moment as m
    left join standard as s1
        on
            s1.rank = 1
            and m.product_id = s1.product_id
            and m.location_id = s1.location_id
            and m.event_time >= s1.valid_from
            and m.event_time < s1.valid_to
    left join standard as s2
        on
            s2.rank = 2
            and m.product_id = s2.product_id
            and m.event_time >= s2.valid_from
            and m.event_time < s2.valid_to
    left join standard as s3
        on
            s3.rank = 3
            and m.product_id = s3.product_id
            and m.event_time >= s3.valid_from
            and m.event_time < s3.valid_to
),

house as (
    select
        d.location_id,
        max(d.currency) as currency
    from {{ silver }}.dim_location as d
    where d.valid_to = 'infinity'
    group by d.location_id
),

priced as (
    select
        c.product_id,
        c.location_id,
        coalesce(
            mode() within group (order by c.told_currency),
            mode() within group (order by c.standard_currency),
            max(h.currency),
            ''
        ) as currency
    from costed as c
    left join house as h on c.location_id = h.location_id
    group by c.product_id, c.location_id
),

chosen as (
    select
        c.product_id,
        c.location_id,
        c.event_time,
        c.place,
        c.account,
        c.quantity,
        p.currency,
        c.told_by,
        case when coalesce(c.standard_currency, p.currency) = p.currency then c.standard_cost end as standard_cost,
        case when coalesce(c.told_currency, p.currency) = p.currency then c.told_cost end as told_cost
    from costed as c
    inner join priced as p on c.product_id = p.product_id and c.location_id = p.location_id
),

numbered as (
    select
        c.*,
        coalesce(c.told_cost, c.standard_cost) as known_cost,
        row_number() over (
            partition by c.product_id, c.location_id
            order by c.event_time, c.place, c.quantity < 0, c.account, c.told_cost, c.told_by, c.quantity
        ) as seq
    from chosen as c
),

-- The greatest pair of number and cost is the latest cost, the least one to come the next.
neighboured as (
    select
        u.*,
        max(array[u.seq, u.known_cost]) filter (where u.known_cost is not null and u.quantity > 0) over (
            partition by u.product_id, u.location_id
            order by u.seq
        ) as before,
        min(array[u.seq, u.known_cost]) filter (where u.known_cost is not null and u.quantity > 0) over (
            partition by u.product_id, u.location_id
            order by u.seq
            rows between current row and unbounded following
        ) as after
    from numbered as u
),

value_flow as (
    select
        b.product_id,
        b.location_id,
        b.seq,
        b.event_time,
        b.account,
        b.quantity,
        b.standard_cost,
        b.currency,
        coalesce(b.known_cost, b.before[2], b.after[2], 0) as unit_cost,
        case
            when b.told_cost is not null then b.told_by
            when b.standard_cost is not null then 'standard'
            when b.before is not null then 'before'
            when b.after is not null then 'after'
            else 'none'
        end as cost_source
    from neighboured as b
)

select * from value_flow;
comment on view {{ silver }}.value_flow is
'What flowed in and out of stock, in event order, with what it cost and where that is known from.';
