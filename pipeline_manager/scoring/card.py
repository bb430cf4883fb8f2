"""`systock score`: the scorecard of a loaded warehouse, in the terminal, as JSON, and as a page with plots."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import Progress, make_progress
from pipeline_manager.demo import feeds_in_use
from pipeline_manager.publishing import rows
from pipeline_manager.rendering import new_table, print_table
from pipeline_manager.scoring.measures import Found, Score, detection, score
from pipeline_manager.scoring.page import write_page
from pipeline_manager.scoring.shortcuts import SHORTCUTS
from pipeline_manager.scoring.told import read_told
from pipeline_manager.warehouse import OpenWarehouse
from pipeline_manager.warehouse_commands import deployed_warehouse

OURS = "SyStock"
TRUTHS = ("knowable", "physical")
_FIGURES = """
    select product_code, location_code, sum(on_hand) as quantity from {{ gold }}.stock_on_hand
    group by product_code, location_code
"""
_FATES = """
    select f.file_name as file, 'duplicate' as fate, '' as reason, f.duplicate as records from {{ gold }}.feed_file as f
    union all
    select f.file_name, 'superseded', '', f.superseded from {{ gold }}.feed_file as f
    union all
    select q.file_name, 'quarantined', q.reason, count(*) from {{ gold }}.quarantine as q
    group by q.file_name, q.reason
    union all
    select f.file_name, 'whole_file_set_aside', f.reason, 1 from {{ gold }}.feed_file as f
    where f.status = 'set_aside'
"""


@dataclass(frozen=True)
class Card:
    """The whole scorecard.

    Attributes:
        key: arguments of the simulation, as `key.json` has them.
        scores: every way of computing stock against every truth.
        found: what became of records, against the answer key.
    """

    key: dict[str, Any]
    scores: list[Score]
    found: list[Found]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        found = [asdict(f) | {"recall": f.recall, "precision": f.precision} for f in self.found]
        return {"key": self.key, "scores": [asdict(s) for s in self.scores], "found": found}


def run_score(
    inbox: Path, answers: Path | None, feeds: Path | None, out: Path, *,
    env: str | None, database_url: str | None, progress: Progress,
) -> Card:  # fmt: skip
    """Score the loaded warehouse, write `score.json` and `score.html`, and return the card.

    Raises:
        UsageError: there is no answer key, or it is of other files than were loaded.
    """
    answers = answers or inbox.with_name(inbox.name + "_answers")
    if not (answers / "key.json").is_file():
        raise UsageError(
            f"{answers} has no answer key (key.json). `systock simulate --out {inbox}` writes one beside the files."
        )
    with deployed_warehouse(env, database_url) as opened:
        card = make_card(opened, inbox, answers, feeds_in_use(feeds, opened.settings), progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / "score.json").write_text(json.dumps(card.as_json(), indent=2) + os.linesep, encoding="utf-8")
    write_page(card.key, card.scores, card.found, out / "score.html")
    return card


def make_card(opened: OpenWarehouse, inbox: Path, answers: Path, feeds: Path, progress: Progress) -> Card:
    """Compare the warehouse and the shortcuts with the answer key.

    Raises:
        UsageError: the warehouse holds none of the products of the answer key.
    """
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
    on_hand = pd.read_csv(answers / "on_hand.csv", dtype={"product_code": str, "location_code": str})
    progress.step("ours")
    figures = {OURS: _frame(rows(connection, schemas, _FIGURES), "quantity")}
    if not figures[OURS]["product_code"].isin(on_hand["product_code"]).any():
        raise UsageError(
            f"The warehouse holds none of these products. Load the files first: systock run --inbox {inbox}"
        )
    found = detection(_expected(answers), _frame(rows(connection, schemas, _FATES), "records"))
    progress.done()
    progress.step("shortcuts")
    told = read_told(opened, load_feeds(feeds), inbox)
    figures |= {name: shortcut(told) for name, shortcut in SHORTCUTS.items()}
    progress.done(f"{len(told.movements) + len(told.counts):,} facts told")
    scores = [score(name, truth, figure, on_hand) for truth in TRUTHS for name, figure in figures.items()]
    return Card(json.loads((answers / "key.json").read_text(encoding="utf-8")), scores, found)


def _frame(found: list[dict[str, Any]], number: str) -> pd.DataFrame:
    frame = pd.DataFrame(found)
    return frame.assign(**{number: pd.to_numeric(frame[number].astype(str))})


def _expected(answers: Path) -> pd.DataFrame:
    """Return the fates of the answer key; reasons of duplicates are its own words, and are left out."""
    told = pd.read_csv(answers / "files.csv", dtype={"records": "int64"}, keep_default_na=False)
    told = told[told["reason"] != "same_file"]  # the same bytes once more are no file of their own
    is_reasoned = told["fate"].isin(["quarantined", "whole_file_set_aside"])
    told = told.assign(reason=told["reason"].where(is_reasoned, ""))
    told.loc[told["fate"] == "whole_file_set_aside", "records"] = 1
    return told[["file", "fate", "reason", "records"]]


def show_score(
    inbox: Path, answers: Path | None, feeds: Path | None, out: Path, *, env: str | None, database_url: str | None
) -> None:
    """Score the loaded warehouse and print the card."""
    console = Console(highlight=False)
    card = run_score(
        inbox, answers, feeds, out, env=env, database_url=database_url, progress=make_progress("auto")
    )  # fmt: skip
    render_card(card, console)
    console.print(f"Plots: {out / 'score.html'}", soft_wrap=True)


def render_card(card: Card, console: Console) -> None:
    """Print the card as tables."""
    for truth in TRUTHS:
        table = new_table(f"against the {truth} truth", "exact", "mean error", "bias", "oversell", "undersell")
        for one in (s for s in card.scores if s.truth == truth):
            table.add_row(
                one.method, f"{one.exact_share:.2%}", f"{one.mean_absolute_error:.3f}", f"{one.bias:+.3f}",
                f"{one.oversell_rate:.2%}", f"{one.undersell_rate:.2%}",
            )  # fmt: skip
        print_table(console, table)
    table = new_table("records by fate", "in the key", "found", "recall", "precision")
    for fate in card.found:
        table.add_row(fate.fate, f"{fate.expected:,}", f"{fate.found:,}", f"{fate.recall:.2%}", f"{fate.precision:.2%}")
    print_table(console, table)
