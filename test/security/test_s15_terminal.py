"""S15: what comes from outside cannot act on a terminal, forge a line of ours, or turn one around."""

import json
import os
import re
import unicodedata

import pytest
import yaml
from rich.console import Console

from etl_pipeline.contracts.drafting import draft_contract
from etl_pipeline.contracts.loading import ContractError, check_folder
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.log import printable
from pipeline_manager.console import command_errors
from pipeline_manager.feed_commands import show_check
from pipeline_manager.quarantine_commands import show_list, show_records
from pipeline_manager.rendering import render
from test.pipeline_manager.small_retailer import FEEDS, HEADERS, MASTERS, write_feeds, write_files
from test.security.payloads import PAYLOADS

FORGED = "::error::pwned"
TRICKS = [
    "x\x1b[2J\x1b]0;t\x07", "x\x9b31m", f"x\n{FORGED}", f"x\r{FORGED}", f"x\u2028{FORGED}", f"x\x85{FORGED}",
    "x\u202egnp.exe", "x\u2066y\u2069", "x\u200fy", "x\ufeffy", "x\U000e0041y", "x\x08\x08y", "x\x0cy", "x\x7fy",
    "[bold red on white]x[/]", "[link=http://evil]x[/link]",
]  # fmt: skip


def unsafe(text: str) -> list[str]:
    """Characters that act on a terminal or turn a line around; line ends are ours."""
    bad = ("Cc", "Cs", "Zl", "Zp")
    marks = "\u061c\u180e\u200b\u200e\u200f\ufeff" + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2060, 0x2070)]))
    return [
        ascii(c) for c in text if c != "\n" and (unicodedata.category(c) in bad or c in marks or ord(c) >> 12 == 0xE0)
    ]


def forged(text: str) -> list[str]:
    """Lines that begin like a command to a CI runner."""
    return [line for line in text.splitlines() if line.strip().startswith(FORGED)]


@pytest.mark.fast
def test_s15_no_payload_survives_as_something_that_acts():
    for payload in [*PAYLOADS, *TRICKS]:
        assert unsafe(printable(payload)) == []
        assert "\n" not in printable(payload)
        assert unsafe(printable(payload, one_line=False).replace("\t", "")) == []
    assert printable("naïve 東京 عربي e\u0301 👩\u200d🔬") == "naïve 東京 عربي e\u0301 👩\u200d🔬"


@pytest.mark.fast
@pytest.mark.parametrize("kind", [UsageError, StopRunError, RuntimeError])
@pytest.mark.parametrize("as_json", [False, True])
def test_s15_an_error_that_quotes_what_came_in_is_neutral(capsys, tmp_path, monkeypatch, kind, as_json):
    monkeypatch.setenv("SYSTOCK_HOME", str(tmp_path))
    for trick in TRICKS:
        with pytest.raises(SystemExit), command_errors(as_json=as_json):
            raise kind(f"The file {trick} is wrong.")
        told = "".join(capsys.readouterr())
        assert unsafe(told) == []
        assert forged(told) == []
        if as_json:
            assert trick[:1] in json.loads(told)["error"]


@pytest.mark.fast
def test_s15_the_texts_of_a_contract_are_neutral_in_mistakes_and_in_the_check(capsys, tmp_path):
    (tmp_path / "retailer.yml").write_text(FEEDS["retailer"])
    for trick in TRICKS:
        quoted = json.dumps(trick)
        (tmp_path / "x.yml").write_text(
            f"feed: x\n{quoted}: {quoted}\nfiles: {{pattern: {quoted}, format: {quoted}}}\n"
        )
        with pytest.raises(SystemExit), command_errors():
            show_check(tmp_path)
        told = "".join(capsys.readouterr())
        assert unsafe(told) == []
        assert forged(told) == []
        good = FEEDS["product"].replace('"product_*.csv"', json.dumps(trick.replace("\\", "") + "*.csv"))
        (tmp_path / "x.yml").write_text(good)
        result = check_folder(tmp_path)
        if result.feeds is not None:
            show_check(tmp_path)
        told = "".join(capsys.readouterr()) + str(ContractError(result.mistakes + result.warnings))
        assert unsafe(told) == []
        assert forged(told) == []


