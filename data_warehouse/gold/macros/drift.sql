{# The partition within which lines of two feeds may be of the same goods. #}
{% macro drift_key(alias) -%}
    {{ alias }}.shadow_feed_id, {{ alias }}.product_id, {{ alias }}.location_id, {{ alias }}.movement_class
{%- endmacro %}

{# Whether bytes hold a text of letters, digits and dashes, with no letter or digit right before or after it. #}
{% macro holds_word(bytes, word) -%}
    encode({{ bytes }}, 'escape') ~ ('(^|[^[:alnum:]]|\\[0-7]{3})' || regexp_replace({{ word }}, '([^[:alnum:]])', '\\\1', 'g') || '($|[^[:alnum:]])')
{%- endmacro %}
