"""The open loop: requests start when they are due, whatever became of those before them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

import h11

from benchmarks.load import judge, sessions
from benchmarks.load.plan import Shot, Target, shots
from benchmarks.load.tally import Tally
from benchmarks.load.wire import Answer, Connection, IdleRaceError, LostError, Pool

# Longer than the front door waits for a first byte, so that its own error page counts and not our impatience.
ANSWER_SECONDS = 70.0
MOST_OUTSTANDING = 4000


class Generator:
    """Sends `target`'s mix until stopped, and counts by phase."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.pool = Pool(target.address, target.port)
        self.tallies = [Tally("before")]
        self.allowed: list[tuple[str, ...]] = [()]
        self.first_seen: dict[str, float] = {}
        self.latest = (0.0, "")
        self.outstanding: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    def phase(self, name: str | None, allowed: Iterable[str]) -> None:
        """From now on only `allowed` tags may answer (none: any), newest last; a name begins a tally."""
        self.allowed.append(tuple(allowed))
        if name is not None:
            self.tallies.append(Tally(name))
            self.first_seen = {}

    async def run(self) -> list[Tally]:
        """Send until `stopping` is set, then wait for what is outstanding."""
        start = time.monotonic()
        others = [
            asyncio.create_task(sessions.keep_open(self.target, lambda: self.tallies[-1], self.stopping))
            for _ in range(self.target.sessions)
        ]
        for shot in shots(self.target):
            wait = start + shot.at - time.monotonic()
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), wait)
            if self.stopping.is_set():
                break
            self._begin(shot, start + shot.at)
        await asyncio.gather(*self.outstanding, *others)
        self.pool.close()
        return self.tallies

    def _begin(self, shot: Shot, due: float) -> None:
        tally = self.tallies[-1]
        tally.sent += 1
        tally.late = max(tally.late, time.monotonic() - due)
        if len(self.outstanding) >= MOST_OUTSTANDING:
            tally.fail("lost", "too many requests wait for their answer", shot.kind)
            return
        task = asyncio.create_task(self._shoot(shot, due, tally))
        self.outstanding.add(task)
        task.add_done_callback(self.outstanding.discard)

    async def _shoot(self, shot: Shot, due: float, tally: Tally) -> None:
        since, sent = len(self.allowed) - 1, time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._ask(shot, tally)
        except TimeoutError:
            tally.fail("lost", f"no answer in {ANSWER_SECONDS:.0f} s", f"{shot.kind} {shot.nonce}")
            return
        except LostError as error:
            tally.fail("lost", f"{shot.method} {error}", f"{shot.kind} {shot.nonce}")
            return
        now = time.monotonic()
        (tally.slow_latencies if shot.path == "/slow" else tally.latencies).append(now - due)
        self._judge(shot, answer, tally, since, sent, now)

    def _judge(self, shot: Shot, answer: Answer, tally: Tally, since: int, sent: float, now: float) -> None:
        if not self.target.checked:
            if answer.status != 200:
                tally.fail("lost", f"status {answer.status}", shot.kind)
            return
        fault = judge.fault(shot, answer.status, answer.body)
        if fault:
            tally.fail(*fault, f"{shot.kind} {answer.body[:120]!r}")
            return
        tag = judge.tag(answer.body)
        self.first_seen.setdefault(tag, now)
        if sent >= self.latest[0]:
            self.latest = (sent, tag)
        newest = self.allowed[-1][-1:]
        tally.mixed += bool(newest) and tag != newest[0] and self.first_seen.get(newest[0], now) < sent
        # What was allowed at any time between sending and answering may answer.
        sets = self.allowed[since:]
        if all(sets) and not any(tag in each for each in sets):
            tally.fail("wrong", f"{tag} answered", f"{shot.kind}, allowed {sets[-1]}")

    async def _ask(self, shot: Shot, tally: Tally) -> Answer:
        connection = await self.pool.take(fresh=not shot.keep)
        try:
            return await self._exchange(connection, shot)
        except IdleRaceError:
            if shot.method != "GET":
                raise
            # As a browser does: the request that met a connection being closed goes out once more, alone.
            tally.retried += 1
            return await self._exchange(await self.pool.take(fresh=True), shot)

    async def _exchange(self, connection: Connection, shot: Shot) -> Answer:
        try:
            answer = await connection.exchange(_request(self.target, shot), shot.body or b"")
        except BaseException:
            connection.close()
            raise
        self.pool.give(connection)
        return answer


def _request(target: Target, shot: Shot) -> h11.Request:
    joint = "&" if "?" in shot.path else "?"
    headers = [("Host", target.host), ("User-Agent", "baton-benchmark")]
    if not shot.keep:
        headers.append(("Connection", "close"))
    if shot.body is not None and shot.chunked and target.chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    elif shot.body is not None:
        headers.append(("Content-Length", str(len(shot.body))))
    return h11.Request(method=shot.method, target=f"{shot.path}{joint}nonce={shot.nonce}", headers=headers)
