"""The scorecard as one HTML page: plots as inline SVG, no script, nothing fetched."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pipeline_manager.scoring.measures import Found, Score

WIDTH, BAR_HEIGHT = 420, 26
OURS_COLOUR, OTHERS_COLOUR = "#1f6f8b", "#c9b79c"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SyStock scorecard</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; margin: .5rem 0 1.5rem; }}
th, td {{ padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 1rem 0; overflow-x: auto; }}
small {{ color: #555; }}
</style>
<h1>Scorecard</h1>
<p>{intro}</p>
{sections}
<h2>What became of records</h2>
<p>Record by record against the answer key, by file and reason.</p>
{found}
<p><small>Oversell: the figure promises units that are not there. Undersell: units are there and not promised. Shortcuts
are given every record that SyStock can read, in the order of the files' own dates.</small></p>
</html>
"""
_SECTION = """<h2>Against the {truth} truth</h2>
<p>{meaning}</p>
<figure>{exact}</figure><figure>{error}</figure>
{table}"""
_MEANINGS = {
    "knowable": "What all feeds together let one know: counts and recorded movements, each once.",
    "physical": "What really lies there. Theft and counting errors since the last count are in no feed, so no method "
    "can see them.",
}


def write_page(key: dict[str, Any], scores: Sequence[Score], found: Sequence[Found], target: Path) -> None:
    """Write the scorecard as a page of its own."""
    told = ", ".join(f"{name} {value}" for name, value in key.items() if isinstance(value, str | int | float))
    sections = "".join(_section(truth, [s for s in scores if s.truth == truth]) for truth in _MEANINGS)
    page = _PAGE.format(
        intro=escape(f"The simulated retailer ({told}): every figure against what is true."),
        sections=sections,
        found=_found_table(found),
    )
    target.write_text(page, encoding="utf-8")


def _section(truth: str, scores: Sequence[Score]) -> str:
    return _SECTION.format(
        truth=escape(truth),
        meaning=escape(_MEANINGS[truth]),
        exact=_bars(scores, "exact_share", "share of keys exactly right", ".1%", [0, 1]),
        error=_bars(scores, "mean_absolute_error", "mean absolute error, units a key", ".2f", None),
        table=_score_table(scores),
    )


def _bars(scores: Sequence[Score], measure: str, title: str, form: str, domain: list[float] | None) -> str:
    """Return a bar chart as SVG, the methods in the order given."""
    import altair
    import vl_convert

    data = [
        {"method": s.method, "value": getattr(s, measure), "is_ours": number == 0} for number, s in enumerate(scores)
    ]
    base = altair.Chart(altair.InlineData(values=data)).encode(
        y=altair.Y("method:N", sort=[s.method for s in scores], title=None, axis=altair.Axis(labelLimit=260)),
        x=altair.X(
            "value:Q", title=title, axis=altair.Axis(format=form),
            scale=altair.Scale(domain=domain) if domain else altair.Undefined,
        ),
    )  # fmt: skip
    colour = altair.condition("datum.is_ours", altair.value(OURS_COLOUR), altair.value(OTHERS_COLOUR))
    chart = base.mark_bar().encode(color=colour) + base.mark_text(align="left", dx=4).encode(
        text=altair.Text("value:Q", format=form)
    )
    sized = chart.properties(width=WIDTH, height=BAR_HEIGHT * len(scores))
    return str(vl_convert.vegalite_to_svg(sized.to_dict()))


def _score_table(scores: Sequence[Score]) -> str:
    head = ["method", "keys", "exact", "mean error", "bias", "oversell", "units", "undersell", "units"]
    body = [
        [
            s.method, f"{s.keys:,}", f"{s.exact_share:.2%}", f"{s.mean_absolute_error:.3f}", f"{s.bias:+.3f}",
            f"{s.oversell_rate:.2%}", f"{s.oversell_units:,.0f}", f"{s.undersell_rate:.2%}",
            f"{s.undersell_units:,.0f}",
        ]
        for s in scores
    ]  # fmt: skip
    return _table(head, body)


def _found_table(found: Sequence[Found]) -> str:
    head = ["fate", "in the key", "found", "recall", "precision"]
    return _table(
        head, [[f.fate, f"{f.expected:,}", f"{f.found:,}", f"{f.recall:.2%}", f"{f.precision:.2%}"] for f in found]
    )


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in body)
    return f"<table><tr>{cells}</tr>{lines}</table>"