@pytest.mark.fast
def test_s15_a_draft_from_a_hostile_file_is_neutral_and_still_yaml(tmp_path):
    names = [trick for trick in TRICKS if "\n" not in trick and "\r" not in trick]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    cells = ",".join('"' + name.replace('"', '""') + '"' for name in reversed(names))
    path = tmp_path / "x\u202e[2024].csv"
    path.write_text(f"{header}\n{cells}\n{cells}\n", encoding="utf-8")
    draft = draft_contract(path)
    assert unsafe(draft) == []
    assert forged(draft) == []
    assert isinstance(yaml.safe_load(draft), dict)


@pytest.fixture(scope="module")
def shown(make_warehouse, tmp_path_factory):
    """A run over hostile names and cells; return the warehouse and its report."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("tricks")
    feeds, inbox = write_feeds(folder / "feeds"), write_files(folder / "inbox", MASTERS)
    rows = []
    for number, trick in enumerate(TRICKS):
        cell = '"' + trick.replace('"', '""') + '"'
        rows.append(f"D{number},1,1,{cell},W1,2025-02-01T09:00:00,1,EA,in,\n")
        rows.append(f"E{number},1,1,A,{cell},2025-02-01T09:00:00,1,EA,in,\n")
        rows.append(f"F{number},1,1,A,W1,{cell},1,EA,in,\n")
        rows.append(f"{cell},1,1,A,W1,2025-02-01T09:00:00,1,EA,in,\n")
        name = f"move_2025-02-0{1 + number % 8} {trick}.csv".replace("/", "_")
        body = HEADERS["move"] + f"\nG{number},1,1,NO,W1,2025-02-01T09:00:00,1,EA,in,\n"
        (inbox / name).write_text(body, encoding="utf-8")
        (inbox / f"unclaimed {trick}".replace("/", "_")).write_text(str(number))
    (inbox / os.fsdecode(b"unclaimed \xff\xfe")).write_text("bytes that are no UTF-8")
    (inbox / os.fsdecode(b"move_2025-02-01 \xff.csv")).write_text(HEADERS["move"] + "\n")
    (inbox / "move_2025-02-09.csv").write_bytes((HEADERS["move"] + "\n" + "".join(rows)).encode())
    return warehouse, warehouse.run(feeds, inbox)


def test_s15_the_summary_of_a_run_over_hostile_names_and_cells_is_neutral(shown, capsys):
    _, report = shown
    assert report.refused and report.unclaimed and report.set_aside
    with open(os.devnull, "w", encoding="utf-8") as _:
        console = Console(highlight=False, width=150, force_terminal=False)
    render(report, console)
    told = capsys.readouterr().out
    assert unsafe(told) == []
    assert forged(told) == []
    assert "[link=http://evil]" in told or "[bold red on white]" in told, "markup is shown, not obeyed"
    assert unsafe(json.dumps(report.as_json(), default=str)) == []


def test_s15_the_quarantine_shows_hostile_names_and_cells_as_text(shown, capsys):
    warehouse, _ = shown
    show_list(None, warehouse.url)
    show_records("move_2025-02-09.csv", None, None, warehouse.url)
    told = capsys.readouterr().out
    assert len(re.findall("why: ", told)) >= 3 * len(TRICKS) - 8
    assert unsafe(told) == []
    assert forged(told) == []


def test_s15_a_law_that_names_a_hostile_document_is_neutral(shown, capsys):
    from pipeline_manager.warehouse_commands import audit_laws

    warehouse, _ = shown
    audit_laws(None, warehouse.url)
    told = capsys.readouterr().out
    assert "law 1" in told
    assert unsafe(told) == []
