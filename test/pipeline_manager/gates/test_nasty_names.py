"""Files whose names are made to do harm are judged like any other, and change nothing but what is shown."""

import json
import os
from urllib.parse import unquote_to_bytes

import pytest
from typer.testing import CliRunner

from pipeline_manager.commands import app
from test.pipeline_manager.gates.small_repository import committed, small_repository
from test.pipeline_manager.gates.test_showing import NASTY

pytestmark = pytest.mark.slow
MORE = ["--version.sql", "-", "{{ ops }}.sql", "*.sql", "a b.sql", "a;touch stolen;.sql", "%(x)s.sql", "'\".sql"]


def files(kind):
    names = [name for name in (*NASTY, *MORE) if name != "-"]
    return [name.replace("/", "").replace(".sql", kind) for name in names]


def test_every_gate_finds_what_is_wrong_in_files_of_any_name_and_prints_no_line_of_their_making(tmp_path):
    root = small_repository(tmp_path / "repository")
    first = committed(root)
    wrong = {".sql": "SELECT 1 as  a from x where\n", ".yml": "a:   1\n"}
    for kind, text in wrong.items():
        for name in files(kind):
            (root / name).write_text(text, encoding="utf-8")
    before = sorted(os.listdir(os.fsencode(tmp_path)))
    sarif = tmp_path / "gates.sarif"
    asked = ["gates", "--root", str(root), "--only", "sql,yaml", "--changed-since", first, "--sarif", str(sarif)]
    for more in ([], ["--annotations"]):
        done = CliRunner().invoke(app, [*asked, *more])
        assert done.exit_code == 1, done.output
        starts = ("::error file=", "::warning file=") if more else ("sql: ", "yaml: ")
        lines = done.stdout.splitlines()
        assert [line for line in lines[:-2] if not line.startswith(starts) or not line.isprintable()] == []
        assert "##[" not in done.stdout
    results = json.loads(sarif.read_text(encoding="utf-8"))["runs"][0]["results"]
    uris = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results}
    assert {unquote_to_bytes(uri) for uri in uris} == {os.fsencode(name) for kind in wrong for name in files(kind)}
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted([*before, b"gates.sarif"])
    assert not (root / "stolen").exists()
