{# What PostgreSQL's functions answer. On Snowflake there are no such functions: the load ships their answers as tables
   of the same names in the gold schema. The questions are in answers/, one a table. #}

{# The answer of a function that depends on one instant, the latest that is known. #}
{% macro answer(function, at) -%}
    {{ adapter.dispatch('answer')(function, at) }}
{%- endmacro %}

{% macro postgres__answer(function, at) -%}
    lateral {{ var('gold_schema') }}.{{ function }}({{ at }})
{%- endmacro %}

{% macro snowflake__answer(function, at) -%}
    {{ var('gold_schema') }}.{{ function }}
{%- endmacro %}

{# What each count of a relation's products, each at its location, found, less what the ledger said just before it. #}
{% macro variance_of_counts(relation) -%}
    {{ adapter.dispatch('variance_of_counts')(relation) }}
{%- endmacro %}

{% macro postgres__variance_of_counts(relation) -%}
    select v.*
    from (
        select
            array_agg(d.product_code) as product_codes,
            array_agg(d.location_code) as location_codes
        from (select distinct u.product_code, u.location_code from {{ relation }} as u) as d
    ) as w
    cross join lateral {{ var('gold_schema') }}.count_variance(w.product_codes, w.location_codes) as v
{%- endmacro %}

{% macro snowflake__variance_of_counts(relation) -%}
    select v.* from {{ var('gold_schema') }}.count_variance as v
{%- endmacro %}

{# Joins, as s, what stood at an instant over what was known at a load. #}
{% macro join_stock_as_of(at_time, at_known, product, location) -%}
    {{ adapter.dispatch('join_stock_as_of')(at_time, at_known, product, location) }}
{%- endmacro %}

{% macro postgres__join_stock_as_of(at_time, at_known, product, location) -%}
    cross join
        lateral {{ var('gold_schema') }}.stock_as_of({{ at_time }}, {{ at_known }}, {{ product }}, {{ location }}) as s
{%- endmacro %}

{% macro snowflake__join_stock_as_of(at_time, at_known, product, location) -%}
    inner join {{ var('gold_schema') }}.stock_as_of as s
        on
            {{ at_time }} = s.at_time
            and {{ at_known }} = s.at_known
            and {{ product }} = s.product_code
            and {{ location }} = s.location_code
{%- endmacro %}

{# A flow of value added up by product and location: what is there, its moving average value, its last standard cost. #}
{% macro flow_summed(flow) -%}
    {{ adapter.dispatch('flow_summed')(flow) }}
{%- endmacro %}

{% macro postgres__flow_summed(flow) -%}
    select
        product_id,
        location_id,
        max(currency) as currency,
        sum(quantity) as on_hand,
        -- {quantity, value, what the last receipt trued up}
        ({{ var('silver_schema') }}.moving_average(quantity, unit_cost order by seq))[2] as moving_average_value,
        (array_agg(standard_cost order by seq desc))[1] as standard_cost
    from {{ flow }}
    group by product_id, location_id
{%- endmacro %}

{# The changes of a value add up to it. #}
{% macro snowflake__flow_summed(flow) -%}
    select
        f.product_id,
        f.location_id,
        max(f.currency) as currency,
        sum(f.quantity) as on_hand,
        coalesce(max(e.value), 0) as moving_average_value,
        max(case when f.newness = 1 then f.standard_cost end) as standard_cost
    from (
        select
            w.*,
            row_number() over (partition by w.product_id, w.location_id order by w.seq desc) as newness
        from {{ flow }} as w
    ) as f
    left join (
        select
            v.product_id,
            v.location_id,
            sum(v.value) as value
        from {{ source('silver', 'value_entry') }} as v
        where v.method = 'moving_average'
        group by v.product_id, v.location_id
    ) as e on f.product_id = e.product_id and f.location_id = e.location_id
    group by f.product_id, f.location_id
{%- endmacro %}

{# The days of a relation (product_code, location_code, sellable) by product and place: how many there are, and what
   days_below() wants of them. #}
{% macro list_days(days, keys) -%}
    {{ adapter.dispatch('list_days')(days, keys) }}
{%- endmacro %}

{% macro postgres__list_days(days, keys) -%}
    select
        product_code,
        location_code,
        count(*) as sealed_days,
        array_agg(sellable) as sellable_by_day
    from {{ days }}
    group by product_code, location_code
{%- endmacro %}

{% macro snowflake__list_days(days, keys) -%}
    select
        d.product_code,
        d.location_code,
        count(*) as sealed_days,
        sum(case when {{ greatest_known() }}(0, d.sellable) < k.configured then 1 else 0 end) as days_below
    from {{ days }} as d
    inner join {{ keys }} as k on d.product_code = k.product_code and d.location_code = k.location_code
    group by d.product_code, d.location_code
{%- endmacro %}

{# On how many of those days less was sellable than a level, which is the keys' `configured`. #}
{% macro days_below(alias, level) -%}
    {{ adapter.dispatch('days_below')(alias, level) }}
{%- endmacro %}

{% macro postgres__days_below(alias, level) -%}
    (select count(*) from unnest({{ alias }}.sellable_by_day) as s (n) where greatest(0, s.n) < {{ level }})
{%- endmacro %}

{% macro snowflake__days_below(alias, level) -%}
    coalesce({{ alias }}.days_below, 0)
{%- endmacro %}
