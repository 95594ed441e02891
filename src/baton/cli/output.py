"""What a person sees: results on stdout; progress, warnings and errors on stderr; plain where no terminal is.

Renderers build lines of `rich.text.Text` and know nothing of terminals; Rich drops the colours where there is
none, or where NO_COLOR is set.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from baton.cli.errors import CliError

Line = Text | str
Part = Text | str | tuple[str, str]  # a tuple is a text and its style

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def app_name(name: str) -> Text:
    return Text(f"⬢ {name}", style="bold magenta")


def header(title: Part) -> Text:
    return Text.assemble(("=== ", "dim"), Text.assemble(title, style="bold"))


def join(*parts: Part) -> Text:
    return Text.assemble(*parts)


def pairs(values: Mapping[str, object]) -> list[Text]:
    """`key:   value` lines, aligned."""
    width = max((len(key) for key in values), default=0) + 1
    return [Text.assemble((f"{key}:".ljust(width), "bold"), f" {value}") for key, value in values.items()]


def table(rows: Sequence[Sequence[Line]], titles: Sequence[str] = ()) -> list[Text]:
    """Columns two spaces apart, with titles and a rule below them when given."""
    body = [[_text(cell) for cell in row] for row in rows]
    head = [[Text(title, style="bold") for title in titles]] if titles else []
    widths = [max(cell.cell_len for cell in column) for column in zip(*head, *body, strict=True)]
    rule = [[Text("─" * width, style="dim") for width in widths]] if titles else []
    return [_row(row, widths) for row in (*head, *rule, *body)]


def _row(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len + 2))
    line.rstrip()
    return line


def _text(cell: Line) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text(cell)


def ago(moment: str, now: datetime | None = None) -> str:
    """`2026/02/03 04:05:06 +0000 (~ 5m ago)` of an ISO 8601 time."""
    then = parse_time(moment)
    if then is None:
        return moment
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    return f"{then:%Y/%m/%d %H:%M:%S %z} (~ {duration(max(seconds, 0))} ago)"


def parse_time(moment: str) -> datetime | None:
    try:
        then = datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return None
    return then if then.tzinfo else then.replace(tzinfo=UTC)


def duration(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def file_size(size: int | None) -> str:
    """Decimal units, as Heroku's: 0 B, 12 KB, 3.4 MB."""
    amount = float(size or 0)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def harmless(line: str, *, colours: bool) -> str:
    """A program's line without what could move the cursor or rename the window; colours stay if wanted."""
    kept = _ESCAPE.sub(lambda found: found[0] if colours and _COLOUR.fullmatch(found[0]) else "", line)
    clean = _CONTROL.sub("", kept)
    stripped = clean if colours else clean.replace("\x1b", "")
    return f"{stripped}\x1b[0m" if "\x1b[" in stripped else stripped


class Output:
    """The two streams of one command. With `json`, stdout holds the document and nothing else."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.err = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, stderr=True)

    def show(self, document: object, lines: Iterable[Line] = ()) -> None:
        """The result: `document` with --json, else the lines."""
        if self.json:
            self.write(json.dumps(document, indent=2, ensure_ascii=False))
            return
        for line in lines:
            self.out.print(line)

    def write(self, text: str) -> None:
        """A line exactly as it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @property
    def coloured(self) -> bool:
        return self.out.color_system is not None and not self.out.no_color

    def row(self, document: object) -> None:
        """One document of many, on a line of its own."""
        self.write(json.dumps(document, ensure_ascii=False))

    def program(self, document: dict[str, object], lines: Iterable[str]) -> None:
        """Lines that a program wrote, as they come; with --json together, as `output` of the document."""
        if self.json:
            self.show({**document, "output": "".join(f"{line}\n" for line in lines)})
            return
        for line in lines:
            self.write(harmless(line, colours=self.coloured))

    def program_note(self, line: str) -> None:
        """A program's line that is not this command's result."""
        sys.stderr.write(f"{harmless(line, colours=self.err.is_terminal and not self.err.no_color)}\n")

    def note(self, line: Line) -> None:
        self.err.print(line)

    def warn(self, message: str) -> None:
        self.err.print(Text.assemble((" ▸    ", "yellow"), message))

    def error(self, error: CliError) -> None:
        if self.json:
            sys.stderr.write(json.dumps(error.document(), ensure_ascii=False) + "\n")
            return
        for index, line in enumerate(error.message.splitlines() or [""]):
            self.err.print(Text.assemble((" ▸    ", "red"), ("" if index else "Error: ", "bold red"), line))
        for line in error.hint.splitlines():
            self.err.print(Text.assemble((" ▸    ", "red"), line))

    @contextmanager
    def action(self, what: Line) -> Iterator[Action]:
        """`Creating ⬢ x... done` around what takes a while; a spinner and the time on a terminal."""
        step = Action()
        label = Text.assemble(what, "...")
        try:
            with self._spinner(label):
                yield step
        except BaseException:
            self.err.print(Text.assemble(label, (" !", "red")))
            raise
        self.err.print(Text.assemble(label, " ", step.result))

    @contextmanager
    def _spinner(self, label: Text) -> Iterator[None]:
        if not self.err.is_terminal:
            yield
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=self.err, transient=True) as progress:
            progress.add_task(label.plain, total=None)
            yield


class Action:
    """What stands behind the dots when the action is over."""

    def __init__(self) -> None:
        self.result: Text = Text("done")

    def done(self, *parts: Part) -> None:
        self.result = Text.assemble("done", *(Text.assemble(", ", part) for part in parts))

    def ended(self, *parts: Part) -> None:
        """Something else than `done`."""
        self.result = Text.assemble(*parts)
