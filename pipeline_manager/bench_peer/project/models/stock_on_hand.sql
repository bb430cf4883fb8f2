-- stock_on_hand: what the movements leave at each place.
-- Grain: one row per product and store.   Reads: movement, raw.till_line.
-- Again:  the keys that the latest file touches are summed up anew.
-- depends_on: {{ ref('location') }}
-- depends_on: {{ ref('product') }}
{{ config(
    materialized='incremental', incremental_strategy='merge', unique_key=['product_id', 'location_id'],
    indexes=[{'columns': ['product_id', 'location_id'], 'unique': true}],
) }}

with

{% if is_incremental() %}
touched as (
    select distinct
        product.product_id,
        location.location_id
    from {{ source('raw', 'till_line') }} as till_line
    inner join {{ ref('location') }} as location on till_line.store_id = location.location_code
    inner join {{ ref('product') }} as product on upper(till_line.sku) = product.product_code
),

{% endif %}
stock_on_hand as (
    select
        movement.product_id,
        movement.location_id,
        sum(movement.quantity) as quantity
    from {{ ref('movement') }} as movement
    {% if is_incremental() %}
    inner join touched using (product_id, location_id)  -- noqa: ST07
    {% endif %}
    group by movement.product_id, movement.location_id
)

select * from stock_on_hand
