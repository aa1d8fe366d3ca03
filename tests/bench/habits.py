"""The part "habits": what ways to write the same thing cost, by which a user of Halyard may choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import counting
from echo_servers import OURS, Bench, Variant
from report import Part, number, say, table


@dataclass
class Way:
    what: str
    instructions: float | None = None
    calls: float | None = None


def counted(way: Way, instructions: Callable[[], float | None], calls: Callable[[], dict[str, float]]) -> Way:
    say(f"counting: {way.what}")
    if counting.can_count_instructions():
        way.instructions = instructions()
    if counting.can_count_calls():
        way.calls = sum(calls().values())
    return way


def program(what: str, scratch: Path, *command: str) -> Way:
    def of_length(times: int) -> list[str]:
        return [*command, str(times)]

    lengths = (1_000, 2_000)
    return counted(
        Way(what),
        lambda: counting.program_instructions(scratch, of_length, lengths),
        lambda: counting.program_calls(scratch, of_length, lengths),
    )


def echo(what: str, bench: Bench, *options: str) -> Way:
    variant, load = Variant(OURS, options), counting.Load(("pingpong",), "--messages", (100, 1_100))
    return counted(
        Way(what),
        lambda: counting.server_instructions(bench, variant, load),
        lambda: counting.server_calls(bench, variant, load),
    )


def measure(bench: Bench) -> Part:
    part = Part("habits", "What a way of writing costs", counting.what_cannot_be_counted())
    part.notes.append(
        "Ways to the same end, next to each other. Messages come one at a time here, so each has a turn of the loop for "
        "itself. Where it says so, the figures are those of one thread that plays the plain client as well. Valgrind counts "
        "every byte that is copied or filled in bulk as an instruction: making the string of 16 KiB is 16,384 of them."
    )
    pieces, signals = (str(bench.directory / name) for name in ("bench_pieces", "signals/bench_signals_halyard"))
    ways = [
        echo("a 64-byte message is echoed by `write(readAll())`", bench),
        echo("by `peek()`, `write()`, `skip()`", bench, "--peek"),
        echo("by `write(readAll())`, and the socket has a read timeout", bench, "--timeouts", "0"),
        program("10 × 64 bytes are written outside any slot (with the client)", bench.scratch, pieces, "outside"),
        program("in a slot (with the client, and his byte that calls it)", bench.scratch, pieces, "inside"),
        program("16 KiB are written in a slot, `write(text)` (with the client)", bench.scratch, pieces, "copied"),
        program("by `write(std::move(text))` (with the client)", bench.scratch, pieces, "moved"),
        program("a client connects, has 64 bytes echoed and goes (with the client)", bench.scratch, pieces, "connection"),
        program("an emission reaches a slot on the same thread, directly", bench.scratch, signals, "emit1"),
        program("through the queue, `ConnectionType::Queued`", bench.scratch, signals, "queued_here"),
        program("a function is posted to the own loop, and runs", bench.scratch, signals, "posted_here"),
        program("a slot is connected and disconnected", bench.scratch, signals, "reconnect"),
    ]
    rows = [[way.what, number(way.instructions, 0), number(way.calls, 2)] for way in ways]
    part.tables.append(table("Each, once", ["", "instructions", "system calls"], rows))
    part.results["habits"] = [asdict(way) for way in ways]
    return part
