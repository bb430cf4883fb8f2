"""`systock orchestrate`: what the workflows call, and anybody by hand."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import DONE, command_errors, exit_with

EVENT_HELP = "File with the event's payload, as GitHub wrote it: GITHUB_EVENT_PATH."


def orchestrate(
    event: Annotated[Path, typer.Option(help=EVENT_HELP)],
    event_name: Annotated[str, typer.Option(help="Name of the event: push, issues... GITHUB_EVENT_NAME.")],
    plan: Annotated[bool, typer.Option("--plan", help="Print what would run as JSON, and run nothing.")] = False,
    only: Annotated[
        str | None, typer.Option(help="One stage of the plan: security, elt, observability or cleanup.")
    ] = None,
    feeds: Annotated[Path | None, typer.Option(help="Folder of prod's contracts; the simulated retailer's.")] = None,
    inbox: Annotated[Path | None, typer.Option(help="Folder of received files; the simulated retailer's.")] = None,
    comment: Annotated[
        Path | None, typer.Option(help="File for the Markdown comment, if there is one to make.")
    ] = None,
    run_url: Annotated[str | None, typer.Option(help="Address of this run; default: as GitHub tells it.")] = None,
    changed_since: Annotated[
        str | None, typer.Option(help="Commit since which files are looked at by the security stage; all without it.")
    ] = None,
) -> None:
    """Do what an event asks for: security, then ELT, then observability; or clean up. The same again does nothing.

    Exit codes: 0 done, or nothing to do; 1 a stage failed or refused; 2 the event cannot be read; 4 something is
    late, thin or wrong in the data that was loaded.

    Example: systock orchestrate --event event.json --event-name push --plan
    """
    with command_errors():
        from pipeline_manager.orchestrator.run import Request, orchestrate_event, show_plan

        request = Request(event, event_name, only, feeds, inbox, comment, run_url, changed_since)
        code = show_plan(request) if plan else orchestrate_event(request)
    exit_with(code or DONE)
