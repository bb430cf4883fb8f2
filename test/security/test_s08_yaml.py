"""S8: a contract from a stranger: tags, bombs and doubled keys are mistakes. More in test_hostile_yaml."""

import resource
import time

import pytest
import yaml

from etl_pipeline.contracts import yaml_lines
from etl_pipeline.contracts.loading import check_folder
from test.etl_pipeline.contracts.test_hostile_yaml import ATTACKS
from test.run_warehouse import REPO
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
MORE = {
    "object of ours": "feed: !!python/object:pipeline_manager.flow.Options {feeds: x, inbox: y}",
    "new object": "feed: !!python/object/new:subprocess.Popen [[touch, pwned]]",
    "apply in a key": "!!python/object/apply:os.system [touch pwned]: x",
    "tag by handle": "%TAG ! tag:yaml.org,2002:python/\n---\nfeed: !object/apply:os.system [touch pwned]",
    "verbatim tag": "feed: !<tag:yaml.org,2002:python/object/apply:os.system> [touch pwned]",
    "tagged document": "!!python/object/apply:os.system [touch pwned]",
    "duplicate by escape": 'feed: a\n"\\x66eed": b',
    "duplicate by merge twice": "x: &x {feed: a}\n<<: *x\n<<: *x\nfeed: b",
    "quadratic text": "a: &a " + "x" * 100_000 + "\n" + "".join(f"k{n}: *a\n" for n in range(19_000)),
    "nested anchors": "a: " + "".join(f"&n{n} [" for n in range(300)) + "]" * 300,
}


@pytest.mark.parametrize("text", (ATTACKS | MORE).values(), ids=(ATTACKS | MORE).keys())
def test_s08_hostile_yaml_is_a_mistake_does_nothing_and_costs_little(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "feeds"
    folder.mkdir()
    (folder / "retailer.yml").write_text("retailer: shop\ndescribes: A shop.\n")
    (folder / "x.yml").write_text(text, encoding="utf-8")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    result = check_folder(folder)
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # KB
    assert result.feeds is None
    assert [mistake for mistake in result.mistakes if mistake.file == "x.yml"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["feeds", "retailer.yml", "x.yml"], "nothing was run"


def test_s08_no_payload_as_a_whole_contract_gets_through(tmp_path):
    (tmp_path / "retailer.yml").write_text("retailer: shop\ndescribes: A shop.\n")
    for payload in PAYLOADS:
        (tmp_path / "x.yml").write_bytes(payload.encode("utf-8", "surrogatepass"))
        assert check_folder(tmp_path).feeds is None


LINE = "pipeline_manager/transforming/line.py"
"""Between a runner and the processes that it starts; nothing received goes over it but as a text within a value."""


def test_s08_yaml_is_read_by_one_loader_that_builds_no_objects():
    assert issubclass(yaml_lines._Loader, yaml.BaseLoader)
    unsafe = []
    for package in ("etl_pipeline", "extract", "load", "data_warehouse", "pipeline_manager"):
        for path in (REPO / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if any(name in text for name in ("yaml.load(", "unsafe_load", "full_load", "UnsafeLoader", "FullLoader")):
                unsafe.append(path.name)
            is_line = path.relative_to(REPO).as_posix() == LINE
            if not is_line and any(f"import {name}" in text for name in ("pickle", "marshal", "shelve")):
                unsafe.append(path.name)
    assert [name for name in unsafe if name != "yaml_lines.py"] == []
