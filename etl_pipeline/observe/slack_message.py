"""One message a run: what happened, how many, what to do, and where, in Slack's Block Kit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl_pipeline.observe.incidents import Changes, Incident
from etl_pipeline.observe.slack_text import MOST_BLOCKS, plain, shown
from etl_pipeline.observe.values import Breach

MOST_SHOWN = 12
"""Troubles with a section of their own; the others are counted."""
MOST_NAME, MOST_SENTENCE, MOST_ADVICE = 200, 1_100, 900
_FAILURE, _WARNING, _RESOLVED = ":red_circle:", ":large_yellow_circle:", ":large_green_circle:"
_IN_DOUBT = "Sent again: nobody knows whether it arrived the first time."


@dataclass(frozen=True)
class RunTold:
    """What a message says of the run itself.

    Attributes:
        env: environment.
        retailer: whose feeds; empty where nobody knows.
        is_published: whether gold stands for what was received.
        summary: what the run did, in a sentence.
        places: where to look next, a sentence each.
        run_url: address of the run for a browser; https only, empty if there is none.
    """

    env: str
    retailer: str = ""
    is_published: bool = True
    summary: str = ""
    places: Sequence[str] = ()
    run_url: str = ""


def compose(run: RunTold, changes: Changes) -> dict[str, Any]:
    """Return the message of a run, as a webhook takes it.

    Args:
        run: what is said of the run.
        changes: what it opened, made worse and resolved.
    """
    from slack_sdk.models.blocks import Block, DividerBlock, HeaderBlock, PlainTextObject

    title = _title(run, changes)
    told = [(breach, "New") for breach in _worst_first(changes.opened)]
    told += [(breach, f"Worse, was {_amount(incident)}") for incident, breach in changes.worse]
    blocks: list[Block] = [HeaderBlock(text=PlainTextObject(text=plain(title), emoji=False))]
    if run.summary:
        blocks.append(_section(shown(run.summary, MOST_SENTENCE)))
    blocks += [_section(_trouble(breach, word)) for breach, word in told[:MOST_SHOWN]]
    if len(told) > MOST_SHOWN:
        blocks.append(_section(f"and {len(told) - MOST_SHOWN:,} more: see ops.incident of this environment."))
    if changes.resolved:
        blocks += [DividerBlock(), _section(_gone(changes.resolved))]
    blocks.append(_context(_footer(run, changes)))
    return {
        "text": shown(title, MOST_SENTENCE),
        "blocks": [block.to_dict() for block in blocks[:MOST_BLOCKS]],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def told_again(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with a note that it may have been seen before."""
    return message | {"blocks": [*message["blocks"][: MOST_BLOCKS - 1], _context(_IN_DOUBT).to_dict()]}


def _title(run: RunTold, changes: Changes) -> str:
    parts = [
        f"{len(found):,} {word}"
        for found, word in ((changes.opened, "new"), (changes.worse, "worse"), (changes.resolved, "resolved"))
        if found
    ]
    if not run.is_published:
        parts.insert(0, "nothing was published")
    elif not parts:
        parts.append("all is well" if not changes.still_open else "nothing new")
    if changes.still_open:
        parts.append(f"{changes.still_open:,} open")
    return f"SyStock {run.env}: " + ", ".join(parts)


def _worst_first(breaches: Sequence[Breach]) -> list[Breach]:
    return sorted(breaches, key=lambda one: (one.severity != "failure", -one.amount, one))


def _amount(incident: Incident) -> str:
    return f"{incident.told_amount:,}" if incident.told_amount else "a warning"


def _name(breach: Breach, most: int = MOST_NAME) -> str:
    return shown(breach.subject + (f" at {breach.place}" if breach.place else ""), most)


def _trouble(breach: Breach, word: str) -> str:
    """Return a section: how bad, what, how many, and what to do."""
    sign, said = (_FAILURE, "failure") if breach.severity == "failure" else (_WARNING, "warning")
    advice = f"\n*What to do:* {shown(breach.advice, MOST_ADVICE)}" if breach.advice else ""
    return f"{sign} *{word} {said}:* *{_name(breach)}*\n{shown(breach.sentence, MOST_SENTENCE)}{advice}"


def _gone(resolved: Sequence[Incident]) -> str:
    lines = [
        f"{_RESOLVED} *Resolved:* {_name(one.breach, 100)} ({shown(one.breach.kind, 40)}), "
        f"open since {one.opened_at:%Y-%m-%d %H:%M} UTC"
        for one in resolved[:MOST_SHOWN]
    ]
    more = [f"and {len(resolved) - MOST_SHOWN:,} more resolved"] if len(resolved) > MOST_SHOWN else []
    return "\n".join([*lines, *more])


def _footer(run: RunTold, changes: Changes) -> str:
    """Return where to look: the environment, the open incidents, the commands, the run's address."""
    parts = [f"environment {shown(run.env, 80)}"] + ([shown(run.retailer, 80)] if run.retailer else [])
    parts.append(f"{changes.still_open:,} open in ops.incident")
    parts += [shown(place, 300) for place in list(run.places)[:5]]
    if run.run_url.startswith("https://") and not set(run.run_url) & set("<>|\"' \n"):
        parts.append(f"<{run.run_url.replace('&', '&amp;')[:500]}|the run>")
    return "  |  ".join(parts)


def _section(text: str) -> Any:
    from slack_sdk.models.blocks import MarkdownTextObject, SectionBlock

    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def _context(text: str) -> Any:
    from slack_sdk.models.blocks import ContextBlock, MarkdownTextObject

    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])
