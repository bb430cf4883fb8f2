"""What the documents tell a stranger is true: their commands run, in their order, and print what is shown."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from etl_pipeline.core.reasons import FILE_REASONS, RECORD_REASONS
from pipeline_manager.commands import app

ROOT = Path(__file__).resolve().parents[2]
TOUR = ["README.md", "START_HERE.md"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"(?P<not_run><!-- not run: [^\n]+ -->\n+)?^```(?P<kind>bash|console)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CHANGING = [
    (re.compile(r"\d+\.\d s\b"), "N s"),
    (re.compile(r"host=[^\s'&]+"), "host=HERE"),
]
NO_MACHINE = re.compile(
    r"(?<![\w.~])/(work|home|root|Users|mnt|private)/|\blocalhost:\d|pypi|artifactory", re.IGNORECASE
)
BEGIN = 'set -e -o pipefail; test ! -f "$STATE" || . "$STATE"\n'
END = '\nexport -p > "$STATE"\n'


@dataclass(frozen=True)
class Step:
    """A command of a document, and the lines that it shows below it; None where it shows commands only."""

    where: str
    command: str
    shown: list[str] | None


def steps(document: str) -> Iterator[Step]:
    """Yield the commands of a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        if fence["not_run"]:
            continue
        first = text.count("\n", 0, fence.start("body")) + 1
        if fence["kind"] == "bash":
            yield Step(f"{document}, line {first}", fence["body"], None)
            continue
        for block in re.split(r"^\$ ", fence["body"], flags=re.MULTILINE)[1:]:
            lines = block.splitlines()
            last = next(n for n, line in enumerate(lines) if not line.endswith("\\"))
            yield Step(f"{document}, line {first}", "\n".join(lines[: last + 1]), lines[last + 1 :])


def masked(line: str) -> str:
    for pattern, instead in CHANGING:
        line = pattern.sub(instead, line)
    return line.rstrip()


def is_told(shown: list[str], output: str) -> bool:
    """Tell whether a document shows an output as it came; an ellipsis stands for what was left out of it."""
    lines = [masked(line) for line in "\n".join(shown).strip("\n").splitlines()]
    wanted = "".join(
        r"(?:.*\n)*" if line == "…" else ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
        for line in lines
    )
    came = "".join(f"{masked(line)}\n" for line in output.strip("\n").splitlines())
    return re.fullmatch(wanted, came) is not None


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A copy of this tree; its own server is stopped at the end."""
    copy = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "bench_results", "target")
    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.copy(ROOT / ".env.example", copy)
    yield copy
    run(clone_environment(copy, tmp_path), copy, "systock stop")


def clone_environment(copy: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who activated .venv: `systock` and `python` are on the PATH."""
    commands = tmp_path / "bin"
    commands.mkdir(exist_ok=True)
    systock = commands / "systock"
    systock.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline_manager.commands "$@"\n')
    systock.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYSTOCK_", "PYTEST_", "PG"))}
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), kept.get("PATH", "")])
    return kept | {
        "PATH": path,
        "PYTHONPATH": str(copy),
        "STATE": str(tmp_path / "state"),
        "COLUMNS": "80",
        "LC_ALL": "C.UTF-8",
    }


def run(environment: dict[str, str], folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", BEGIN + command + END], cwd=folder, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip


@pytest.mark.slow
def test_the_commands_of_the_tour_run_in_their_order_and_print_what_is_shown(clone, tmp_path):
    environment = clone_environment(clone, tmp_path)
    wrong, kept = [], []
    for step in [step for document in TOUR for step in steps(document)]:
        done = run(environment, clone, step.command)
        kept.append(f"### {step.where}\n$ {step.command}\n{done.stdout}")
        if done.returncode:
            wrong.append(f"{step.where}: exit code {done.returncode} of: {step.command}\n{done.stdout}")
            break
        if step.shown is not None and not is_told(step.shown, done.stdout):
            shown = "\n".join(step.shown)
            wrong.append(f"{step.where}: {step.command}\nshown:\n{shown}\nprinted:\n{done.stdout}")
    if os.environ.get("KEEP_TOUR"):
        Path(os.environ["KEEP_TOUR"]).write_text("\n".join(kept), encoding="utf-8")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.fast
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_links_to_exists(document):
    text = ANY_FENCE.sub("", document.read_text(encoding="utf-8"))
    targets = [match["target"].partition("#")[0] for match in LINK.finditer(text)]
    inside = [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
    assert [target for target in inside if not (document.parent / target).exists()] == []


@pytest.mark.fast
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_document_names_no_place_of_one_machine(document):
    lines = document.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if NO_MACHINE.search(line)] == []


def commands(typed: typer.Typer, name: str) -> Iterator[str]:
    """Yield how each command is called."""
    for command in typed.registered_commands:
        function = command.callback.__name__ if command.callback else ""
        yield f"{name} {command.name or function.replace('_', '-')}"
    for group in typed.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{name} {group.name}")


@pytest.mark.fast
@pytest.mark.parametrize("name", list(commands(app, "systock")))
def test_every_command_has_help_with_an_example(name):
    command: Any = typer.main.get_command(app)
    for part in name.split()[1:]:
        command = command.commands[part]
    assert "Example: " in command.help
    assert [option.name for option in command.params if not getattr(option, "help", None)] == []


ANY_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
IN_FENCE = re.compile(
    r"^(?:\$ )?(?:\w+=\S* )*systock (?P<rest>[^\n|;)&>#]+)|\$\(systock (?P<put>[^)]+)\)", re.MULTILINE
)
IN_LINE = re.compile(r"`(?:[^`\n]*pipeline )?systock (?P<rest>[^`|;)&>#]+)")


def calls(document: Path) -> set[str]:
    """Return how a document calls the command, without pipes and whatever follows."""
    text = document.read_text(encoding="utf-8")
    fences = [match for fence in ANY_FENCE.findall(text) for match in IN_FENCE.finditer(fence)]
    found = [match["rest"] or match["put"] for match in fences]
    found += [match["rest"] for match in IN_LINE.finditer(ANY_FENCE.sub("", text))]
    return {" ".join(call.split()) for call in found}


def wrong_use(called: str) -> str | None:
    """Return what a call that a document shows would be refused for, by its words alone."""
    command: Any = typer.main.get_command(app)
    words = [word for word in called.replace("\\", " ").split() if word not in ("...", "…")]
    while words and hasattr(command, "commands"):
        if words[0] == "--help":
            return None
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command = command.commands[words.pop(0)]
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("--")}
    places = sum(1 for p in command.params if p.param_type_name == "argument")
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if not name.startswith("-"):
            places -= 1
        elif name not in (*options, "--help"):
            return f"no option {name}"
        elif name != "--help" and not options[name].is_flag and not value and words:
            words.pop(0)
    return "more words than it takes" if places < 0 else None


@pytest.mark.fast
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_call_of_systock_in_a_document_is_one_that_it_takes(document):
    assert [(call, wrong) for call in sorted(calls(document)) if (wrong := wrong_use(call))] == []


@pytest.mark.fast
def test_the_page_on_quarantine_names_every_reason():
    page = (ROOT / "docs" / "quarantine.md").read_text(encoding="utf-8")
    assert [reason for reason in FILE_REASONS | RECORD_REASONS if f"`{reason}`" not in page] == []
