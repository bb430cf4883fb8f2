"""The state of an environment in Prometheus's text format, for node_exporter's textfile collector."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

READABLE_BY_ALL = 0o644


@dataclass(frozen=True)
class Figure:
    """One metric with its values.

    Attributes:
        name: without the prefix; the unit is its last word.
        meaning: one line of help.
        values: value by the values of its labels.
        labels: names of the labels, beside the environment.
    """

    name: str
    meaning: str
    values: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    labels: Sequence[str] = ()


def exposition(env: str, figures: Sequence[Figure]) -> str:
    """Return figures as text; those without a value are left out, so that nobody takes a gap for a zero."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for figure in figures:
        if not figure.values:
            continue
        gauge = Gauge(f"systock_{figure.name}", figure.meaning, ["env", *figure.labels], registry=registry)
        for labels, value in figure.values.items():
            gauge.labels(env, *labels).set(value)
    return generate_latest(registry).decode("utf-8")


def write_whole(target: Path, text: str) -> None:
    """Write a file so that a reader finds the old one or the new one, and never half of it.

    The file beside it has another ending, so that a collector of `*.prom` does not read it.
    """
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(READABLE_BY_ALL)  # the collector is somebody else
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
