"""Measures signals and queued events of Halyard and its peers: time, memory, instructions, and the goals.

Each library has a program of its own, which does a case for a short slice of time when it is asked to. In every round
all programs start anew (so that the addresses that each happens to get differ from round to round), and every case is
asked of all of them in several turns, of which a library's best one counts: a processor that others share is slow for
a while and quick for a while. Ratios are taken within a round.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import counting
from report import Failure, Goal, Part, busy_note, listed_programs, number, say, table

OURS = "halyard"
BARE = "function"  # a vector of std::function, called in a loop
PATIENCE = 120  # seconds for one answer
TURNS = 4  # of each case in a round

TITLES = {
    "halyard": "Halyard",
    "pair": "bare {function, context}",
    "function": "bare std::function",
    "qt": "Qt 6",
    "boost": "Boost.Signals2",
    "sigcpp": "libsigc++",
    "asio": "Asio",
}
TIMED = {
    "emit0": "emission without slots",
    "emit1": "slot call, 1 slot",
    "emit64": "slot call, 64 slots",
    "cold": "slot call, 50,000 signals of 1 slot, at random",
    "reconnect": "connect and disconnect",
    "death": "receiver with 64 connections dies",
    "queued_here": "queued signal, same thread",
    "posted_here": "posted function, same thread",
    "queued": "queued signal to another thread, in a burst",
    "posted": "posted function to another thread, in a burst",
}
CONNECTIONS = (1, 2, 5, 64, 4096)
BYTES = {"signal_bytes": "a signal that is not connected"} | {
    f"bytes{count}": f"a connection, {count:,} on one signal" for count in CONNECTIONS
}
# What callgrind counts, and two lengths of it: a multiple of 64 slots and of 100 events.
COUNTED = ("emit0", "emit1", "emit64", "reconnect", "queued_here", "posted_here")
LENGTHS = (6_400, 19_200)

Answer = float | str | None  # a figure, the reason of a refusal, or nothing: there is no such case


# --- asking the programs --------------------------------------------------------------------------------------------------


def understood(line: str, program: Path) -> Answer:
    if line.startswith("refused: "):
        return line.removeprefix("refused: ").strip()
    if line == "none\n":
        return None
    try:
        return float(line)
    except ValueError:
        raise Failure(f"{program.name} has ended, or answered {line!r}") from None


class Program:
    """A running program that waits to be asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, case: str, milliseconds: int) -> Answer:
        assert self.process.stdin is not None and self.process.stdout is not None
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(f"{case} {milliseconds}\n")
            self.process.stdin.flush()
            return understood(self.process.stdout.readline(), self.path)
        except BrokenPipeError:
            raise Failure(f"{self.path.name} has ended") from None
        finally:
            watch.cancel()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # ends its input, and so the program


class Libraries:
    def __init__(self, build_dir: Path) -> None:
        listed = listed_programs(build_dir)
        self.directory = build_dir / "tests" / "bench" / "signals"
        self.names = listed["libraries"]
        self.absent = listed["absent libraries"]

    def path(self, name: str) -> Path:
        return self.directory / f"bench_signals_{name}"

    def start(self, name: str) -> Program:
        return Program(self.path(name))


# --- what they say ----------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """By case and library: an answer in every round, or one that needs no repeating."""

    times: dict[str, dict[str, list[float]]]
    bytes: dict[str, dict[str, float]]
    instructions: dict[str, dict[str, float]]
    refusals: dict[str, str]  # by case, Halyard's

    def ratios(self, ours: str, theirs: str, library: str) -> list[float]:
        """How many times as long the library takes as Halyard, round by round."""
        mine, others = self.times[ours].get(OURS, []), self.times[theirs].get(library, [])
        return [other / own for own, other in zip(mine, others)]

    def best_ratio(self, ours: str, theirs: str, library: str) -> float:
        """The same of the best times of all rounds: what a machine would say that nobody shares."""
        return min(self.times[theirs][library]) / min(self.times[ours][OURS])


