"""When a feed owes files, and how much of what is usual they must bring."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from etl_pipeline.contracts.format import Strict


class Schedule(Strict):
    """When files are due; freshness is measured against it."""

    every_hours: Annotated[float | None, Field(description="Hours between files.", gt=0)] = None
    grace_hours: Annotated[float, Field(description="Hours of patience.", ge=0)] = 2
    each: Annotated[
        Literal["feed", "folder"],
        Field(description="folder: each folder of the inbox (one a store, say) owes a file of its own every time."),
    ] = "feed"
    time_marks: Annotated[
        Literal["start", "end"],
        Field(
            description="What a file's own time marks of the period that it covers: its start (the day in a name) or "
            "its end (the moment when it was written)."
        ),
    ] = "start"
    open_days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]],
        Field(description="Weekdays for which files are owed; on the others the source is closed.", min_length=1),
    ] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    closed: Annotated[list[date], Field(description="Days for which none is owed: holidays, stock-taking.")] = []
    ended: Annotated[date | None, Field(description="Last day for which files are owed: the source is gone.")] = None
    gate: Annotated[
        float | None,
        Field(
            description="Hold a file, whole, that brings less than this share of the records that its weekday usually "
            "brings, or more than as many times as much (0.2: less than a fifth, more than five times), until a "
            "person has looked at it. Without it no file is held for what is usual.",
            gt=0,
            lt=1,
        ),
    ] = None
