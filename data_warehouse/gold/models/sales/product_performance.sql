-- product_performance: what each product sold, earned, and how well its stock was used.
-- Units and money are of the trailing 365 full days. The three sell-throughs, named apart because the market means all
-- of them, are of the sealed days: from the end of the first to the end of the last. Turns and GMROI are the year's
-- cost of goods and margin over the mean of the sealed days' stock at standard cost.
-- Grain: one row per product and currency sold in the trailing 365 days.
-- Reads: sale_year, stock_period, silver.standard_cost_version, latest_instant.   Used by: buyers, dashboards.
with

sale as (
    select * from {{ ref('sale_year') }}
),

period as (
    select * from {{ ref('stock_period') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

-- What a piece costs today, wherever it stands.
standard as (
    select
        c.*,
        row_number() over (partition by c.product_id order by c.rank) as place
    from {{ source('silver', 'standard_cost_version') }} as c
    inner join latest as n on c.valid_from <= n.as_of and c.valid_to > n.as_of
    where c.location_id is null
),

item as (
    select
        k.product_code,
        s.amount as standard_cost,
        s.currency
    from standard as s
    inner join {{ source('silver', 'product_key') }} as k on s.product_id = k.product_id
    where s.place = 1
),

summed as (
    select
        product_code,
        currency,
        first_day,
        last_day,
        sum(quantity_sold) as quantity_sold,
        sum(quantity_returned) as quantity_returned,
        sum(net_amount) as net_amount,
        case when sum(uncosted) = 0 then sum(cost_amount) end as cost_amount,
        sum(line_count) as line_count
    from sale
    group by product_code, currency, first_day, last_day
),

product_performance as (
    select
        s.product_code,
        s.currency,
        s.first_day,
        s.last_day,
        {{ plain('s.quantity_sold') }} as quantity_sold,
        {{ plain('s.quantity_returned') }} as quantity_returned,
        {{ plain('s.quantity_sold - s.quantity_returned') }} as quantity,
        {{ plain('s.net_amount') }} as net_amount,
        {{ plain('s.cost_amount') }} as cost_amount,
        {{ plain('s.net_amount - s.cost_amount') }} as margin,
        {{ plain('round(100 * (s.net_amount - s.cost_amount) / nullif(s.net_amount, 0), 2)') }} as margin_percent,
        cast(s.line_count as bigint) as line_count,
        p.first_day as stock_first_day,
        p.last_day as stock_last_day,
        coalesce(p.sealed_days, 0) as sealed_days,
        case
            when p.start_quantity + p.received + p.transferred > 0
                then {{ plain('round(p.sold / (p.start_quantity + p.received + p.transferred), 6)') }}
        end as sell_through,
        case when p.received > 0 then {{ plain('round(p.sold / p.received, 6)') }} end as sell_through_of_received,
        case when p.sold + p.end_quantity > 0 then {{ plain('round(p.sold / (p.sold + p.end_quantity), 6)') }} end
            as sell_through_of_sold_and_left,
        {{ plain('round(p.mean_quantity, 6)') }} as mean_stock,
        case
            when p.mean_quantity * i.standard_cost > 0 and i.currency = s.currency
                then {{ plain('round(s.cost_amount / (p.mean_quantity * i.standard_cost), 6)') }}
        end as turns,
        case
            when p.mean_quantity * i.standard_cost > 0 and i.currency = s.currency
                then {{ plain('round((s.net_amount - s.cost_amount) / (p.mean_quantity * i.standard_cost), 6)') }}
        end as gmroi
    from summed as s
    left join period as p on s.product_code = p.product_code
    left join item as i on s.product_code = i.product_code
)

select * from product_performance
