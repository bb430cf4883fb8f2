{# Text and bytes, where PostgreSQL and Snowflake differ. #}

{# A number as people write it: 12, 0.5. #}
{% macro as_text(number) -%}
    {{ adapter.dispatch('as_text')(number) }}
{%- endmacro %}

{% macro postgres__as_text(number) -%}
    cast({{ number }} as text)
{%- endmacro %}

{% macro snowflake__as_text(number) -%}
    rtrim(rtrim(to_varchar(cast({{ number }} as number(38, 12))), '0'), '.')
{%- endmacro %}

{# Texts set one after the other, those that are null left out. #}
{% macro words(texts, separator="' '") -%}
    {{ adapter.dispatch('words')(texts, separator) }}
{%- endmacro %}

{% macro postgres__words(texts, separator) -%}
    concat_ws({{ separator }}, {{ texts | join(', ') }})
{%- endmacro %}

{% macro snowflake__words(texts, separator) -%}
    substr(
        {%- for text in texts -%}
        coalesce({{ separator }} || {{ text }}, '') {%- if not loop.last %} || {% endif %}
        {%- endfor -%}
    , 2)
{%- endmacro %}

{# The texts of a group, one after the other. #}
{% macro listed(text, separator="', '", order_by=none, distinct=false) -%}
    {{ adapter.dispatch('listed')(text, separator, order_by or text, 'distinct ' if distinct else '') }}
{%- endmacro %}

{% macro postgres__listed(text, separator, order_by, distinct) -%}
    string_agg({{ distinct }}{{ text }}, {{ separator }} order by {{ order_by }})
{%- endmacro %}

{% macro snowflake__listed(text, separator, order_by, distinct) -%}
    listagg({{ distinct }}{{ text }}, {{ separator }}) within group (order by {{ order_by }})
{%- endmacro %}

{# The first text of a group; none of them is null. #}
{% macro first_text(text, order_by) -%}
    {{ adapter.dispatch('first_text')(text, order_by) }}
{%- endmacro %}

{% macro postgres__first_text(text, order_by) -%}
    (array_agg({{ text }} order by {{ order_by }}))[1]
{%- endmacro %}

{% macro snowflake__first_text(text, order_by) -%}
    cast((array_agg({{ text }}) within group (order by {{ order_by }}))[0] as varchar)
{%- endmacro %}

{# A text that is compared by its bytes, in whatever way the database sorts. Snowflake does so anyway. #}
{% macro by_byte(text) -%}
    {{ adapter.dispatch('by_byte')(text) }}
{%- endmacro %}

{% macro postgres__by_byte(text) -%}
    {{ text }} collate "C"
{%- endmacro %}

{% macro snowflake__by_byte(text) -%}
    {{ text }}
{%- endmacro %}

{# Joins the texts of an array, one row each; each_one() is the text. #}
{% macro each_of(texts, alias, name) -%}
    {{ adapter.dispatch('each_of')(texts, alias, name) }}
{%- endmacro %}

{% macro postgres__each_of(texts, alias, name) -%}
    lateral unnest({{ texts }}) as {{ alias }} ({{ name }})
{%- endmacro %}

{% macro snowflake__each_of(texts, alias, name) -%}
    lateral flatten(input => {{ texts }}) as {{ alias }}
{%- endmacro %}

{% macro each_one(alias, name) -%}
    {{ adapter.dispatch('each_one')(alias, name) }}
{%- endmacro %}

{% macro postgres__each_one(alias, name) -%}
    {{ alias }}.{{ name }}
{%- endmacro %}

{% macro snowflake__each_one(alias, name) -%}
    cast({{ alias }}.value as varchar)
{%- endmacro %}

{# The hexadecimal digits of valid UTF-8 without NUL. #}
{% macro utf8_in_hex() -%}
    ^(0[1-9a-f]|[1-7][0-9a-f]|(c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]|e0[ab][0-9a-f][89ab][0-9a-f]|e[1-9a-cef]([89ab][0-9a-f]){2}|ed[89][0-9a-f][89ab][0-9a-f]|f0[9ab][0-9a-f]([89ab][0-9a-f]){2}|f[1-3]([89ab][0-9a-f]){3}|f48[0-9a-f]([89ab][0-9a-f]){2})*$
{%- endmacro %}

{# Bytes as text: their UTF-8 where they are valid UTF-8 without NUL, otherwise escaped as \ooo. #}
{% macro readable(bytes) -%}
    {{ adapter.dispatch('readable')(bytes) }}
{%- endmacro %}

{% macro postgres__readable(bytes) -%}
    case
        when encode({{ bytes }}, 'hex') ~ '{{ utf8_in_hex() }}'
            then convert_from({{ bytes }}, 'UTF8')
        else encode({{ bytes }}, 'escape')
    end
{%- endmacro %}

{% macro snowflake__readable(bytes) -%}
    case
        when regexp_like(lower(hex_encode({{ bytes }})), '{{ utf8_in_hex() }}')
            then hex_decode_string(hex_encode({{ bytes }}))
        else {{ escaped(bytes) }}
    end
{%- endmacro %}

{# Bytes as ASCII: a backslash is doubled, and what is no ASCII, or NUL, is written as \ooo. #}
{% macro escaped(bytes) -%}
    {{ adapter.dispatch('escaped')(bytes) }}
{%- endmacro %}

{% macro postgres__escaped(bytes) -%}
    encode({{ bytes }}, 'escape')
{%- endmacro %}

{# In hexadecimal digits, byte by byte: Snowflake has no such function. 5C is the backslash, 30 to 37 are the octal
   digits: the first two of a byte follow from its first digit and the half that its second one is in. #}
{% macro snowflake__escaped(bytes) -%}
    {%- set halves = [] -%}
    {%- for digit in range(8, 16) -%}
        {%- for half in (0, 1) -%}
            {%- do halves.append(('%X' | format(digit), ('[0-7]', '[89A-F]')[half], '5C3%d3%d' | format(digit // 4, digit % 4 * 2 + half))) -%}
        {%- endfor -%}
    {%- endfor -%}
    hex_decode_string(replace(
        {%- for _ in range(8) -%} regexp_replace( {%- endfor -%}
        {%- for _ in halves -%} regexp_replace( {%- endfor -%}
        replace(replace(regexp_replace(hex_encode({{ bytes }}), '(..)', $$\1 $$), '5C ', '5C5C '), '00 ', '5C303030 ')
        {%- for digit, half, octal in halves -%}
        , '{{ digit }}({{ half }}) ', $${{ octal }}_\1 $$)
        {%- endfor -%}
        {%- for digit in range(8) -%}
        , '_[{{ '%X%X' | format(digit, digit + 8) }}]', '3{{ digit }}')
        {%- endfor -%}
    , ' ', ''))
{%- endmacro %}

{# Whether an escaped text holds a word of letters, digits and dashes, with no letter or digit right before or after. #}
{% macro holds_word(text, word) -%}
    {{ adapter.dispatch('holds_word')(text, word) }}
{%- endmacro %}

{% macro postgres__holds_word(text, word) -%}
    {{ text }} ~ ('(^|[^[:alnum:]]|\\[0-7]{3})' || regexp_replace({{ word }}, '([^[:alnum:]])', '\\\1', 'g') || '($|[^[:alnum:]])')
{%- endmacro %}

{% macro snowflake__holds_word(text, word) -%}
    regexp_instr({{ text }}, $$(^|[^[:alnum:]]|\\[0-7]{3})$$ || regexp_replace({{ word }}, '([^[:alnum:]])', $$\\\1$$) || '($|[^[:alnum:]])') > 0
{%- endmacro %}
