"""The senders outside: what they send in the life of a small retailer, drawn from a seed."""

from random import Random

from test.pipeline_manager.small_retailer import MASTERS, feed_of

DAYS = ("2025-02-01", "2025-02-02", "2025-02-03")
TIMES = tuple(f"{day}T{hour}:00:00" for day in DAYS for hour in ("08", "12", "17"))
KEYED = ("move", "count", "product", "place", "kind", "alias", "pack")


class Outside:
    """Files by name, as they were sent; every file ever made is in `files`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.files: dict[str, str] = {}
        self._revisions: dict[tuple[str, ...], int] = {}
        self._moves: list[list[str]] = []

    def masters(self) -> dict[str, str]:
        return self._send(dict(MASTERS))

    def deliver(self) -> dict[str, str]:
        """Some files of some feeds."""
        pick = self.random.choice
        chosen = self.random.sample(sorted(_DRAW), k=self.random.randint(2, 4))
        sent = {}
        for feed in chosen:
            rows = [_DRAW[feed](self) for _ in range(self.random.randint(1, 8))]
            sent[self._name(feed, pick(DAYS))] = "".join(f"{row}\n" for row in rows)
        return self._send(sent)

    def redeliver(self) -> dict[str, str]:
        """A file again, under its name or under another of the same day."""
        name = self.random.choice(sorted(self.files))
        if self.random.random() < 0.5:
            return {name: self.files[name]}
        feed, day, *_ = name.removesuffix(".csv").split("_")
        return self._send({self._name(feed, day): self.files[name]})

    def split(self) -> dict[str, str]:
        """A file with keys once more, cut in two at the end of a record."""
        names = [n for n in sorted(self.files) if feed_of(n) in KEYED and self.files[n].count("\n") > 1]
        if not names:
            return self.redeliver()
        name = self.random.choice(names)
        lines = self.files[name].splitlines(keepends=True)
        at = self.random.randint(1, len(lines) - 1)
        feed, day, *_ = name.removesuffix(".csv").split("_")
        return self._send({self._name(feed, day): "".join(lines[:at]), self._name(feed, day): "".join(lines[at:])})

    def correct(self) -> dict[str, str]:
        return self._again("")

    def void(self) -> dict[str, str]:
        return self._again("void")

    def count(self) -> dict[str, str]:
        rows = "".join(f"{_count(self)}\n" for _ in range(self.random.randint(1, 4)))
        return self._send({self._name("count", self.random.choice(DAYS)): rows})

    def _again(self, status: str) -> dict[str, str]:
        if not self._moves:
            return self.deliver()
        doc, line, _, *rest = self.random.choice(self._moves)
        rest[3], rest[6] = str(self.random.randint(-3, 9)), status
        row = [doc, line, str(self._revision("move", doc, line)), *rest]
        return self._send({self._name("move", self.random.choice(DAYS)): ",".join(row) + "\n"})

    def _revision(self, *key: str) -> int:
        self._revisions[key] = self._revisions.get(key, 0) + self.random.randint(0, 1)
        return self._revisions[key]

    def _name(self, feed: str, day: str) -> str:
        return f"{feed}_{day}_{self.random.randrange(10**9):09d}.csv"

    def _send(self, files: dict[str, str]) -> dict[str, str]:
        self.files |= files
        return files


def _move(o: Outside) -> str:
    pick = o.random.choice
    doc, line = pick(["D1", "D2", "D3", "D4"]), pick(["1", "2"])
    row = [
        doc, line, str(o._revision("move", doc, line)), pick(["A", "B", "C", "old-A", "X"]), pick(["S1", "W1"]),
        pick(TIMES), str(o.random.randint(-3, 6)), pick(["", "EA", "DZ", "CS", "XX"]), pick(["in", "out", "new"]),
        pick(["", "", "", "void"]),
    ]  # fmt: skip
    o._moves.append(row)
    return ",".join(row)


def _count(o: Outside) -> str:
    pick = o.random.choice
    return ",".join([
        pick(["C1", "C2"]), str(o.random.randint(1, 3)), pick(["A", "B", "C", "old-A"]), pick(["S1", "W1"]),
        pick(TIMES), str(o.random.randint(0, 9)), pick(["item", "location"]), pick(["unknown", "zero"]),
        pick(["", "", "", "void"]),
    ])  # fmt: skip


def _ticket(o: Outside) -> str:
    pick = o.random.choice
    return ",".join([pick(["T1", "T2"]), pick(["A", "B", "C"]), pick(["S1", "W1"]), pick(TIMES), pick("12"), "9.99"])


def _master(*columns: list[str]):
    return lambda o: ",".join([*(o.random.choice(column) for column in columns), o.random.choice(DAYS)])


_DRAW = {
    "move": _move,
    "count": _count,
    "ticket": _ticket,
    "product": _master(["A", "B", "C"], ["Ann", "Bob"], ["EA", "CS"]),
    "place": _master(["S1", "W1"], ["store", "warehouse"], ["", "UTC", "America/New_York"]),
    "kind": _master(["in", "new"], ["receipt", "adjustment"]),
    "alias": _master(["old-A"], ["A", "B"]),
    "pack": _master(["A", "B", ""], ["CS", "DZ"], ["2", "3", "4"]),
}
