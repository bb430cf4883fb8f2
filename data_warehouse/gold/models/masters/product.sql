-- product: each product as it is described at the latest instant known.
-- Grain: one row per product code.
-- Reads: product_history, latest_instant, product_survivor.   Used by: every report that names products.
with

history as (
    select * from {{ ref('product_history') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

product as (
    select
        h.product_code,
        h.product_name,
        h.category_code,
        h.base_unit,
        h.gtin,
        h.is_stocked,
        h.is_discontinued,
        h.standard_cost,
        h.list_price,
        h.currency,
        h.safety_stock,
        h.reorder_point,
        h.is_created,
        v.survivor_code as merged_into
    from history as h
    cross join latest as n
    left join survivor as v on h.product_code = v.product_code
    where h.valid_from <= n.as_of and h.valid_to > n.as_of
)

select * from product
