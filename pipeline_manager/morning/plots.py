"""Plots as SVG inside the page: same data, same bytes; colours that hold on light and on dark ground."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from etl_pipeline.core.log import printable

# As wide as a phone shows; on a larger screen the plot grows with its column.
WIDTH, BAR_HEIGHT, COLUMN_HEIGHT = 360, 20, 130
FONT = "Arial, Helvetica, sans-serif"
BAD, WARN, MILD, GOOD, PLAIN, PALE = "#d1495b", "#dd8a2e", "#c2a93c", "#4d9e76", "#3f8cb8", "#8b93a0"
MOST_BARS, LONGEST_LABEL, FEW, MOST_LETTERS = 12, 130, 5, 40
_NO_XML = re.compile("[\ufffe\uffff]")
_ONE_AT_A_TIME = Lock()
Bar = tuple[str, str, float]
"""Label, kind, length."""


def drawn(text: str) -> str:
    """Return text of the data as a plot may hold it: short, and without what is no character of XML.

    vl-convert aborts the whole process at a control character or U+FFFF.
    """
    plain = _NO_XML.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), printable(text))
    return plain if len(plain) <= MOST_LETTERS else plain[: MOST_LETTERS - 1] + "…"


def stacked_bars(bars: Sequence[Bar], kinds: Mapping[str, str], title: str) -> str:
    """Return bars, one a label in the order given, each made of kinds, as SVG.

    Args:
        bars: what to draw; labels beyond the first twelve are left out, so the worst come first.
        kinds: kind -> colour, in the order they stack; those that do not occur are left out of the legend.
        title: what the length is.
    """
    labels = list(dict.fromkeys(drawn(label) for label, _, _ in bars))[:MOST_BARS]
    data = [
        {"label": drawn(label), "kind": kind, "value": value, "place": list(kinds).index(kind)}
        for label, kind, value in bars
        if drawn(label) in labels and value
    ]
    used = [kind for kind in kinds if any(row["kind"] == kind for row in data)]
    legend: dict[str, Any] = {"orient": "top", "title": None, "columns": 2, "labelLimit": 160, "symbolType": "square"}
    encoding: dict[str, Any] = {
        "y": {"field": "label", "type": "nominal", "sort": labels, "title": None, "scale": {"domain": labels},
              "axis": {"labelLimit": LONGEST_LABEL, "ticks": False, "domain": False}},
        "x": {"field": "value", "type": "quantitative", "title": drawn(title), "stack": "zero",
              "axis": {"tickCount": 4, "format": ",~f", **_whole_ticks(data, "label")}},
        "color": {"field": "kind", "type": "nominal",
                  "scale": {"domain": used, "range": [kinds[kind] for kind in used]},
                  "legend": legend if len(kinds) > 1 else None},
        "order": {"field": "place", "type": "quantitative"},
    }  # fmt: skip
    return _svg(data, encoding, {"step": BAR_HEIGHT})


def _whole_ticks(data: Sequence[dict[str, Any]], by: str) -> dict[str, Any]:
    """Return the ticks of an axis that counts up to a few, where halves would be drawn otherwise."""
    longest: Counter[str] = Counter()
    for row in data:
        longest[row[by]] += row["value"]
    most = max(longest.values(), default=0)
    return {"values": list(range(int(most) + 1))} if most <= FEW and most == int(most) else {}


def columns_by_day(days: Sequence[str], values: Mapping[str, float], title: str, colour: str = PLAIN) -> str:
    """Return a column a day as SVG; a day without a value stays empty."""
    data = [{"day": day, "value": values[day]} for day in days if day in values]
    encoding: dict[str, Any] = {
        "x": {"field": "day", "type": "ordinal", "title": None, "scale": {"domain": list(days)},
              "axis": {"labelAngle": 0, "values": list(days)[::7], "labelExpr": "slice(datum.label, 5)"}},
        "y": {"field": "value", "type": "quantitative", "title": drawn(title),
              "axis": {"tickCount": 4, "format": ",~f", **_whole_ticks(data, "day")}},
        "color": {"value": colour},
    }  # fmt: skip
    return _svg(data, encoding, COLUMN_HEIGHT)


def _svg(data: list[dict[str, Any]], encoding: dict[str, Any], height: Any) -> str:
    import vl_convert

    text = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 11, "titleFontSize": 11}
    axis = {
        **text,
        "titleFontWeight": "normal",
        "aria": False,
        "gridColor": "currentColor",
        "gridOpacity": 0.15,
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
    }
    chart = {
        "data": {"values": data},
        "mark": {"type": "bar", "aria": False},
        "encoding": encoding,
        "width": WIDTH,
        "height": height,
        "background": "transparent",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {"font": FONT, "view": {"stroke": None}, "axis": axis, "legend": {**text, "aria": False}},
    }  # fmt: skip
    with _ONE_AT_A_TIME:
        svg = str(vl_convert.vegalite_to_svg(chart))
    # Inside HTML an SVG needs no name space: the page then holds no address of anything.
    plain = svg.replace(' xmlns="http://www.w3.org/2000/svg"', "").replace(
        ' xmlns:xlink="http://www.w3.org/1999/xlink"', ""
    )
    return plain.replace("<svg ", '<svg aria-hidden="true" ', 1)
