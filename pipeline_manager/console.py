"""The command layer's manners: exit codes, and errors as sentences instead of tracebacks."""

import gc
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from etl_pipeline.core.errors import UsageError, WarehouseError

DONE, STOPPED, WRONG_USE, SET_ASIDE, BREACHED = 0, 1, 2, 3, 4

NOT_ON_WINDOWS = (
    "SyStock runs on Linux and macOS. On Windows, use it within WSL 2 or in containers: docs/operations.md, "
    '"Where it runs".'
)


def exit_with(code: int) -> NoReturn:
    """End the command."""
    gc.freeze()  # or Python looks through all that was imported for what nobody needs, and then gives back everything
    raise SystemExit(code)


def _say(sentence: str, code: int, *, as_json: bool) -> NoReturn:
    from etl_pipeline.core.log import printable

    if as_json:
        sys.stdout.write(json.dumps({"error": sentence, "exit_code": code}) + "\n")
    else:
        # What a sentence quotes from outside may neither move the terminal nor begin a line that looks like ours.
        sys.stderr.write(printable(sentence, one_line=False) + "\n")
    raise SystemExit(code)


def _told(error: WarehouseError) -> str:
    """Return an error's text; only the list of a contract's mistakes has lines of its own."""
    from etl_pipeline.core.settings import redact

    text = redact(str(error))
    return text if type(error).__name__ == "ContractError" else text.replace("\n", "\n| ")


def keep_traceback(error: BaseException) -> Path | None:
    """Write the traceback where a developer finds it; a person gets a sentence."""
    from etl_pipeline.core.settings import load_settings, redact

    try:
        folder = load_settings(os.environ, Path.cwd()).log_dir
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / "last_error.txt"
        target.write_text(redact("".join(traceback.format_exception(error))), encoding="utf-8")
    except OSError:
        return None
    return target


@contextmanager
def command_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn errors into a sentence and an exit code: 1 stopped, 2 wrong use or contract; 0 when another run works."""
    # Late, here and above: every command imports this module, and `systock --help` needs none of these.
    import logging

    from etl_pipeline.core.log import set_up_logging
    from etl_pipeline.core.settings import redact

    set_up_logging("WARNING")
    try:
        if sys.platform == "win32":
            raise UsageError(NOT_ON_WINDOWS)
        yield
    except UsageError as error:
        _say(_told(error), WRONG_USE, as_json=as_json)
    except WarehouseError as error:
        is_harmless = type(error).__name__ == "AlreadyRunningError"
        _say(_told(error), DONE if is_harmless else STOPPED, as_json=as_json)
    except KeyboardInterrupt:
        _say("Stopped on request. Nothing of the unfinished batch was kept; start it again.", STOPPED, as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(DONE) from None
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        kept = keep_traceback(error)
        where = f" Its details are in {kept}." if kept else ""
        told = redact(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        _say(
            f"Something unexpected stopped the run: {told}. What was published before stays.{where} Try again; if it "
            "happens again, send that file with your report.",
            STOPPED,
            as_json=as_json,
        )
