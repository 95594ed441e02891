"""Log lines: Heroku's form, split and decoded with care, bounded, each once."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path

import pytest

from baton.run import logs
from baton.run.client import AsyncSupervisor
from baton.run.specs import ProcessSpec
from baton.run.store import Store
from tests.run.stage import COMMANDS, Stage, eventually

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"

SPLITS = [
    (b"a\nb\n", False, [b"a", b"b"], 4),
    (b"a\r\nb", False, [b"a"], 3),
    (b"a\nb", True, [b"a", b"b"], 3),
    (b"\n\n", False, [b"", b""], 2),
    (b"", True, [], 0),
    (b"x" * 10_000, False, [], 0),
    (b"x" * 10_000 + b"\n", False, [b"x" * 10_000], 10_001),
    (b"x" * 10_001, False, [b"x" * 10_000], 10_000),
    (b"x" * 9_999 + "é".encode() + b"y\n", False, [b"x" * 9_999, "éy".encode()], 10_003),
    (b"\x80" * 10_001 + b"\n", False, [b"\x80" * 10_000, b"\x80"], 10_002),
]


@pytest.mark.parametrize(("data", "final", "lines", "used"), SPLITS)
def test_bytes_become_lines(data: bytes, final: bool, lines: list[bytes], used: int) -> None:
    assert logs.split_lines(data, final=final) == (lines, used)


def book_in(tmp_path: Path, store: Store) -> logs.Book:
    return logs.Book(store, "k", tmp_path / "k.log")


def test_what_was_written_but_not_agreed_on_is_cut_off_and_written_again(tmp_path: Path) -> None:
    store = Store()
    book = book_in(tmp_path, store)
    book.write("app", "web.1", ["one", "two"])
    book._append("app", "web.1", ["three"])
    after = book_in(tmp_path, store)
    assert [line.partition("]: ")[2] for _, line in after.select(10)] == ["one", "two"]
    after.write("app", "web.1", ["three"])
    assert [sequence for sequence, _ in after.select(10)] == [1, 2, 3]


def test_sequence_numbers_go_on_after_everything_but_the_file_is_gone(tmp_path: Path) -> None:
    book_in(tmp_path, Store()).write("app", "web.1", ["one", "two"])
    book = book_in(tmp_path, Store())
    book.write("app", "web.1", ["three"])
    assert [sequence for sequence, _ in book.select(10)] == [1, 2, 3]


def test_a_book_is_bounded_on_disk_and_keeps_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 50_000)
    book = book_in(tmp_path, Store())
    for number in range(5000):
        book.write("app", "web.1", [f"line {number}"])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 110_000
    found = book.select(1000)
    assert [line.partition("]: ")[2] for _, line in found] == [
        f"line {number}" for number in range(4000, 5000)
    ]


def test_lines_are_chosen_by_source_dyno_and_sequence(tmp_path: Path) -> None:
    book = book_in(tmp_path, Store())
    book.write("app", "web.1", ["a"])
    book.write("heroku", "web.1", ["b"])
    book.write("app", "web.10", ["c"])
    book.write("app", "worker.1", ["d"])

    def chosen(**how: str | int) -> str:
        return "".join(line[-1] for _, line in book.select(100, **how))  # type: ignore[arg-type]

    assert chosen(source="app") == "acd"
    assert chosen(dyno="web.1") == "ab"
    assert chosen(dyno="web") == "abc"
    assert chosen(source="app", dyno="web") == "ac"
    assert chosen(after=2) == "cd"


def test_lines_look_as_herokus_do(shared: Stage) -> None:
    spec = shared.app(
        workers=(
            ProcessSpec(
                "worker", "echo hello; printf 'caf\\303\\251 \\377'; sleep 600", 1, "Standard-1X", grace=5
            ),
        )
    )
    shared.deploy(spec)
    eventually(lambda: "café" in shared.log(spec))
    shared.supervisor.log(spec.key, "app", "api", "Release v1 created by someone")
    shared.supervisor.stop(spec.key, "worker")
    lines = shared.lines(spec)
    for wanted in (
        r"heroku\[worker\.1\]: Starting process with command `echo hello; .*`",
        r"heroku\[worker\.1\]: State changed from starting to up",
        r"app\[worker\.1\]: hello",
        r"app\[worker\.1\]: café \ufffd",
        r"app\[api\]: Release v1 created by someone",
        r"heroku\[worker\.1\]: Stopping all processes with SIGTERM",
        r"heroku\[worker\.1\]: Process exited with status 143",
        r"heroku\[worker\.1\]: State changed from up to down",
    ):
        assert any(re.fullmatch(f"{TIME} {wanted}", line) for line in lines), (wanted, lines)


def test_sigterm_reaches_all_processes_and_sigkill_those_that_do_not_listen(shared: Stage) -> None:
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('deaf', flush=True))\n"
        "print('on', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    command = "(setsid python deaf.py &) ; trap 'echo bye; exit 4' TERM; while :; do sleep 0.1; done"
    spec = shared.app(
        workers=(ProcessSpec("worker", command, 1, "Standard-1X", grace=2),), files={"deaf.py": program}
    )
    shared.deploy(spec)
    eventually(lambda: "app[worker.1]: on" in shared.log(spec))
    began = time.monotonic()
    shared.supervisor.stop(spec.key, "worker.1")
    assert time.monotonic() - began > 1.5
    log = shared.log(spec)
    assert "app[worker.1]: deaf" in log
    assert "app[worker.1]: bye" in log
    assert (
        "Error R12 (Exit timeout) -> At least one process failed to exit within 2 seconds of SIGTERM" in log
    )
    assert "Stopping remaining processes with SIGKILL" in log
    assert "Process exited with status 4" in log


def test_a_flood_blocks_nobody_fills_no_disk_and_its_losses_are_counted(shared: Stage) -> None:
    flood = (
        "import sys, time\n"
        "line = 'x' * 99 + '\\n'\n"
        "for n in range(1_000_000):\n"
        "    sys.stdout.write(line)\n"
        "print('over', flush=True)\n"
        "time.sleep(600)\n"
    )
    quiet = shared.app(
        COMMANDS["plain"],
        workers=(
            ProcessSpec(
                "ticker", "n=0; while sleep 0.05; do echo tick $((n++)); done", 1, "Standard-1X", grace=1
            ),
        ),
    )
    shared.deploy(quiet)
    loud = shared.app(
        workers=(ProcessSpec("worker", "python flood.py", 1, "Standard-1X", grace=1),),
        files={"flood.py": flood},
    )
    shared.deploy(loud)
    slowest = 0.0
    deadline = time.monotonic() + 60
    while ("app[worker.1]: over" not in (log := shared.log(loud)) and "L10" not in log) or "over" not in log:
        began = time.monotonic()
        assert shared.get(quiet)[0] == 200
        slowest = max(slowest, time.monotonic() - began)
        assert time.monotonic() < deadline
    assert slowest < 5
    size = sum(path.stat().st_size for path in shared.home.logs.glob(f"{loud.key}.log*"))
    assert size < 25 << 20
    text = "".join(path.read_text() for path in shared.home.logs.glob(f"{loud.key}.log*"))
    dropped = sum(
        int(count) for count in re.findall(r"Error L10 \(output buffer overflow\): (\d+) messages", text)
    )
    assert dropped > 0
    ticks = [int(line.rpartition(" ")[2]) for line in shared.lines(quiet, source="app", dyno="ticker")]
    assert ticks == list(range(len(ticks)))
    shared.supervisor.destroy(loud.key)


def test_tail_follows_and_ends_when_it_is_closed_in_both_flavours(shared: Stage) -> None:
    spec = shared.app(COMMANDS["plain"])
    shared.deploy(spec)

    async def follow() -> list[str]:
        found = []
        lines = AsyncSupervisor(shared.home).logs(spec.key, lines=1, tail=True, source="app")
        async for _, line in lines:
            found.append(line.partition("]: ")[2])
            if len(found) == 3:
                await lines.aclose()  # type: ignore[attr-defined]
                return found
        return found

    tail = shared.supervisor.logs(spec.key, lines=1, tail=True, source="app", dyno="api")
    threading.Timer(
        0.3, lambda: [shared.supervisor.log(spec.key, "app", "api", word) for word in ("one", "two", "three")]
    ).start()
    assert asyncio.run(follow()) == ["one", "two", "three"]
    assert next(tail)[1].endswith("three")
    tail.close()
    numbers = [number for number, _ in shared.supervisor.logs(spec.key, lines=1500)]
    assert numbers == list(range(1, len(numbers) + 1))
