"""`systock notify`: sends what waits in the outbox of an environment."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import DONE, STOPPED, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP

LONGEST_ROUND = 60.0


def notify(
    env: Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Send the messages that wait because Slack was down or busy; ends with 1 while some still wait.

    A run does the same at its end. SLACK_WEBHOOK_URL must be set.

    Example: systock notify
    """
    with command_errors():
        from etl_pipeline.core.settings import load_settings
        from pipeline_manager.telling import connected, send_all, told_of_sending, webhook_or_refusal
        from pipeline_manager.warehouse_commands import deployed_warehouse

        webhook = webhook_or_refusal(load_settings(os.environ, Path.cwd()).environ)
        with deployed_warehouse(env, database_url) as opened:
            opened.deploy()
            with connected(opened) as connection:
                sent = send_all(connection, opened.warehouse.schemas, webhook, lambda: datetime.now(UTC), LONGEST_ROUND)
        sys.stdout.write(told_of_sending(sent) + "\n")
    exit_with(STOPPED if sent.waiting or sent.given_up else DONE)
