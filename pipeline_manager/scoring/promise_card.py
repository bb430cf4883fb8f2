"""Runs the comparison of promises and shows it: a table, and a plot as SVG."""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from etl_pipeline.core.progress import Progress
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.rendering import new_table, print_table
from pipeline_manager.scoring.outage_story import Story, live
from pipeline_manager.scoring.page import OTHERS_COLOUR, OURS_COLOUR
from pipeline_manager.scoring.promise_rules import AWARE, FIXED, Outcome, advantages, outcomes

WIDTH, HEIGHT = 560, 320


def compare_promises(story: Story, out: Path, progress: Progress) -> list[Outcome]:
    """Play the story on a server of its own; print the table, write `promises.json` and `promises.svg`."""
    with tempfile.TemporaryDirectory(prefix="systock_promises_") as folder:
        server = EmbeddedServer.start(Path(folder) / "postgres", ephemeral=True)
        try:
            found = outcomes(live(story, Path(folder), server.url(), progress))
        finally:
            server.stop()
    out.mkdir(parents=True, exist_ok=True)
    told = {"story": asdict(story), "outcomes": [asdict(outcome) for outcome in found]}
    (out / "promises.json").write_text(json.dumps(told, indent=2) + os.linesep, encoding="utf-8")
    (out / "promises.svg").write_text(plot(found), encoding="utf-8")
    _show(found, Console(highlight=False))
    sys.stdout.write(f"Written to {out / 'promises.svg'} and {out / 'promises.json'}.\n")
    return found


def _show(found: Sequence[Outcome], console: Console) -> None:
    fixed = new_table(FIXED, "lost", "oversold")
    for outcome in found:
        if outcome.rule == FIXED:
            fixed.add_row(f"{outcome.buffer:g}", f"{outcome.lost_rate:.2%}", f"{outcome.oversell_rate:.2%}")
    aware = new_table(AWARE, "certainty", "lost", "oversold", "fixed buffer there")
    for outcome, other in advantages(found):
        shares = (f"{share:.2%}" for share in (outcome.lost_rate, outcome.oversell_rate, other))
        aware.add_row(f"buffer {outcome.buffer:g}", f"{outcome.quantile:.0%}", *shares)
    for table in (fixed, aware):
        print_table(console, table)


def plot(found: Sequence[Outcome]) -> str:
    """Return lost sales against oversold units, a point an outcome, as SVG."""
    import altair
    import vl_convert

    # Fixed buffers are one line; with a reserve, each buffer is a line over the certainties.
    data = [asdict(o) | {"line": FIXED if o.rule == FIXED else f"{AWARE} {o.buffer:g}"} for o in found]
    base = altair.Chart(altair.InlineData(values=data)).encode(
        x=altair.X("lost_rate:Q", title="sales lost, of units wanted", axis=altair.Axis(format=".0%")),
        y=altair.Y("oversell_rate:Q", title="units oversold, of units wanted", axis=altair.Axis(format=".1%")),
        color=altair.Color(
            "rule:N", title=None, scale=altair.Scale(domain=[FIXED, AWARE], range=[OTHERS_COLOUR, OURS_COLOUR]),
            legend=altair.Legend(orient="top-right"),
        ),
        detail="line:N",
    )  # fmt: skip
    lines = base.mark_line(point=altair.OverlayMarkDef(filled=True, size=45))
    labels = (
        base.mark_text(align="left", dx=6, dy=-8)
        .encode(text=altair.Text("buffer:Q", format="d"))
        .transform_filter(f"datum.rule == '{FIXED}'")
    )
    chart = (lines + labels).properties(width=WIDTH, height=HEIGHT)
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))
