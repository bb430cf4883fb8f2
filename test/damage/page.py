"""The table of docs/damaged-files.md, from what was measured."""

from collections import Counter
from pathlib import Path

from test.damage.judge import Verdict
from test.damage.polluter import FILE, RECORDS, SAME
from test.run_warehouse import REPO

PAGE = REPO / "docs" / "damaged-files.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def table(verdicts: list[Verdict]) -> str:
    """One row a kind of damage, in the order of the corpus, and their sum."""
    rows = [
        "| damage | files | loaded right | records set aside | file set aside | reasons |",
        "|---|--:|--:|--:|--:|---|",
    ]
    kinds = list(dict.fromkeys(v.file.kind for v in sorted(verdicts, key=lambda v: v.file.case.number)))
    for kind in kinds:
        own = [v for v in verdicts if v.file.kind == kind]
        reasons = sorted({reason for v in own for reason in v.reasons})
        rows.append(f"| {kind} | {counts(own)} | {', '.join(f'`{reason}`' for reason in reasons)} |")
    rows.append(f"| **all {len(kinds)} kinds** | {counts(verdicts)} | |")
    lost, shifted = sum(v.lost for v in verdicts), sum(v.shifted for v in verdicts)
    rows += [
        "",
        f"Records in these files lost without a word: **{lost}**. Values changed or in a wrong column: **{shifted}**.",
    ]
    return "\n".join(rows)


def counts(verdicts: list[Verdict]) -> str:
    fates = Counter(v.fate for v in verdicts)
    return " | ".join(str(n) for n in (len(verdicts), fates[SAME], fates[RECORDS], fates[FILE]))


def told(page: Path = PAGE) -> str:
    """The table that the page shows."""
    return page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write(verdicts: list[Verdict], page: Path = PAGE) -> None:
    """Put the measured table into the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{table(verdicts)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
