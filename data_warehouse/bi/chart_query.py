"""The query that a chart asks, told from its settings.

A browser works it out for itself. Superset's API and its reports need it beside the chart, and the bundle is not to say
the same thing twice.
"""

from typing import Any


def chart_query(params: dict[str, Any]) -> dict[str, Any]:
    """Return the query context of a chart; its data source is filled in by the import.

    Raises:
        KeyError: a kind of chart that the bundle does not use yet.
    """
    filters = params.get("adhoc_filters", [])
    query: dict[str, Any] = {
        "columns": _COLUMNS[params["viz_type"]](params),
        "metrics": params.get("metrics") or [params["metric"]],
        "filters": [
            {"col": one["subject"], "op": one["operator"], "val": one["comparator"]}
            for one in filters
            if one["expressionType"] == "SIMPLE"
        ],
        "extras": {
            "having": "",
            "where": " and ".join(f"({one['sqlExpression']})" for one in filters if one["expressionType"] == "SQL"),
        },
        "row_limit": params.get("row_limit"),
        "orderby": [[params["timeseries_limit_metric"], False]] if params.get("timeseries_limit_metric") else [],
    }
    return {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "form_data": dict(params),
        "result_format": "json",
        "result_type": "full",
    }


def _series(params: dict[str, Any]) -> list[Any]:
    name = params["x_axis"]
    axis = {"columnType": "BASE_AXIS", "expressionType": "SQL", "label": name, "sqlExpression": name}
    if "time_grain_sqla" in params:
        axis["timeGrain"] = params["time_grain_sqla"]
    return [axis, *params["groupby"]]


_COLUMNS = {
    "big_number_total": lambda params: [],
    "table": lambda params: list(params["groupby"]),
    "echarts_timeseries_line": _series,
    "echarts_timeseries_bar": _series,
}
