"""What can go wrong between a slug and its running dynos.

RunError                      run.error
├── SpecError                 run.spec           a spec or an operation that can't be understood
├── UnknownApp                run.unknown-app    no such app is applied here
├── UnknownDyno               run.unknown-dyno   no such dyno, process type or service
├── SandboxError              run.sandbox        the sandbox can't be set up
├── Unavailable               run.unavailable    the supervisor can't be reached
├── Superseded                run.superseded     a newer operation on the app took this one's place
├── TimedOut                  run.timeout        a one-off dyno used up its time
└── NotServing                run.not-serving    new web dynos did not come to serve; each carries a log
excerpt
    ├── BootTimeout           run.boot-timeout   R10: nothing answered within the boot time
    ├── Crashed               run.crashed        H10: the process ended before it served
    └── Unhealthy             run.unhealthy      it answers, but not as the health check wants
"""

from __future__ import annotations

from collections.abc import Iterable

from baton.base.errors import BatonError


class RunError(BatonError):
    code = "run.error"


class SpecError(RunError):
    code = "run.spec"


class UnknownApp(RunError):
    code = "run.unknown-app"


class UnknownDyno(RunError):
    code = "run.unknown-dyno"


class SandboxError(RunError):
    code = "run.sandbox"


class Unavailable(RunError):
    code = "run.unavailable"


class Superseded(RunError):
    code = "run.superseded"


class TimedOut(RunError):
    code = "run.timeout"


class NotServing(RunError):
    """The old generation, if any, serves on. `excerpt` is the end of what the new dyno wrote."""

    code = "run.not-serving"

    def __init__(self, message: str, hint: str = "", excerpt: Iterable[str] = ()) -> None:
        super().__init__(message, hint)
        self.excerpt = tuple(excerpt)

    def __str__(self) -> str:
        lines = [self.message, *(f"    {line}" for line in self.excerpt), self.hint]
        return "\n".join(line for line in lines if line)


class BootTimeout(NotServing):
    code = "run.boot-timeout"


class Crashed(NotServing):
    code = "run.crashed"


class Unhealthy(NotServing):
    code = "run.unhealthy"


def _tree(base: type[RunError]) -> dict[str, type[RunError]]:
    found = {base.code: base}
    for child in base.__subclasses__():
        found.update(_tree(child))
    return found


def to_json(error: BatonError) -> dict[str, object]:
    """The form in which an error crosses the supervisor's socket."""
    excerpt = list(error.excerpt) if isinstance(error, NotServing) else []
    return {"code": error.code, "message": error.message, "hint": error.hint, "excerpt": excerpt}


def from_json(document: dict[str, object]) -> RunError:
    """The same class again; an unknown code becomes a plain RunError."""
    kind = _tree(RunError).get(str(document.get("code")), RunError)
    message, hint = str(document.get("message", "")), str(document.get("hint", ""))
    if issubclass(kind, NotServing):
        excerpt = document.get("excerpt")
        return kind(message, hint, [str(line) for line in excerpt] if isinstance(excerpt, list) else ())
    return kind(message, hint)
