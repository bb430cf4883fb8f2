-- product_history: every version of each product's description (type 2).
-- Grain: one row per product code and version; valid_from <= t < valid_to, without gaps.
-- Reads: silver.dim_product.   Used by: product, reports as of a day.
with

dim as (
    select * from {{ source('silver', 'dim_product') }}
),

product_history as (
    select
        product_code,
        valid_from,
        valid_to,
        product_name,
        category_code,
        base_unit,
        gtin,
        is_stocked,
        is_discontinued,
        {{ plain('standard_cost') }} as standard_cost,
        {{ plain('list_price') }} as list_price,
        currency,
        {{ plain('safety_stock') }} as safety_stock,
        {{ plain('reorder_point') }} as reorder_point,
        is_created
    from dim
)

select * from product_history