def time_all(libraries: Libraries, rounds: int, slice_ms: int, figures: Figures) -> None:
    figures.times = {case: {} for case in TIMED}
    for number_of_round in range(rounds):
        first = number_of_round % len(libraries.names)
        programs = {name: libraries.start(name) for name in libraries.names[first:] + libraries.names[:first]}
        try:
            for case, by_library in figures.times.items():
                best = {}
                for name, program in list(programs.items()) * TURNS:
                    said = program.ask(case, slice_ms)
                    if isinstance(said, float):
                        best[name] = min(said, best.get(name, said))
                    elif said is not None and name == OURS:
                        figures.refusals[case] = said
                for name, value in best.items():
                    by_library.setdefault(name, []).append(value)
        finally:
            for program in programs.values():
                program.__exit__()


def weigh_all(libraries: Libraries, figures: Figures) -> None:
    figures.bytes = {case: {} for case in BYTES}
    for case, by_library in figures.bytes.items():
        for name in libraries.names:
            with libraries.start(name) as program:  # a fresh one, whose heap holds nothing yet
                said = program.ask(case, 0)
            if isinstance(said, float):
                by_library[name] = said


def count_all(libraries: Libraries, scratch: Path, figures: Figures) -> None:
    figures.instructions = {case: {} for case in COUNTED}
    for case, by_library in figures.instructions.items():
        for name in (OURS, "pair", BARE):
            program = str(libraries.path(name))
            each = counting.program_instructions(scratch, lambda length: [program, case, str(length)], LENGTHS)
            if each is not None:
                by_library[name] = each


# --- the goals ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """How far the figures are: in each round, where it is a matter of time, and at best."""

    values: list[float]
    best: float


@dataclass(frozen=True)
class Aim:
    title: str
    goal: Goal
    reached: Callable[[Figures], Reached | None]  # None where it was not measured
    unit: str = ""
    refused_in: str = ""  # the case that has to work


def ratio(ours: str, theirs: str, library: str, power: int) -> Callable[[Figures], Reached | None]:
    def reached(figures: Figures) -> Reached | None:
        values = [each**power for each in figures.ratios(ours, theirs, library)]
        return Reached(values, figures.best_ratio(ours, theirs, library) ** power) if values else None

    return reached


def against(title: str, case: str, library: str, limit: float, theirs: str = "") -> Aim:
    """A peer takes at least so many times as long as Halyard, for the same or for another case of its own."""
    whose = f"{TITLES[library]}'s {TIMED[theirs].split(' to ')[0]}" if theirs else TITLES[library]
    what = f"{title}: {whose} takes at least {limit:g} × as long"
    return Aim(what, Goal(limit, at_least=True), ratio(case, theirs or case, library, 1), " ×", case)


def beside_bare_loop(title: str, case: str, limit: float) -> Aim:
    return Aim(f"{title}: at most {limit:g} × the bare loop", Goal(limit), ratio(case, case, BARE, -1), " ×", case)


def weight(case: str, limit: float) -> Aim:
    def reached(figures: Figures) -> Reached | None:
        value = figures.bytes[case].get(OURS)
        return None if value is None else Reached([value], value)

    return Aim(f"{BYTES[case]}: at most {limit:g} bytes", Goal(limit), reached, " B")


AIMS = (
    beside_bare_loop("slot call, 64 slots", "emit64", 1.5),
    against("slot call, 64 slots", "emit64", "qt", 8),
    against("slot call, 64 slots", "emit64", "sigcpp", 1),
    beside_bare_loop("slot call, 1 slot", "emit1", 2),
    against("slot call, 1 slot", "emit1", "qt", 10),
    against("connect and disconnect", "reconnect", "qt", 8),
    against("receiver with 64 connections dies", "death", "qt", 8),
    weight("signal_bytes", 8),
    *(weight(f"bytes{count}", 100) for count in CONNECTIONS),
    against("queued signal to another thread", "queued", "qt", 10),
    against("queued signal to another thread", "queued", "asio", 3, "posted"),
    against("posted function to another thread", "posted", "qt", 10, "queued"),
    against("posted function to another thread", "posted", "asio", 3),
)


