"""The page on reliability names a test for every fault, and the test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").partition("## Tests that can fail")[0]
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
EVERY_TEST = {
    name
    for path in (ROOT / "test").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}
NOT_YET = {"P13", "P15", "P16"}
"""Faults that cannot occur here yet; the page says why."""


@pytest.mark.fast
@pytest.mark.parametrize("fault", [f"F{n}" for n in range(1, 41)] + [f"P{n}" for n in range(1, 17)])
def test_every_fault_of_feeds_and_processes_has_a_named_test_or_a_sentence_why_not(fault):
    (row,) = re.findall(rf"^\| {fault} \| (.+) \| (.*)\|$", PAGE, re.MULTILINE)
    tests = re.findall(r"`(test_\w+)`", row[1])
    assert set(tests) <= EVERY_TEST
    assert bool(tests) != (fault in NOT_YET)
    assert fault not in NOT_YET or row[0].startswith("Cannot occur yet: ")


@pytest.mark.fast
@pytest.mark.parametrize("number", range(1, 17))
def test_every_attack_has_a_named_test_and_a_row_on_the_page_of_security(number):
    assert any(re.search(rf"_s{number:02}_", name) for name in EVERY_TEST)
    assert re.search(rf"\bS{number}\b", SECURITY)
