-- product: a number for every product code.
-- Grain: one row per product code.   Reads: raw.till_line.   Used by: sale_line.
-- Again:  codes that are known keep their number.
{{ config(materialized='incremental', indexes=[{'columns': ['product_code'], 'unique': true}]) }}

with

codes as (
    select distinct upper(sku) as product_code from {{ source('raw', 'till_line') }}
),

product as (
    select
        product_code,
        row_number() over (order by product_code)
        {% if is_incremental() %} + (select coalesce(max(old.product_id), 0) from {{ this }} as old) {% endif %}
            as product_id
    from codes
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as known where known.product_code = codes.product_code)  -- noqa: LT14
    {% endif %}
)

select
    product_code,
    cast(product_id as integer) as product_id
from product
