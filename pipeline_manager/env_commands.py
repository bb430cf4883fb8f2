"""`systock env`: environments to try a feed or a change in, and to throw away."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import command_errors
from pipeline_manager.pipeline_flow import URL_HELP

app = typer.Typer(no_args_is_help=True, help="Environments: isolated copies of prod to try a change in.")
NameArgument = Annotated[str, typer.Argument(help="Name: small letters, digits, underscores.")]
UrlOption = Annotated[str | None, typer.Option("--database-url", help=URL_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON, and nothing else.")]


class Format(StrEnum):
    """How the impact is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


class From(StrEnum):
    """What an environment begins with."""

    prod = "prod"
    empty = "empty"


@app.command("create")
def create(
    name: NameArgument,
    origin: Annotated[From, typer.Option("--from", help="What it begins with.")] = From.prod,
    empty: Annotated[bool, typer.Option("--empty", help="The same as --from empty.")] = False,
    days: Annotated[float, typer.Option(help="Its lease; afterwards it takes no loads, and gc drops it.")] = 7,
    database_url: UrlOption = None,
) -> None:
    """Make an environment that shows the data of prod, or an empty one; it is there within seconds.

    Example: systock env create new_till
    """
    with command_errors():
        from pipeline_manager.environments.telling import create_and_tell

        typer.echo(create_and_tell(name, "empty" if empty else origin.value, days, database_url))


@app.command("list")
def list_(as_json: JsonOption = False, database_url: UrlOption = None) -> None:
    """List the environments: what they began with, age, expiry, size, last load.

    Example: systock env list
    """
    with command_errors(as_json=as_json):
        from pipeline_manager.environments.telling import listed

        typer.echo(listed(database_url, as_json=as_json))


@app.command("drop")
def drop(name: NameArgument, database_url: UrlOption = None) -> None:
    """Drop an environment: its schemas, its role, its files; prod is not touched.

    Example: systock env drop new_till
    """
    with command_errors():
        from pipeline_manager.environments.telling import drop_and_tell

        typer.echo(drop_and_tell(name, database_url))


@app.command("gc")
def gc(database_url: UrlOption = None) -> None:
    """Drop what is expired, and what a crash left half made.

    Example: systock env gc
    """
    with command_errors():
        from pipeline_manager.environments.telling import clear_and_tell

        typer.echo(clear_and_tell(database_url))


@app.command("refresh")
def refresh(name: NameArgument, database_url: UrlOption = None) -> None:
    """Base an environment on prod as it is now; what was loaded into it is gone.

    Example: systock env refresh new_till
    """
    with command_errors():
        from pipeline_manager.environments.telling import refresh_and_tell

        typer.echo(refresh_and_tell(name, database_url))


@app.command("diff")
def diff(
    name: NameArgument,
    how: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="File to write it into instead.")] = None,
    database_url: UrlOption = None,
) -> None:
    """Tell what an environment changes against prod: stock, promises, money, stock-outs, what is set aside.

    Example: systock env diff new_till --format markdown --out comment.md
    """
    with command_errors(as_json=how is Format.json):
        from pipeline_manager.environments.telling import told_impact

        told = told_impact(name, how.value, database_url)
        if out is None:
            typer.echo(told)
        else:
            out.write_text(told + "\n", encoding="utf-8")
