"""Transforms in the runner's own process: nothing to start, nothing to send."""

from collections.abc import Generator, Sequence

from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Transformed, Unit


class InProcess:
    """Does each unit when its turn comes."""

    def __init__(self, transform: Transform) -> None:
        """Use this transform."""
        self._transform = transform

    def prepare(self, units: Sequence[Unit]) -> None:
        """Nothing has to be started."""

    def run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        """Yield what comes of the units, in their order."""
        for number, unit in enumerate(units):
            for done in self._transform.run(unit, desk):
                yield number, done

    def close(self) -> None:
        """Nothing has to be ended."""
