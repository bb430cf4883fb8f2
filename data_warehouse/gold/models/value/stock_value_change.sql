-- stock_value_change: every change of the value of stock, by FIFO, moving average and standard cost, in event order.
-- Grain: one row per product, location, seq, method and kind. What one account moved at one instant at one cost is one
-- movement. A receipt that takes the place of stock below zero has a true_up beside it: what the provisional cost was
-- wrong by. A new standard cost is a revaluation. The values add up to stock_valuation, exactly.
-- Reads: silver.value_entry.   Used by: the books, product_performance, people who ask why a value moved.
with

entry as (
    select * from {{ source('silver', 'value_entry') }}
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

stock_value_change as (
    select
        p.product_code,
        l.location_code,
        e.method,
        e.seq,
        e.kind,
        e.event_time,
        e.account as counter_account,
        e.currency,
        {{ plain('e.quantity') }} as quantity,
        {{ plain('e.value') }} as value_change,
        case when e.kind = 'movement' and e.quantity > 0 and e.method <> 'standard' then e.cost_source end
            as cost_source
    from entry as e
    inner join product as p on e.product_id = p.product_id
    inner join location as l on e.location_id = l.location_id
)

select * from stock_value_change
