"""Counts what an operation costs: user-space instructions (callgrind) and system calls (strace) of one program, each as
the difference of two runs of different length, so that starting and ending do not count."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from echo_servers import Bench, Variant
from report import Failure

PATIENCE = 900  # seconds for one run of a program


@dataclass(frozen=True)
class Load:
    """What the load generator does, in two lengths."""

    arguments: tuple[str, ...]
    length_option: str
    lengths: tuple[int, int]

    def of(self, length: int) -> tuple[str, ...]:
        return (*self.arguments, self.length_option, str(length))


def callgrind(out: Path) -> tuple[str, ...]:
    return ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}")


def instructions_of_run(callgrind_out: Path) -> int:
    found = re.search(r"^summary: (\d+)", callgrind_out.read_text(), re.MULTILINE)
    if found is None:
        raise Failure("callgrind has left no summary")
    return int(found[1])


def calls_of_run(strace_out: Path) -> dict[str, int]:
    calls = {}
    for line in strace_out.read_text().splitlines():
        # % time, seconds, usecs/call, calls, errors (may be blank), syscall
        row = re.fullmatch(r" *[\d.]+ +[\d.]+ +\d* +(\d+) +(?:\d+ +)?([a-z]\w*)", line)
        if row is not None and row[2] != "total":
            calls[row[2]] = int(row[1])
    return calls


@functools.cache
def can_count_instructions() -> bool:
    return shutil.which("valgrind") is not None


@functools.cache
def can_count_calls() -> bool:
    """Not where strace is missing, nor where it may not trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


def what_cannot_be_counted() -> list[str]:
    notes = []
    if not can_count_instructions():
        notes.append("valgrind is not installed: instructions are left out.")
    if not can_count_calls():
        notes.append("strace is not installed, or may not trace: system calls are left out.")
    return notes


# --- of an echo server ----------------------------------------------------------------------------------------------------


def server_instructions(bench: Bench, variant: Variant, load: Load, idle: int = 0) -> float:
    """Beside so many idle connections. They come few at a time and outlive the server, so that they cost nearly the same
    in both runs."""
    out = bench.scratch / "callgrind.out"

    def run(length: int) -> int:
        with ExitStack() as ends_last, bench.serving(variant, *callgrind(out)) as server:
            if idle:
                ends_last.enter_context(bench.holding(server.port, idle, at_once=16))
            bench.drive(server.port, load.of(length))
        return instructions_of_run(out)

    return per_operation(run, load.lengths)


def server_calls(bench: Bench, variant: Variant, load: Load) -> dict[str, float]:
    out = bench.scratch / "strace.txt"
    # strace keeps signals to itself: the shell says which process the server is going to be.
    tell_pid = ("sh", "-c", 'printf "pid $$ "; exec "$@"', "sh")

    def run(length: int) -> dict[str, int]:
        with bench.serving(variant, "strace", "-f", "-c", "-o", str(out), *tell_pid) as server:
            bench.drive(server.port, load.of(length))
        return calls_of_run(out)

    return calls_per_operation(run, load.lengths)


# --- of a program that does so many operations -----------------------------------------------------------------------------


def run_quietly(command: list[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if ran.returncode != 0:
        raise Failure(f"{' '.join(command)}: {ran.stderr.strip()}")
    return ran.stdout


def program_instructions(scratch: Path, command: Callable[[int], list[str]], lengths: tuple[int, int]) -> float | None:
    """None where the program has no such case."""
    out = scratch / "callgrind.out"
    absent = False

    def run(length: int) -> int:
        nonlocal absent
        absent = run_quietly([*callgrind(out), *command(length)]) == "none\n"
        return instructions_of_run(out)

    each = per_operation(run, lengths)
    return None if absent else each


def program_calls(scratch: Path, command: Callable[[int], list[str]], lengths: tuple[int, int]) -> dict[str, float]:
    out = scratch / "strace.txt"

    def run(length: int) -> dict[str, int]:
        run_quietly(["strace", "-f", "-c", "-o", str(out), *command(length)])
        return calls_of_run(out)

    return calls_per_operation(run, lengths)


def per_operation(run: Callable[[int], int], lengths: tuple[int, int]) -> float:
    short, long = (run(length) for length in lengths)
    return (long - short) / (lengths[1] - lengths[0])


def calls_per_operation(run: Callable[[int], dict[str, int]], lengths: tuple[int, int]) -> dict[str, float]:
    short, long = (run(length) for length in lengths)
    return {name: (number - short.get(name, 0)) / (lengths[1] - lengths[0]) for name, number in long.items()}
