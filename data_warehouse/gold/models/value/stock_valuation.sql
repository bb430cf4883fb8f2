-- stock_valuation: what the stock is worth by FIFO, by moving average and at standard cost.
-- Grain: one row per product and location that ever held anything; all in one currency, the one in which most of its
-- costs are told. No stock, no value; below zero, a provisional value that the next receipt trues up. Where each cost
-- comes from is written where it is chosen: silver.value_flow. The changes that add up to each value are in
-- stock_value_change. Merged codes are one product.
-- Reads: silver.value_flow, silver.fifo_layer, latest_instant.   Used by: the balance sheet, turns, GMROI.
with

flow as (
    select * from {{ source('silver', 'value_flow') }}
),

fifo_layer as (
    select * from {{ source('silver', 'fifo_layer') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

valued as (
    {{ flow_summed('flow') }}
),

layered as (
    select
        product_id,
        location_id,
        sum(value) as fifo_value,
        sum(case when quantity < 0 then quantity else 0 end) as provisional_quantity,
        sum(case when cost_source = 'none' then quantity else 0 end) as uncosted_quantity,
        {{ listed('cost_source', distinct=true) }} as cost_sources
    from fifo_layer
    group by product_id, location_id
),

stock_valuation as (
    select
        p.product_code,
        l.location_code,
        v.currency,
        {{ plain('v.on_hand') }} as on_hand,
        {{ plain('coalesce(y.fifo_value, 0)') }} as fifo_value,
        {{ plain('v.moving_average_value') }} as moving_average_value,
        {{ plain('v.on_hand * v.standard_cost') }} as standard_value,
        {{ plain('coalesce(y.provisional_quantity, 0)') }} as provisional_quantity,
        {{ plain('coalesce(y.uncosted_quantity, 0)') }} as uncosted_quantity,
        coalesce(y.cost_sources, '') as cost_sources,
        n.as_of
    from valued as v
    cross join latest as n
    inner join product as p on v.product_id = p.product_id
    inner join location as l on v.location_id = l.location_id
    left join layered as y on v.product_id = y.product_id and v.location_id = y.location_id
)

select * from stock_valuation
