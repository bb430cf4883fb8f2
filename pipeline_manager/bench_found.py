"""What one bench found: plain values, as JSON and as a plot of the ratios."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline_manager.bench_again import MeasuredAgain
from pipeline_manager.bench_feeds import MeasuredFeeds
from pipeline_manager.bench_live import MeasuredLive
from pipeline_manager.bench_loads import BARE, OURS, PEER, PEER_DEFAULTS, Measured, MeasuredBatch
from pipeline_manager.bench_promises import PLACES, MeasuredPromise
from pipeline_manager.bench_promises import PRODUCTS as PROMISED_PRODUCTS
from pipeline_manager.bench_reading import MeasuredRead
from pipeline_manager.bench_valuation import MOVEMENTS, PRODUCTS, MeasuredValuation

WIDTH, HEIGHT = 560, 320
COLOURS = {BARE: "#8a8a8a", PEER: "#c98a3c", PEER_DEFAULTS: "#c9b79c", OURS: "#1f6f8b"}


@dataclass
class Bench:
    """All that was measured in one run on one server; a part that was not asked for is empty."""

    machine: dict[str, str | int]
    loads: list[Measured] = field(default_factory=list)
    batches: list[MeasuredBatch] = field(default_factory=list)
    again: list[MeasuredAgain] = field(default_factory=list)
    live: list[MeasuredLive] = field(default_factory=list)
    feeds: list[MeasuredFeeds] = field(default_factory=list)
    valuation: list[MeasuredValuation] = field(default_factory=list)
    promises: list[MeasuredPromise] = field(default_factory=list)
    reading: list[MeasuredRead] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """Lines of the till files that were loaded, in order."""
        return list(dict.fromkeys(load.lines for load in self.loads))

    def times_peer(self, load: Measured) -> float | None:
        """Return the seconds of a load by those of the peer at the same size; None where there is no peer."""
        peers = [peer.seconds for peer in self.loads if peer.way == PEER and peer.lines == load.lines]
        return load.seconds / peers[0] if peers else None


def write_results(found: Bench, out: Path) -> list[Path]:
    """Write `bench.json`, and the plot `bench.svg` where files were loaded; return what was written."""
    told = asdict(found)
    for load, plain in zip(found.loads, told["loads"], strict=True):
        plain["times_peer"] = found.times_peer(load)
    told["valuation"] = {"movements": MOVEMENTS, "products": PRODUCTS, "results": told["valuation"]}
    told["promises"] = {"keys": PROMISED_PRODUCTS * PLACES, "results": told["promises"]}
    figures = out / "bench.json"
    figures.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    if not found.loads:
        return [figures]
    picture = out / "bench.svg"
    picture.write_text(plot(found.loads), encoding="utf-8")
    return [figures, picture]


def plot(loads: list[Measured]) -> str:
    """Return how often the time of a bare COPY each way takes, by the size of the file, as SVG."""
    import altair
    import vl_convert

    ways = [way for way in COLOURS if any(load.way == way for load in loads)]
    data = [{"lines": load.lines, "way": load.way, "ratio": round(load.times_bare_copy, 3)} for load in loads]
    base = altair.Chart(altair.InlineData(values=data)).encode(
        x=altair.X("lines:O", title="lines of the file", axis=altair.Axis(format=",d", labelAngle=0)),
        y=altair.Y("ratio:Q", title="times a bare COPY (logarithmic)", scale=altair.Scale(type="log")),
        color=altair.Color(
            "way:N", title=None, scale=altair.Scale(domain=ways, range=[COLOURS[way] for way in ways]),
            legend=altair.Legend(orient="top", labelLimit=WIDTH),
        ),
    )  # fmt: skip
    lines = base.mark_line(point=altair.OverlayMarkDef(filled=True, size=60))
    labels = base.mark_text(align="left", dx=7).encode(text=altair.Text("ratio:Q", format=",.3~r"))
    chart = (lines + labels).properties(width=WIDTH, height=HEIGHT)
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))
