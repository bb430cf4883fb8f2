"""Break the code on purpose, one fault at a time, and see that the fault's test notices.

`make mutants` copies the project aside for each mutant, changes one place, and runs one test there. A mutant that
survives is a test that cannot fail. The table goes to the terminal and, with --out, into a Markdown file.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = Path(__file__).with_name("mutants.yml")


@dataclass(frozen=True)
class Mutant:
    """One deliberate fault in the code.

    Attributes:
        fault: number in the list of faults, such as F5.
        says: what the broken code does, as a sentence.
        file: path of the file that is changed.
        old: text that occurs exactly once in it.
        new: what stands there instead.
        test: the test that must fail, as pytest names it.
    """

    fault: str
    says: str
    file: str
    old: str
    new: str
    test: str


def mutants() -> list[Mutant]:
    """Return the mutants of mutants.yml."""
    return [Mutant(**entry) for entry in yaml.safe_load(MUTANTS.read_text(encoding="utf-8"))]


def _copy(target: Path) -> None:
    """Copy what belongs to the project: what git knows or would take up."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _passes(folder: Path, test: str) -> bool:
    """Run one test in a copy of the project; raise when pytest could not run it."""
    environ = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, check=False, cwd=folder, env=environ, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {test}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def is_killed(mutant: Mutant) -> bool:
    """Tell whether the test fails on the broken code."""
    with tempfile.TemporaryDirectory(prefix="systock-mutant-") as folder:
        copy = Path(folder)
        _copy(copy)
        broken = copy / mutant.file
        text = broken.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.fault}: the text to change is {text.count(mutant.old)} times in {mutant.file}")
        broken.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        return not _passes(copy, mutant.test)


def main() -> None:
    """Run the mutants asked for and end with 1 when one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="fault numbers, comma separated")
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    asked = parser.parse_args()
    wanted = set(asked.only.split(",")) if asked.only else None
    lines = ["| fault | the broken code | the test that notices | noticed |", "|---|---|---|---|"]
    survivors = 0
    for mutant in (m for m in mutants() if wanted is None or m.fault in wanted):
        killed = is_killed(mutant)
        survivors += not killed
        name = mutant.test.rpartition("::")[2]
        lines.append(f"| {mutant.fault} | {mutant.says} | `{name}` | {'yes' if killed else '**no**'} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    raise SystemExit(1 if survivors else 0)


if __name__ == "__main__":
    main()
