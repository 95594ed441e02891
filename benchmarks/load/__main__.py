"""The generator's process. JSON lines on standard input: the target first, then commands; each is answered.

{"phase": NAME or null, "allowed": [TAG, ...]}   a new phase, or only new tags, from now on
{"seen": TAG}                                    of this phase: when TAG first answered (monotonic seconds,
                                                 or null), how many requests were sent, and the tag
                                                 that answered the request sent last
{"stop": true}                                   send nothing more; the tallies follow, one a line, then null
End of input stops it too.
"""

from __future__ import annotations

import asyncio
import json
import sys

from benchmarks.load.generator import Generator
from benchmarks.load.plan import Target


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    generator = Generator(Target.from_json((await reader.readline()).decode()))
    running = asyncio.create_task(generator.run())
    commands = asyncio.create_task(_obey(generator, reader))
    await asyncio.wait([running, commands], return_when=asyncio.FIRST_COMPLETED)
    generator.stopping.set()
    for tally in await running:
        _say(tally.to_json())
    _say("null")


async def _obey(generator: Generator, reader: asyncio.StreamReader) -> None:
    while line := await reader.readline():
        command = json.loads(line)
        if "stop" in command:
            return
        if "seen" in command:
            seen = generator.first_seen.get(command["seen"])
            _say(
                json.dumps({"seen": seen, "sent": generator.tallies[-1].sent, "latest": generator.latest[1]})
            )
        else:
            generator.phase(command["phase"], command["allowed"])
            _say("{}")


def _say(text: str) -> None:
    print(text, flush=True)


asyncio.run(main())
