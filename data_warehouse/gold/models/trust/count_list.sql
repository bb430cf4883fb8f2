-- count_list: what to count next, and why.
-- Grain: one row per product and location in stock, or whose record is below zero. A count is worth what a wrong record
-- may cost: (1 - probability_right) times what rests on it, which is the demand of the coming four weeks, at least the
-- tolerance, at list price (else at standard cost). Ranked within a place and currency; what has no price comes last,
-- by pieces; ties by code.
-- Reads: record_trust, product, silver.demand_rate.   Used by: people who count.
with

trust as (
    select * from {{ ref('record_trust') }}
    where on_hand <> 0 or is_negative
),

product as (
    select * from {{ ref('product') }}
),

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

staked as (
    select
        t.*,
        coalesce(p.currency, '') as currency,
        coalesce(p.list_price, p.standard_cost) as unit_value,
        {{ exact(
            '(1 - t.probability_right) * ' ~ greatest_known() ~ '(coalesce(r.mean_daily, 0) * 28, t.tolerance)'
        ) }} as pieces_at_stake
    from trust as t
    left join product as p on t.product_code = p.product_code
    left join rate as r on t.product_code = r.product_code and t.location_code = r.location_code
    where coalesce(p.is_stocked, true)
),

count_list as (
    select
        location_code,
        currency,
        row_number() over (
            partition by location_code, currency
            order by
                pieces_at_stake * unit_value desc nulls last, pieces_at_stake desc, product_code asc
        ) as count_rank,
        product_code,
        on_hand,
        probability_right,
        {{ plain('round(pieces_at_stake, 4)') }} as pieces_at_stake,
        {{ plain('round(pieces_at_stake * unit_value, 4)') }} as count_value,
        case
            when is_negative then 'The record is below zero.'
            when not is_anchored then 'It was never counted.'
            when disputed_quantity > tolerance then 'Another feed tells otherwise.'
            when quiet_chance < 0.05
                then 'Nothing was sold for ' || {{ as_text('quiet_days') }} || ' days, though it sells.'
            else
                'The last count is ' || {{ as_text('round(days_since_count)') }} || ' days and '
                || movements_since_count || ' movements old.'
        end as sentence
    from staked
)

select * from count_list