def goal_row(aim: Aim, figures: Figures) -> list[str]:
    if aim.refused_in in figures.refusals:
        return [aim.title, f"refused: {figures.refusals[aim.refused_in]}", "", "", "**missed**"]
    reached = aim.reached(figures)
    if reached is None:
        return [aim.title, "not measured", "", "", ""]
    median = statistics.median(reached.values)
    timed = len(reached.values) > 1
    return [
        aim.title,
        f"{median:.2f}{aim.unit}",
        f"{min(reached.values):.2f} – {max(reached.values):.2f}" if timed else "",
        f"{reached.best:.2f}" if timed else "",
        aim.goal.verdict(median, reached.best),
    ]


# --- the report ---------------------------------------------------------------------------------------------------------------


def time_row(figures: Figures, case: str, names: list[str]) -> list[str]:
    row = [TIMED[case]]
    for name in names:
        times = figures.times[case].get(name, [])
        if times:
            row.append(f"{statistics.median(times):,.1f} ({min(times):,.1f} – {max(times):,.1f})")
        else:
            row.append("refused" if name == OURS and case in figures.refusals else "–")
    return row


def ratio_row(figures: Figures, case: str, names: list[str]) -> list[str]:
    row = [TIMED[case]]
    for name in names:
        ratios = figures.ratios(case, case, name)
        row.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} – {max(ratios):.2f})" if ratios else "–")
    return row


def rows_of(cases: dict[str, str], figures: dict[str, dict[str, float]], names: list[str], digits: int) -> list[list[str]]:
    return [
        [cases[case], *(number(by_library.get(name), digits) or "–" for name in names)]
        for case, by_library in figures.items()
    ]


def load_average() -> str:
    return f"{os.getloadavg()[0]:.2f}"


def measure(build_dir: Path, scratch: Path, quick: bool, rounds: int) -> Part:
    libraries = Libraries(build_dir)
    names = libraries.names
    part = Part("signals", f"Signals and queued events, medians of {rounds} rounds", busy_note())
    part.notes += [f"{TITLES[name]} is left out: it is not installed." for name in libraries.absent]

    figures = Figures({}, {}, {}, {})
    say(f"signals: weighing {', '.join(names)}")
    weigh_all(libraries, figures)
    if counting.can_count_instructions():
        say("signals: counting instructions")
        count_all(libraries, scratch, figures)
    else:
        part.notes += counting.what_cannot_be_counted()
    say(f"signals: {rounds} rounds of {', '.join(names)}")
    before = load_average()
    time_all(libraries, rounds, 2 if quick else 8, figures)
    part.notes.append(f"The load average was {before} before the rounds, and {load_average()} after them.")

    header = ["", *(TITLES[name] for name in names)]
    counted = [name for name in (OURS, "pair", BARE) if name in names]
    part.tables = [
        table(
            "Goals",
            ["goal", "reached", "least – most", "best to best", "verdict"],
            [goal_row(aim, figures) for aim in AIMS],
        ),
        table("Nanoseconds (least – most)", header, [time_row(figures, case, names) for case in TIMED]),
        table("Times as long as Halyard", header, [ratio_row(figures, case, names) for case in TIMED]),
        table("Bytes of the heap", header, rows_of(BYTES, figures.bytes, names, 0)),
    ]
    if figures.instructions:
        rows = rows_of(TIMED, figures.instructions, counted, 1)
        part.tables.append(table("Instructions", ["", *(TITLES[name] for name in counted)], rows))
    part.results["signals"] = {
        "times_ns": figures.times,
        "bytes": figures.bytes,
        "instructions": figures.instructions,
        "refused": figures.refusals,
        "absent": libraries.absent,
    }
    return part
