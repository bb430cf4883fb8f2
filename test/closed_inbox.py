"""An inbox with a folder that its reader may not look into; root reads everything, and so reads as somebody else."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
platform.system()  # what somebody else may not import any more


@contextmanager
def closed_inbox() -> Iterator[Path]:
    """Yield an inbox with the folders `open` and `closed`, a file in each, as a user for whom `closed` is closed."""
    inbox = Path(tempfile.mkdtemp(prefix="systock-inbox-"))  # nobody gets into pytest's own folders
    for name in ("open", "closed", ".closed", "lost+found"):
        (inbox / name).mkdir()
        (inbox / name / "a.csv").write_text("a\n1\n")
        (inbox / name).chmod(0o777 if name == "open" else 0)
    inbox.chmod(0o755)
    was = os.geteuid()
    try:
        os.seteuid(NOBODY if was == 0 else was)
        yield inbox
    finally:
        os.seteuid(was)
        for folder in inbox.iterdir():
            folder.chmod(0o700)
        shutil.rmtree(inbox)
