{# The few things that engines spell differently. Everything else is written in what they have in common. #}

{# A number without idle zeros: 12 and not 12.000000000. #}
{% macro plain(expression) -%}
    trim_scale({{ expression }})
{%- endmacro %}

{# Bytes as text: their UTF-8 where they are valid UTF-8 without NUL, otherwise escaped as \ooo. #}
{% macro readable(bytes) -%}
    case
        when encode({{ bytes }}, 'hex') ~ '^(0[1-9a-f]|[1-7][0-9a-f]|(c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]|e0[ab][0-9a-f][89ab][0-9a-f]|e[1-9a-cef]([89ab][0-9a-f]){2}|ed[89][0-9a-f][89ab][0-9a-f]|f0[9ab][0-9a-f]([89ab][0-9a-f]){2}|f[1-3]([89ab][0-9a-f]){3}|f48[0-9a-f]([89ab][0-9a-f]){2})*$'
            then convert_from({{ bytes }}, 'UTF8')
        else encode({{ bytes }}, 'escape')
    end
{%- endmacro %}

{# Every day from the first to the last, both included, in a column `day`. #}
{% macro days_between(first_day, last_day) -%}
    select cast({{ first_day }} + n as date) as day from generate_series(0, {{ last_day }} - {{ first_day }}) as s (n)
{%- endmacro %}

{# How many numbers of an array, those below zero taken for zero, are less than a number; 0 where there is no array. #}
{% macro count_below(numbers, limit) -%}
    (select count(*) from unnest({{ numbers }}) as s (n) where greatest(0, s.n) < {{ limit }})
{%- endmacro %}

{# Written after the `as` of a CTE: its rows are found before those that it is joined with. #}
{% macro found_first() -%}
    materialized
{%- endmacro %}
