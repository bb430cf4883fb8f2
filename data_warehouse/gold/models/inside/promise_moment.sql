{{ config(materialized='ephemeral') }}
-- promise_moment: the promises that may not have been covered, at the instant of each: over what was known at the load
-- that brought it, and over all that is known now (is_later). Hard reservations that did not leave in full: what left
-- in full was covered, whatever the records said.
-- Grain: two rows per line of a customer's order.
-- Reads: silver.demand_line, silver.fact_demand, product_family, ops.batch.   Used by: oversell, answers/stock_as_of.
with

family as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

fact_demand as (
    select * from {{ source('silver', 'fact_demand') }}
    where role = 'authority'
),

now_known as (
    select coalesce(max(known), 0) as known from {{ source('ops', 'batch') }}
),

unmet as (
    select * from {{ source('silver', 'demand_line') }}
    where
        not is_soft
        and reserved > 0
        and shipped < reserved
        and reserved_at is not null
        and coalesce(channel_code, '') <> 'transfer'
),

promised as (
    select
        u.order_document,
        u.order_line,
        u.product_id,
        u.location_id,
        u.channel_code,
        u.reserved,
        u.reserved_at,
        f.product_code,
        l.location_code,
        min(d.known_from) as promised_known
    from unmet as u
    inner join family as f on u.product_id = f.product_id
    inner join location as l on u.location_id = l.location_id
    inner join fact_demand as d
        on
            u.order_document = d.order_document
            and u.order_line = d.order_line
            and u.product_id = d.product_id
            and u.location_id = d.location_id
    where d.event = 'reserve'
    group by
        u.order_document, u.order_line, u.product_id, u.location_id, u.channel_code, u.reserved, u.reserved_at,
        f.product_code, l.location_code
),

promise_moment as (
    select
        p.*,
        k.is_later,
        case when k.is_later then n.known else p.promised_known end as known
    from promised as p
    cross join now_known as n
    cross join (values (false), (true)) as k (is_later)
)

select * from promise_moment
