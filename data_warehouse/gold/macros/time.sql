{# Time, where PostgreSQL and Snowflake differ. An instant is a timestamptz on PostgreSQL; on Snowflake it is a
   timestamp without a zone that holds UTC. #}

{# The type of an instant. #}
{% macro instant() -%}
    {{ adapter.dispatch('instant')() }}
{%- endmacro %}

{% macro postgres__instant() -%}
    timestamptz
{%- endmacro %}

{% macro snowflake__instant() -%}
    timestamp_ntz(6)
{%- endmacro %}

{# Later than every instant. #}
{% macro forever() -%}
    {{ adapter.dispatch('forever')() }}
{%- endmacro %}

{% macro postgres__forever() -%}
    'infinity'
{%- endmacro %}

{% macro snowflake__forever() -%}
    cast('9999-12-31 23:59:59.999999' as timestamp_ntz(6))
{%- endmacro %}

{# Earlier than every instant. #}
{% macro before_all() -%}
    {{ adapter.dispatch('before_all')() }}
{%- endmacro %}

{% macro postgres__before_all() -%}
    '-infinity'
{%- endmacro %}

{% macro snowflake__before_all() -%}
    '0001-01-01 00:00:00'
{%- endmacro %}

{# Whether an instant is one of the calendar's. #}
{% macro is_dated(at) -%}
    {{ adapter.dispatch('is_dated')(at) }}
{%- endmacro %}

{% macro postgres__is_dated(at) -%}
    isfinite({{ at }})
{%- endmacro %}

{% macro snowflake__is_dated(at) -%}
    ({{ at }} > cast({{ before_all() }} as timestamp_ntz(6)) and {{ at }} < {{ forever() }})
{%- endmacro %}

{# What the clocks of a zone show at an instant. #}
{% macro local(at, zone) -%}
    {{ adapter.dispatch('local')(at, zone) }}
{%- endmacro %}

{% macro postgres__local(at, zone) -%}
    {{ at }} at time zone {{ zone }}
{%- endmacro %}

{% macro snowflake__local(at, zone) -%}
    convert_timezone('UTC', {{ zone }}, {{ at }})
{%- endmacro %}

{# An instant some days of 24 hours later; they may be a fraction. #}
{% macro days_after(at, days) -%}
    {{ adapter.dispatch('days_after')(at, days) }}
{%- endmacro %}

{% macro postgres__days_after(at, days) -%}
    {{ at }} + {{ days }} * interval '1 day'
{%- endmacro %}

{% macro snowflake__days_after(at, days) -%}
    dateadd(second, 86400 * {{ days }}, {{ at }})
{%- endmacro %}

{% macro days_before(at, days) -%}
    {{ adapter.dispatch('days_before')(at, days) }}
{%- endmacro %}

{% macro postgres__days_before(at, days) -%}
    {{ at }} - {{ days }} * interval '1 day'
{%- endmacro %}

{% macro snowflake__days_before(at, days) -%}
    dateadd(second, -86400 * {{ days }}, {{ at }})
{%- endmacro %}

{# An instant some whole hours later. #}
{% macro hours_after(at, hours) -%}
    {{ adapter.dispatch('hours_after')(at, hours) }}
{%- endmacro %}

{% macro postgres__hours_after(at, hours) -%}
    {{ at }} + make_interval(secs => 3600 * {{ hours }})
{%- endmacro %}

{% macro snowflake__hours_after(at, hours) -%}
    dateadd(second, 3600 * {{ hours }}, {{ at }})
{%- endmacro %}

{# An instant some whole minutes later, or earlier. #}
{% macro minutes_after(at, minutes) -%}
    {{ adapter.dispatch('minutes_after')(at, minutes) }}
{%- endmacro %}

{% macro postgres__minutes_after(at, minutes) -%}
    ({{ at }} + {{ minutes }} * interval '1 minute')
{%- endmacro %}

{% macro snowflake__minutes_after(at, minutes) -%}
    dateadd(minute, {{ minutes }}, {{ at }})
{%- endmacro %}

{% macro minutes_before(at, minutes) -%}
    {{ adapter.dispatch('minutes_before')(at, minutes) }}
{%- endmacro %}

{% macro postgres__minutes_before(at, minutes) -%}
    ({{ at }} - {{ minutes }} * interval '1 minute')
{%- endmacro %}

{% macro snowflake__minutes_before(at, minutes) -%}
    dateadd(minute, -1 * {{ minutes }}, {{ at }})
{%- endmacro %}

{# A day some days later, or earlier if they are below zero. #}
{% macro day_later(day, days) -%}
    {{ adapter.dispatch('day_later')(day, days) }}
{%- endmacro %}

{% macro postgres__day_later(day, days) -%}
    {{ day }} {{ '- %d' % -days if days < 0 else '+ %d' % days }}
{%- endmacro %}

{% macro snowflake__day_later(day, days) -%}
    dateadd(day, {{ days }}, {{ day }})
{%- endmacro %}

{# How many seconds lie between two instants, exactly. #}
{% macro seconds_between(earlier, later) -%}
    {{ adapter.dispatch('seconds_between')(earlier, later) }}
{%- endmacro %}

{% macro postgres__seconds_between(earlier, later) -%}
    extract(epoch from {{ later }} - {{ earlier }})
{%- endmacro %}

{% macro snowflake__seconds_between(earlier, later) -%}
    (cast(datediff(microsecond, {{ earlier }}, {{ later }}) as number(38, 12)) / 1000000)
{%- endmacro %}

{# An instant as text: seconds since 1970 with six decimals. #}
{% macro epoch_text(at) -%}
    {{ adapter.dispatch('epoch_text')(at) }}
{%- endmacro %}

{% macro postgres__epoch_text(at) -%}
    extract(epoch from {{ at }})
{%- endmacro %}

{% macro snowflake__epoch_text(at) -%}
    to_varchar(cast(datediff(microsecond, cast('1970-01-01' as timestamp_ntz(6)), {{ at }}) / 1000000 as number(38, 6)))
{%- endmacro %}

{# What `extract` calls the year, week or day of the week of the ISO calendar. #}
{% macro iso(part) -%}
    {{ adapter.dispatch('iso')(part) }}
{%- endmacro %}

{% macro postgres__iso(part) -%}
    {{ {'year': 'isoyear', 'week': 'week', 'day': 'isodow'}[part] }}
{%- endmacro %}

{% macro snowflake__iso(part) -%}
    {{ {'year': 'yearofweekiso', 'week': 'weekiso', 'day': 'dayofweekiso'}[part] }}
{%- endmacro %}

{# Every day between the bounds of a relation of one row (first_day, last_day), both included, in a column `day`. #}
{% macro days_within(bounds) -%}
    {{ adapter.dispatch('days_within')(bounds) }}
{%- endmacro %}

{% macro postgres__days_within(bounds) -%}
    select d.day
    from {{ bounds }} as b
    cross join lateral (
        select cast(b.first_day + n as date) as day from generate_series(0, b.last_day - b.first_day) as s (n)
    ) as d
{%- endmacro %}

{% macro snowflake__days_within(bounds) -%}
    select cast(dateadd(day, n.number, b.first_day) as date) as day
    from {{ bounds }} as b
    inner join (
        select
            a.digit + 10 * b.digit + 100 * c.digit + 1000 * d.digit + 10000 * e.digit as number
        from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as a (digit)
        {%- for place in 'bcde' %}
        cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as {{ place }} (digit)
        {%- endfor %}
    ) as n on n.number <= datediff(day, b.first_day, b.last_day)
{%- endmacro %}
