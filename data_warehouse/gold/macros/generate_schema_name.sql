{# Models land in the gold schema of the environment, whatever the target is called. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ var('gold_schema') }}
{%- endmacro %}
