"""Measures echo servers: what an operation costs, counted, and how many of them go through in a second.

The first part counts user-space instructions (callgrind) and system calls (strace) of the server alone, each as the
difference of two runs of different length, so that starting and ending do not count. A server that is counted is slow
and finds many connections ready at once; all figures are taken that way. The second part times the servers in turns,
round by round, so that whatever else the machine does meets all of them; only ratios mean something.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from report import Failure, Goal, Part, busy_note, instructions_counted, listed_programs, number, say, table, verdict

FLOOR = "epoll"  # what ratios refer to
PATIENCE = 180  # seconds for one run of the load generator


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """A server, and how it is asked to serve."""

    server: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return " ".join((self.server, *self.options))


@dataclass(frozen=True)
class Counting:
    """A load of which two lengths are counted, and the goals for instructions and for system calls by variant."""

    title: str
    load: tuple[str, ...]
    length_option: str
    lengths: tuple[int, int]
    instructions: dict[str, Goal]
    calls: dict[str, Goal]


@dataclass(frozen=True)
class Timing:
    title: str
    load: tuple[str, ...]
    goal: Goal | None = Goal(0.95, at_least=True)


def countings(quick: bool) -> list[Counting]:
    return [
        Counting(
            "64-byte message, echoed over 64 connections",
            ("pingpong", "--connections", "64", "--size", "64"),
            "--messages",
            (4_000, 12_000) if quick else (20_000, 60_000),
            instructions={"halyard": Goal(500), "halyard --peek": Goal(350)},
            calls={"halyard": Goal(2.05), "halyard --peek": Goal(2.05)},
        ),
        Counting(
            "connection, accepted, echoed once and closed, 64 at a time",
            ("churn", "--concurrency", "64"),
            "--total",
            (200, 600) if quick else (1_000, 3_000),
            instructions={"halyard": Goal(4_500)},
            calls={"halyard": Goal(13.5)},
        ),
    ]


def timings(quick: bool) -> list[Timing]:
    def scaled(count: int) -> str:
        return str(count // 10 if quick else count)

    def messages(connections: int, count: int) -> Timing:
        title = f"64-byte messages, {connections:,} connection{'s' if connections != 1 else ''}"
        return Timing(title, ("pingpong", "--connections", str(connections), "--messages", scaled(count)))

    return [
        messages(1, 10_000),
        messages(64, 40_000),
        messages(1_000, 40_000),
        Timing("pieces of 64 KiB, streamed through one connection", ("stream", "--bytes", scaled(400_000_000))),
        Timing("connections opened, echoed, closed", ("churn", "--concurrency", "64", "--total", scaled(3_000)), None),
    ]


# --- running a server and the load --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A server that listens."""

    pid: int
    port: int

    def seconds(self) -> float:
        """The processor time that it has had (proc(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """The programs in a build directory, and how to run them."""

    def __init__(self, build_dir: Path, wanted: list[str], scratch: Path) -> None:
        self.directory = build_dir / "tests" / "bench"
        self.scratch = scratch
        # Where there are two processors, the server has one for itself.
        processors = sorted(os.sched_getaffinity(0))
        self.server_processor, self.load_processor = (processors[0], processors[-1])
        listed = listed_programs(build_dir)
        self.absence = [f"{name} is left out: what it needs is not installed." for name in listed["absent servers"]]
        unknown = set(wanted) - set(listed["servers"])
        if unknown:
            raise Failure(f"there is no server {', '.join(sorted(unknown))}, but {', '.join(listed['servers'])}")
        self.variants: list[Variant] = []
        for server in listed["servers"]:
            if not wanted or server in wanted:
                self.variants.append(Variant(server))
                if server == "halyard":
                    self.variants.append(Variant(server, ("--peek",)))
        # These are only counted: what threads gain in time is a matter of free processors, and a server has one here.
        self.threaded = [
            Variant(each.server, (how, "2"))
            for each in self.variants
            if each.name == "halyard"
            for how in ("--pool", "--loops")
        ]

    @contextmanager
    def serving(self, variant: Variant, *wrapper: str) -> Iterator[Served]:
        """A running server, under `wrapper` where one is given, which ends as an administrator would end it."""
        command = [*wrapper, str(self.directory / f"bench_echo_{variant.server}"), *variant.options]
        errors = self.scratch / "stderr.txt"
        with errors.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert process.stdout is not None
        pid = process.pid
        try:
            announced = re.fullmatch(
                r"(?:pid (?P<pid>\d+))? *listening on 127\.0\.0\.1:(?P<port>\d+)\n", process.stdout.readline()
            )
            if announced is None:
                raise Failure(f"{' '.join(command)} does not listen: {errors.read_text()}")
            pid = int(announced["pid"] or pid)
            os.sched_setaffinity(pid, {self.server_processor})
            yield Served(pid, int(announced["port"]))
            os.kill(pid, signal.SIGTERM)
            if process.wait(PATIENCE) != 0:
                raise Failure(f"{' '.join(command)} ended with {process.returncode}: {errors.read_text()}")
        finally:
            if process.poll() is None:
                os.kill(pid, signal.SIGKILL)
                process.kill()
                process.wait()
            process.stdout.close()

    def drive(self, port: int, load: tuple[str, ...]) -> dict[str, float]:
        """Runs the load generator; what it reports, by name."""
        command = [str(self.directory / "bench_load"), *load, "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            os.sched_setaffinity(process.pid, {self.load_processor})
            try:
                output, errors = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise Failure(f"{' '.join(command)} did not end in {PATIENCE} s") from error
        if process.returncode != 0:
            raise Failure(f"{' '.join(command)}: {errors.strip()}")
        return {name: float(value) for name, value in (pair.split("=") for pair in output.split())}


# --- part 1: counting ---------------------------------------------------------------------------------------------------


@dataclass
class Count:
    """What one operation costs a server."""

    load: str
    variant: str
    instructions: float | None = None
    calls: float | None = None
    calls_by_name: dict[str, float] | None = None


def count_instructions(bench: Bench, variant: Variant, load: tuple[str, ...]) -> int:
    out = bench.scratch / "callgrind.out"
    with bench.serving(variant, "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}") as server:
        bench.drive(server.port, load)
    return instructions_counted(out)


def count_calls(bench: Bench, variant: Variant, load: tuple[str, ...]) -> dict[str, int]:
    out = bench.scratch / "strace.txt"
    # strace keeps signals to itself: the shell says which process the server is going to be.
    tell_pid = ("sh", "-c", 'printf "pid $$ "; exec "$@"', "sh")
    with bench.serving(variant, "strace", "-f", "-c", "-o", str(out), *tell_pid) as server:
        bench.drive(server.port, load)
    calls = {}
    for line in out.read_text().splitlines():
        # % time, seconds, usecs/call, calls, errors (may be blank), syscall
        row = re.fullmatch(r" *[\d.]+ +[\d.]+ +\d* +(\d+) +(?:\d+ +)?([a-z]\w*)", line)
        if row is not None and row[2] != "total":
            calls[row[2]] = int(row[1])
    return calls


def count(bench: Bench, counting: Counting, variant: Variant) -> Count:
    short, long = (counting.load + (counting.length_option, str(length)) for length in counting.lengths)
    operations = counting.lengths[1] - counting.lengths[0]
    result = Count(counting.title, variant.name)
    if shutil.which("valgrind"):
        more = count_instructions(bench, variant, long) - count_instructions(bench, variant, short)
        result.instructions = more / operations
    if shutil.which("strace"):
        few, many = count_calls(bench, variant, short), count_calls(bench, variant, long)
        each = {name: (number - few.get(name, 0)) / operations for name, number in many.items()}
        result.calls_by_name = {name: round(number, 3) for name, number in each.items() if abs(number) >= 0.001}
        result.calls = sum(each.values())
    return result


def count_all(bench: Bench, quick: bool) -> Part:
    part = Part("## Echo servers, counted", list(bench.absence))
    missing = [tool for tool in ("valgrind", "strace") if not shutil.which(tool)]
    part.notes += [f"{tool} is not installed: what it counts is left out." for tool in missing]
    counts = []
    for counting in countings(quick):
        rows = []
        for variant in bench.variants + bench.threaded:
            say(f"counting {variant.name}: {counting.title}")
            one = count(bench, counting, variant)
            counts.append(one)
            calls = sorted((one.calls_by_name or {}).items(), key=lambda call: -call[1])
            rows.append(
                [
                    variant.name,
                    number(one.instructions, 0),
                    verdict(counting.instructions.get(variant.name), one.instructions),
                    number(one.calls, 2),
                    verdict(counting.calls.get(variant.name), one.calls),
                    ", ".join(f"{name} {each:.2f}" for name, each in calls if each >= 0.005),
                ]
            )
        header = ["server", "instructions", "goal", "system calls", "goal", "which"]
        part.tables.append(table(f"One {counting.title}", header, rows))
    part.results["counts"] = [asdict(each) for each in counts]
    return part


# --- part 2: timing -----------------------------------------------------------------------------------------------------


@dataclass
class Time:
    """What one round gave."""

    load: str
    variant: str
    round: int
    per_second: float
    p50_us: float
    p99_us: float
    server_us: float  # processor time of the server for one operation


def time_once(bench: Bench, timing: Timing, variant: Variant, number_of_round: int) -> Time:
    with bench.serving(variant) as server:
        before = server.seconds()
        said = bench.drive(server.port, timing.load)
        spent = server.seconds() - before
    return Time(
        timing.title,
        variant.name,
        number_of_round,
        said["per_second"],
        said["p50_us"],
        said["p99_us"],
        spent * 1e6 / said["messages"],
    )


def time_all(bench: Bench, quick: bool, rounds: int) -> Part:
    part = Part(f"## Echo servers, timed, medians of {rounds} rounds", bench.absence + busy_note())
    times = []
    for timing in timings(quick):
        say(f"timing {timing.title}: {rounds} rounds of {', '.join(each.name for each in bench.variants)}")
        taken: dict[str, list[Time]] = {variant.name: [] for variant in bench.variants}
        for number_of_round in range(rounds):
            for variant in bench.variants:
                taken[variant.name].append(time_once(bench, timing, variant, number_of_round))
        rows = []
        for name, own in taken.items():
            times += own
            rates = [each.per_second for each in own]
            # Round by round, because what disturbs a round disturbs all of it.
            ratios = [each.per_second / floor.per_second for each, floor in zip(own, taken.get(FLOOR, []))]
            ratio = statistics.median(ratios) if ratios else None
            goal = timing.goal if name.startswith("halyard") else None
            rows.append(
                [
                    name,
                    number(statistics.median(rates), 0),
                    f"{min(rates):,.0f} – {max(rates):,.0f}",
                    number(ratio, 2),
                    f"{min(ratios):.2f} – {max(ratios):.2f}" if ratios else "",
                    verdict(goal, ratio),
                    number(statistics.median(each.p50_us for each in own), 0),
                    number(statistics.median(each.p99_us for each in own), 0),
                    number(statistics.median(each.server_us for each in own), 1),
                ]
            )
        header = ["server", "per second", "spread", f"ratio to {FLOOR}", "spread", "goal"]
        header += ["p50 µs", "p99 µs", "server's processor µs each"]
        part.tables.append(table(timing.title[0].upper() + timing.title[1:], header, rows))
    part.results["times"] = [asdict(each) for each in times]
    return part
