"""The echo servers of Halyard and its peers: which there are, and how to run one and load it."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from report import Failure, listed_programs

OURS = "halyard"  # what ratios refer to
TASKS = "halyard_task"
FLOOR = "epoll"
PEERS = ("asio", "libevent", "qt")  # which do what Halyard does
LOOKS_AT_ALL = ("qt",)  # at every connection in every turn, by poll(2)
PATIENCE = 900  # seconds for one run of the load generator; a server may run under Valgrind
MANY = 100_000  # connections, for which there should be descriptors
SPARE = 100  # descriptors that are not connections


@dataclass(frozen=True)
class Variant:
    """A server, and how it is asked to serve."""

    server: str
    options: tuple[str, ...] = ()
    title: str = ""

    @property
    def name(self) -> str:
        return " ".join((self.server, *self.options))


VARIANTS = (
    Variant("halyard", (), "Halyard, `write(readAll())`"),
    Variant("halyard", ("--peek",), "Halyard, `peek()`/`skip()`"),
    Variant(TASKS, (), "Halyard, tasks"),
    Variant(TASKS, ("--peek",), "Halyard, tasks, `peek()`/`skip()`"),
    Variant("epoll", (), "raw epoll"),
    Variant("uv_poll", (), "bare `uv_poll_t`"),
    Variant("uv_tcp", ("--try-write",), "libuv, `uv_try_write`"),
    Variant("uv_tcp", (), "libuv as its guide teaches"),
    Variant("asio", (), "Asio"),
    Variant("libevent", (), "libevent"),
    Variant("qt", (), "Qt 6"),
)
# On two threads. These are only counted: what threads gain in time is a matter of free processors.
POOL = Variant("halyard", ("--pool", "2"), "Halyard, pool of 2")
LOOPS = Variant("halyard", ("--loops", "2"), "Halyard, 2 loops")


@dataclass(frozen=True)
class Served:
    """A server that listens."""

    pid: int
    port: int

    def seconds(self) -> float:
        """The processor time that its one thread has had."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def seconds_of_its_own(self) -> float:
        """Those that it was not in the kernel, as far as the kernel's ticks tell."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def raise_descriptor_limit() -> int:
    """As many descriptors as this user may have, for the programs too; how many connections that makes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MANY + SPARE:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + SPARE, MANY + SPARE))
            return MANY
        except (OSError, ValueError):
            pass
    return MANY if hard == resource.RLIM_INFINITY else min(hard - SPARE, MANY)


def run_on(processors: set[int]) -> Callable[[], None]:
    """For what a new process does first: so its threads stay there, too."""
    return lambda: os.sched_setaffinity(0, processors)


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
        self.variants = [
            each for each in VARIANTS if each.server in listed["servers"] and (not wanted or each.server in wanted)
        ]
        self.threaded = [each for each in (POOL, LOOPS) if not wanted or each.server in wanted]
        self.most_connections = raise_descriptor_limit()

    @contextmanager
    def serving(self, variant: Variant, *wrapper: str, processors: set[int] | None = None) -> Iterator[Served]:
        """A running server, under `wrapper` where one is given, which ends as an administrator would end it."""
        command = [*wrapper, str(self.directory / f"bench_echo_{variant.server}"), *variant.options]
        errors = self.scratch / "stderr.txt"
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                preexec_fn=run_on(processors or {self.server_processor}),
            )
        assert process.stdout is not None
        pid = process.pid
        try:
            announced = re.fullmatch(
                r"(?:pid (?P<pid>\d+))? *listening on 127\.0\.0\.1:(?P<port>\d+)\n", process.stdout.readline()
            )
            if announced is None:
                raise Failure(f"{' '.join(command)} does not listen: {errors.read_text()}")
            pid = int(announced["pid"] or pid)
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

    @contextmanager
    def loading(
        self, port: int, load: tuple[str, ...], processor: int | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """The load generator, running."""
        command = [str(self.directory / "bench_load"), *load, "--port", str(port)]
        pipe = subprocess.PIPE
        place = run_on({self.load_processor if processor is None else processor})
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=place) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def holding(self, port: int, connections: int, at_once: int = 1_000) -> Iterator[None]:
        """So many connections, on each of which something was echoed, and that are idle since."""
        load = ("hold", "--connections", str(connections), "--at-once", str(at_once))
        with self.loading(port, load) as process:
            assert process.stdout is not None and process.stderr is not None
            if process.stdout.readline() != f"connections={connections}\n":
                raise Failure(f"there are no {connections} connections: {process.stderr.read().strip()}")
            yield

    def said_by(self, load: subprocess.Popen[str]) -> dict[str, float]:
        """What the load generator reports at its end, by name."""
        try:
            output, errors = load.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"the load generator did not end in {PATIENCE} s") from error
        if load.returncode != 0:
            raise Failure(f"the load generator: {errors.strip()}")
        return {name: float(value) for name, value in (pair.split("=") for pair in output.split())}

    def drive(self, port: int, load: tuple[str, ...]) -> dict[str, float]:
        with self.loading(port, load) as process:
            return self.said_by(process)
