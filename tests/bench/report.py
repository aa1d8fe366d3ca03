"""How the benchmark writes down what it found, and what all its parts need for that."""

from __future__ import annotations

import math
import os
import platform
import re
import statistics
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path


class Failure(Exception):
    """Something did not run as it should; the text is for people."""


@dataclass(frozen=True)
class Goal:
    """What a figure of Halyard has to keep: at most the limit, or at least."""

    limit: float
    at_least: bool = False

    def keeps(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self, value: float, *as_likely: float) -> str:
        """In doubt where one that is as likely would say something else."""
        kept = self.keeps(value)
        doubt = "" if all(self.keeps(each) == kept for each in as_likely) else ", in doubt"
        return f"{'≥' if self.at_least else '≤'} {self.limit:,g}: {'kept' if kept else '**missed**'}{doubt}"


@dataclass
class Part:
    """What a part of the benchmark has to say: for people, and as figures by name."""

    name: str
    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)

    def text(self) -> str:
        return "\n".join([f"## {self.title}\n", *(f"{note}\n" for note in self.notes), *self.tables])


@dataclass(frozen=True)
class Median:
    """A median, and between what it lies with 95 % certainty, whatever the figures are spread like."""

    value: float
    least: float
    most: float

    @staticmethod
    def of(values: list[float]) -> Median:
        ranked = sorted(values)
        count = len(ranked)
        left_out = 0
        # So many at each end are left out that the middle lies outside the rest once in twenty times at most.
        while 2 * sum(math.comb(count, beyond) for beyond in range(left_out + 1)) <= 0.05 * 2**count:
            left_out += 1
        first = max(left_out - 1, 0)
        return Median(statistics.median(ranked), ranked[first], ranked[count - 1 - first])

    def range(self) -> str:
        return f"{self.least:.2f} – {self.most:.2f}"

    def verdict(self, goal: Goal) -> str:
        return goal.verdict(self.value, self.least, self.most)


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def verdict(goal: Goal | None, value: float | None) -> str:
    return "" if goal is None or value is None else goal.verdict(value)


def table(title: str, header: list[str], rows: list[list[str]], *notes: str) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    text = f"### {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return "\n".join([text, *(f"{note}\n" for note in notes)])


class Document:
    """A text with places for sections, each between two lines that mark it, and written anew by its name."""

    def __init__(self, path: Path, sections: list[str]) -> None:
        self.path = path
        for name in sections:
            self.around(name)  # which had better be known before an hour of measuring

    def around(self, name: str) -> tuple[str, str]:
        """What stands before the section and after it, with its marks."""
        begin, end = f"<!-- bench: {name} -->\n", f"<!-- end of {name} -->\n"
        try:
            before, found_begin, rest = self.path.read_text().partition(begin)
        except OSError as error:
            raise Failure(f"{self.path} cannot be read: {error.strerror}") from error
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise Failure(f"{self.path} has no place for {name}: the lines {begin.strip()} and {end.strip()}")
        return before + begin, end + after

    def write(self, name: str, section: str) -> None:
        before, after = self.around(name)
        self.path.write_text(f"{before}\n{section}\n{after}")


def processor_name() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def machine() -> dict[str, str | int]:
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": processor_name(),
        "processors": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
    }


def busy_note() -> list[str]:
    """What to say where others use the machine, too."""
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load <= processors / 2:
        return []
    return [f"**The machine was busy** ({load:.1f} on {processors} processors): the times say little."]


def listed_programs(build_dir: Path) -> dict[str, list[str]]:
    """What Meson has built, and what it has left out."""
    try:
        lines = (build_dir / "tests" / "bench" / "programs.txt").read_text().splitlines()
    except OSError as error:
        raise Failure(f"{build_dir} holds no benchmark; configure it with -Dbench=true ({error})") from error
    return {key: names.split() for key, names in (line.split(":", 1) for line in lines)}


def versions(build_dir: Path) -> str:
    """Of the compiler, and of what is measured."""
    return " ".join(listed_programs(build_dir)["versions"])
