{{ config(materialized='ephemeral') }}
-- best_offer: whom to buy a product from: of the suppliers who ask money of the product's own currency, else of any,
-- the cheapest; then the quickest; then the least code. Offers without a price come last.
-- Grain: one row per product that anybody offers.
-- Reads: offer, product_survivor, silver.dim_product.   Used by: planning_key.
with

told as (
    select * from {{ ref('offer') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

item as (
    select
        product_code,
        currency,
        base_unit
    from {{ source('silver', 'dim_product') }}
    where valid_to = {{ forever() }}
),

named as (
    select
        t.*,
        coalesce(v.survivor_code, t.product_code) as own_code
    from told as t
    left join survivor as v on t.product_code = v.product_code
),

ranked as (
    select
        n.*,
        row_number() over (
            partition by n.own_code
            order by
                case when n.unit_cost is null then 1 else 0 end asc,
                case when n.currency = i.currency then 0 else 1 end asc,
                case when coalesce(n.unit_code, i.base_unit) = i.base_unit then 0 else 1 end asc,
                n.currency asc,
                n.unit_cost asc,
                n.lead_time_days asc nulls last,
                n.supplier_code asc,
                n.product_code asc
        ) as place
    from named as n
    left join item as i on n.own_code = i.product_code
),

best_offer as (
    select
        own_code as product_code,
        supplier_code,
        unit_cost,
        unit_code,
        currency,
        lead_time_days,
        minimum_quantity,
        pack_quantity
    from ranked
    where place = 1
)

select * from best_offer
