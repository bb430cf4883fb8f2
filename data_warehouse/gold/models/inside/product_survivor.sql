{{ config(materialized='ephemeral') }}
-- product_survivor: which code each merged code means at the latest instant known, whatever lies between them.
-- Grain: one row per product code that is merged into another.
-- Reads: silver.product_merge, latest_instant.   Used by: stock_on_hand, stock_on_hand_detail, product.
with

merged as (
    select * from {{ source('silver', 'product_merge') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

ranked as (
    select
        m.member_code,
        m.survivor_code,
        row_number() over (
            partition by m.member_code
            order by m.steps desc, m.survivor_code asc
        ) as place
    from merged as m
    cross join latest as n
    where m.valid_from <= n.as_of and m.valid_to > n.as_of
),

product_survivor as (
    select
        member_code as product_code,
        survivor_code
    from ranked
    where place = 1
)

select * from product_survivor
