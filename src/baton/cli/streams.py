"""Streams that last as long as something happens: log lines, the output of builds and releases."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import httpx

from baton.cli.api import Api
from baton.cli.errors import BadAnswer, StreamLost

LONGEST_LINE = 1024 * 1024
LONGEST_SILENCE = 120.0  # seconds; a living log session sends a comment more often


@dataclass(frozen=True)
class Event:
    """One server-sent event. `id` is what to resume after."""

    id: str
    data: str


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines at \\n or \\r\\n only: a log line may hold whatever else Unicode calls a line's end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.removesuffix("\r") for line in whole)
        if len(rest) > LONGEST_LINE:
            raise BadAnswer(f"The stream has a line longer than {LONGEST_LINE} characters.")
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest.removesuffix("\r")


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Server-sent events; comments are left out, and so is an event that the stream's end cuts off."""
    identity, data = "", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(identity, "\n".join(data))
            data = []
        elif field == "data":
            data.append(value)
        elif field == "id":
            identity = value


def log_lines(
    api: Api, url: str, *, tail: bool, wait: Callable[[float], None] = time.sleep, attempts: int = 6
) -> Iterator[str]:
    """The lines of a log session. A tail that breaks off is resumed, at most `attempts` times in a row."""
    seen, failures = "", 0
    while True:
        try:
            for event in _session(api, url, seen):
                seen, failures = event.id or seen, 0
                yield from event.data.split("\n")
            if not tail:
                return
            failures += 1
        except StreamLost:
            failures += 1
            if not tail or failures > attempts:
                raise
        if failures > attempts:
            raise StreamLost("The log stream keeps ending.", "Type the command again for a new one.")
        wait(min(2.0**failures / 4, 10.0))


def _session(api: Api, url: str, after: str) -> Iterator[Event]:
    with api.stream(url, "text/event-stream", last_event=after, silence=LONGEST_SILENCE) as answer:
        if answer.status_code in (403, 404, 410):
            raise BadAnswer("The log session has ended.", "Type the command again for a new one.")
        if not answer.is_success:
            raise StreamLost(f"The log stream answered {answer.status_code}.")
        if "event-stream" in answer.headers.get("Content-Type", ""):
            yield from events(lines(answer.iter_bytes()))
        else:
            yield from (Event("", line) for line in lines(answer.iter_bytes()))


def output_lines(
    api: Api, url: str, *, wait: Callable[[float], None] = time.sleep, attempts: int = 20
) -> Iterator[str]:
    """The output of a build or release phase until it ends; a 404 means that it has not started yet."""
    for _ in range(attempts):
        with api.stream(url, "text/plain") as answer:
            if answer.is_success:
                yield from lines(answer.iter_bytes())
                return
            if answer.status_code != httpx.codes.NOT_FOUND:
                raise StreamLost(f"The output can't be read: the server answered {answer.status_code}.")
        wait(0.5)
    raise StreamLost("The output has not started.", "Try again in a moment.")
