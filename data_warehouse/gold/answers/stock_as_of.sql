-- stock_as_of: what gold.stock_as_of() answers for each promise that may not have been covered.
-- Grain: one row per instant, load, product, location, state, bin and lot.
-- On Snowflake gold reads this as the table stock_as_of of the gold schema.
with

moment as (
    select * from {{ ref('promise_moment') }}
),

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

asked as (
    select distinct
        m.reserved_at as at_time,
        m.known as at_known,
        p.product_code,
        m.location_code
    from moment as m
    inner join family as f on m.product_code = f.product_code
    inner join product as p on f.product_id = p.product_id
),

stock_as_of as (
    select
        a.at_time,
        a.at_known,
        s.product_code,
        s.location_code,
        s.state,
        s.bin_code,
        s.lot_code,
        s.quantity
    from asked as a
    {{ join_stock_as_of('a.at_time', 'a.at_known', 'a.product_code', 'a.location_code') }}
)

select * from stock_as_of
