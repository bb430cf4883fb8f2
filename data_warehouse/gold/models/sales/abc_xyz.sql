-- abc_xyz: which products bring the money, and which sell evenly.
-- ABC: trailing 365-day value, descending, tie by code; A while the cumulative share before the item is under 80 %, B
-- under 95 %, else C; without value Z. XYZ: the deviation of what is sold a week over its mean, over the trailing 52
-- weeks from the first sale in them: X up to 0.5, Y up to 1, else Z; null with fewer than two weeks.
-- Grain: one row per product and currency sold in the trailing 365 days; stocked products not sold have one row.
-- Reads: sale_year, silver.dim_product, product_survivor.   Used by: buyers, count_list.
with

sale as (
    select * from {{ ref('sale_year') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

item as (
    select
        product_code,
        currency
    from {{ source('silver', 'dim_product') }}
    where valid_to = {{ forever() }} and is_stocked
),

sold as (
    select distinct product_code from sale
),

valued as (
    select
        product_code,
        currency,
        sum(net_amount) as net_amount
    from sale
    group by product_code, currency
    union all
    select
        i.product_code,
        i.currency,
        0 as net_amount
    from item as i
    left join sold as s on i.product_code = s.product_code
    left join survivor as v on i.product_code = v.product_code
    where s.product_code is null and v.product_code is null
),

ranked as (
    select
        product_code,
        currency,
        net_amount,
        {{ greatest_known() }}(0, net_amount) as worth,
        sum({{ greatest_known() }}(0, net_amount)) over (
            partition by currency
            order by net_amount desc, product_code asc
            rows between unbounded preceding and current row
        ) - {{ greatest_known() }}(0, net_amount) as worth_before,
        sum({{ greatest_known() }}(0, net_amount)) over (partition by currency) as worth_of_all
    from valued
),

by_week as (
    select
        product_code,
        weeks_ago,
        sum(quantity_sold) as quantity
    from sale
    where weeks_ago < 52
    group by product_code, weeks_ago
),

-- A week without a sale is a week of zero: it adds to the number of weeks and to nothing else.
weekly as (
    select
        product_code,
        max(weeks_ago) + 1 as weeks,
        sum(quantity) as quantity,
        sum(quantity * quantity) as squares
    from by_week
    where quantity > 0
    group by product_code
),

varied as (
    select
        product_code,
        weeks,
        round(quantity / weeks, 6) as mean_weekly,
        case
            when weeks > 1
                then round(sqrt((squares * weeks - quantity * quantity) / (weeks * (weeks - 1))) * weeks / quantity, 6)
        end as weekly_variation
    from weekly
),

abc_xyz as (
    select
        r.product_code,
        r.currency,
        {{ plain('r.net_amount') }} as net_amount,
        {{ plain('round(r.worth / nullif(r.worth_of_all, 0), 6)') }} as value_share,
        {{ plain('round(r.worth_before / nullif(r.worth_of_all, 0), 6)') }} as value_share_before,
        case
            when r.worth = 0 then 'Z'
            when r.worth_before < 0.80 * r.worth_of_all then 'A'
            when r.worth_before < 0.95 * r.worth_of_all then 'B'
            else 'C'
        end as abc,
        coalesce(w.weeks, 0) as weeks,
        {{ plain('w.mean_weekly') }} as mean_weekly,
        {{ plain('w.weekly_variation') }} as weekly_variation,
        case
            when w.weekly_variation <= 0.5 then 'X'
            when w.weekly_variation <= 1 then 'Y'
            when w.weekly_variation > 1 then 'Z'
        end as xyz
    from ranked as r
    left join varied as w on r.product_code = w.product_code
)

select * from abc_xyz
