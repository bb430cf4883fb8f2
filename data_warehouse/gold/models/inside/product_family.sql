{{ config(materialized='ephemeral') }}
-- product_family: which codes' stock and orders count as a product's own: its own and those merged into it.
-- Grain: one row per product code that was ever told of.
-- Reads: silver.product_family.   Used by: views that speak of products as they are now.
with

product_family as (
    select
        product_code,
        product_id
    from {{ source('silver', 'product_family') }}
)

select * from product_family
