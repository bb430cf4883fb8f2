{{ config(materialized='ephemeral') }}
-- stock_period: what stood of each product over the sealed days: at the end of the first and the last and on the mean,
-- and what came in between.
-- Grain: one row per product in the sealed snapshots.
-- Reads: the sealed snapshots, silver.fact_movement, fact_sale, dim_location.   Used by: product_performance.
with

family as (
    select * from {{ ref('product_family') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

setting as (
    select coalesce(max(value), 'UTC') as usual_zone from {{ source('ops', 'setting') }}
    where name = 'zone'
),

place as (
    select
        l.location_id,
        coalesce(d.zone, g.usual_zone) as own_zone,
        coalesce(d.day_close_minutes, 0) as close_minutes
    from {{ source('silver', 'location_key') }} as l
    cross join setting as g
    left join {{ source('silver', 'dim_location') }} as d
        on l.location_code = d.location_code and d.valid_to = {{ forever() }}
),

sealed as (
    select
        s.snapshot_id,
        s.business_date,
        min(s.business_date) over () as first_day,
        max(s.business_date) over () as last_day,
        count(*) over () as sealed_days
    from {{ var('gold_schema') }}.snapshot as s
    where
        s.kind = 'stock'
        and not exists (
            select 1 from {{ var('gold_schema') }}.snapshot as n
            where n.kind = s.kind and n.business_date = s.business_date and n.version > s.version
        )
),

stood as (
    select
        coalesce(v.survivor_code, s.product_code) as product_code,
        d.first_day,
        d.last_day,
        d.sealed_days,
        sum(case when d.business_date = d.first_day then s.quantity else 0 end) as start_quantity,
        sum(case when d.business_date = d.last_day then s.quantity else 0 end) as end_quantity,
        sum(s.quantity) / d.sealed_days as mean_quantity
    from sealed as d
    inner join {{ var('gold_schema') }}.stock_snapshot as s on d.snapshot_id = s.snapshot_id
    left join survivor as v on s.product_code = v.product_code
    group by coalesce(v.survivor_code, s.product_code), d.first_day, d.last_day, d.sealed_days
),

span as (
    select
        min(first_day) as first_day,
        min(last_day) as last_day
    from sealed
),

came as (
    select
        f.product_code,
        sum(case when m.movement_class = 'receipt' and m.counter_location_code is null then m.quantity else 0 end)
            as received,
        sum(
            case
                when m.movement_class in ('transfer_in', 'transfer_out') then m.quantity
                when m.movement_class in ('receipt', 'shipment') and m.counter_location_code is not null then m.quantity
                else 0
            end
        ) as transferred
    from {{ source('silver', 'fact_movement') }} as m
    inner join place as p on m.location_id = p.location_id
    inner join family as f on m.product_id = f.product_id
    inner join span as d
        on
            cast({{ local(minutes_before('m.event_time', 'p.close_minutes'), 'p.own_zone') }} as date)
            between {{ day_later('d.first_day', 1) }} and d.last_day
    where
        m.known_to is null
        and m.role = 'authority'
        and m.movement_class in ('receipt', 'shipment', 'transfer_in', 'transfer_out')
    group by f.product_code
),

sold as (
    select
        f.product_code,
        sum(s.quantity) as sold
    from {{ source('silver', 'fact_sale') }} as s
    inner join family as f on s.product_id = f.product_id
    inner join span as d on s.business_date > d.first_day and s.business_date <= d.last_day
    where s.known_to is null and s.role = 'authority' and s.kind in ('sale', 'return')
    group by f.product_code
),

stock_period as (
    select
        t.product_code,
        t.first_day,
        t.last_day,
        t.sealed_days,
        t.start_quantity,
        t.end_quantity,
        t.mean_quantity,
        coalesce(c.received, 0) as received,
        coalesce(c.transferred, 0) as transferred,
        coalesce(s.sold, 0) as sold
    from stood as t
    left join came as c on t.product_code = c.product_code
    left join sold as s on t.product_code = s.product_code
)

select * from stock_period
