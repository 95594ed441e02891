"""What is sent, and when: the n-th request of a mix is always the same one. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

# g: GET, p: POST; k: on a shared kept-alive connection, f: on a fresh one.
PATTERN = (*("gk", "pk", "gk", "gf") * 2, "pf", "gk", "gf", "gk", *("gk", "pk", "gk", "gf") * 2)
BODY_SIZES = (100, 4096, 100, 65536, 1000, 300_000, 100)
SLOW_EVERY = 100
SLOW_PATTERN = ("gk", "pf", "gf", "pk")
WAIT_MEAN_MS = 40.0


@dataclass(frozen=True)
class Target:
    """Where the load goes and what it is made of.

    `mix` is "full" (GET and POST, kept-alive and fresh, 2 s requests), "get" (kept-alive GET of /) or "wait"
    (GET of exponentially distributed length on fresh connections). `rate` is requests a second, evenly spaced
    or with exponentially distributed gaps if `poisson`. `sessions` WebSocket sessions run beside it.
    Without `chunked` every body has a length; without `checked` only the status of an answer is looked at.
    """

    host: str
    port: int
    address: str = "127.0.0.1"
    rate: float = 200.0
    mix: str = "full"
    poisson: bool = False
    sessions: int = 0
    chunked: bool = True
    checked: bool = True

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Target:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Shot:
    """One request: due `at` seconds after the start, `keep` on a kept-alive connection."""

    at: float
    nonce: str
    path: str
    body: bytes | None = None
    keep: bool = True
    chunked: bool = False

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def kind(self) -> str:
        slow = "slow " if self.path == "/slow" else ""
        return f"{slow}{self.method} {'kept-alive' if self.keep else 'fresh'}"


def shots(target: Target) -> Iterator[Shot]:
    """Requests without end, in the order in which they are due."""
    chance = random.Random(1)
    at, index = 0.0, 0
    while True:
        yield _shot(target.mix, index, at, chance)
        index += 1
        at += chance.expovariate(target.rate) if target.poisson else 1 / target.rate


def _shot(mix: str, index: int, at: float, chance: random.Random) -> Shot:
    nonce = f"n{index:x}-{chance.getrandbits(48):x}"
    if mix == "get":
        return Shot(at, nonce, "/")
    if mix == "wait":
        return Shot(at, nonce, f"/wait?ms={chance.expovariate(1 / WAIT_MEAN_MS):.1f}", keep=False)
    if index % SLOW_EVERY == SLOW_EVERY // 2:
        return _mixed(SLOW_PATTERN[index // SLOW_EVERY % len(SLOW_PATTERN)], index, at, nonce, slow=True)
    return _mixed(PATTERN[index % len(PATTERN)], index, at, nonce)


def _mixed(form: str, index: int, at: float, nonce: str, slow: bool = False) -> Shot:
    keep = form[1] == "k"
    if form[0] == "g":
        return Shot(at, nonce, "/slow" if slow else "/", keep=keep)
    size = BODY_SIZES[index % len(BODY_SIZES)]
    body = (nonce.encode() * (size // len(nonce) + 1))[:size]
    return Shot(at, nonce, "/slow" if slow else "/echo", body, keep=keep, chunked=index % 3 == 0)
