{# Numbers, truth and rows, where PostgreSQL and Snowflake differ; time is in time.sql, text in text.sql. #}

{# A number without idle zeros: 12 and not 12.000000000. Snowflake shows 12 decimals; there, it is made
   exact again, for roots and powers are not. #}
{% macro plain(expression) -%}
    {{ adapter.dispatch('plain')(expression) }}
{%- endmacro %}

{% macro postgres__plain(expression) -%}
    trim_scale({{ expression }})
{%- endmacro %}

{% macro snowflake__plain(expression) -%}
    cast({{ expression }} as number(38, 12))
{%- endmacro %}

{# As an exact number with decimals, whatever it was; Snowflake's bare `numeric` has none. #}
{% macro exact(expression) -%}
    {{ adapter.dispatch('exact')(expression) }}
{%- endmacro %}

{% macro postgres__exact(expression) -%}
    cast({{ expression }} as numeric)
{%- endmacro %}

{% macro snowflake__exact(expression) -%}
    cast({{ expression }} as number(38, 12))
{%- endmacro %}

{# How many times a whole number goes into another; neither is below zero. Snowflake divides to decimals. #}
{% macro whole_part(dividend, divisor) -%}
    {{ adapter.dispatch('whole_part')(dividend, divisor) }}
{%- endmacro %}

{% macro postgres__whole_part(dividend, divisor) -%}
    {{ dividend }} / {{ divisor }}
{%- endmacro %}

{% macro snowflake__whole_part(dividend, divisor) -%}
    cast(floor({{ dividend }} / {{ divisor }}) as number(38, 0))
{%- endmacro %}

{# The function that gives the greatest of what is known: nulls are passed over. #}
{% macro greatest_known() -%}
    {{ adapter.dispatch('greatest_known')() }}
{%- endmacro %}

{% macro postgres__greatest_known() -%}
    greatest
{%- endmacro %}

{% macro snowflake__greatest_known() -%}
    greatest_ignore_nulls
{%- endmacro %}

{# The function that gives the least of what is known: nulls are passed over. #}
{% macro least_known() -%}
    {{ adapter.dispatch('least_known')() }}
{%- endmacro %}

{% macro postgres__least_known() -%}
    least
{%- endmacro %}

{% macro snowflake__least_known() -%}
    least_ignore_nulls
{%- endmacro %}

{# Whether a condition holds for every row; rows for which it is null are passed over. #}
{% macro all_true(condition) -%}
    {{ adapter.dispatch('all_true')(condition) }}
{%- endmacro %}

{% macro postgres__all_true(condition) -%}
    bool_and({{ condition }})
{%- endmacro %}

{% macro snowflake__all_true(condition) -%}
    booland_agg({{ condition }})
{%- endmacro %}

{# Whether a condition holds for any row; rows for which it is null are passed over. #}
{% macro any_true(condition) -%}
    {{ adapter.dispatch('any_true')(condition) }}
{%- endmacro %}

{% macro postgres__any_true(condition) -%}
    bool_or({{ condition }})
{%- endmacro %}

{% macro snowflake__any_true(condition) -%}
    boolor_agg({{ condition }})
{%- endmacro %}

{# Written after the `as` of a CTE: its rows are found before those that it is joined with. #}
{% macro found_first() -%}
    {{ adapter.dispatch('found_first')() }}
{%- endmacro %}

{% macro postgres__found_first() -%}
    materialized
{%- endmacro %}

{% macro snowflake__found_first() -%}
{%- endmacro %}

{# Whether a row is among those of a query. PostgreSQL looks it up in a hash of them: as a plain `in` it would be a join
   whose size nobody can foretell, and all rows would be sorted for it. #}
{% macro is_among(row, query) -%}
    {{ adapter.dispatch('is_among')(row, query) }}
{%- endmacro %}

{% macro postgres__is_among(row, query) -%}
    (({{ row }}) in ({{ query }})) is true
{%- endmacro %}

{% macro snowflake__is_among(row, query) -%}
    ({{ row }}) in ({{ query }})
{%- endmacro %}

{# A name that is a reserved word. #}
{% macro reserved(name) -%}
    {{ adapter.dispatch('reserved')(name) }}
{%- endmacro %}

{% macro postgres__reserved(name) -%}
    "{{ name }}"
{%- endmacro %}

{% macro snowflake__reserved(name) -%}
    "{{ name | upper }}"
{%- endmacro %}
