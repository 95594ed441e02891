"""What can go wrong between a person and the server, and the exit code each case has.

CliError                     1  refused or failed
├── UsageError               2  the words typed can't be used
│   ├── UnknownCommand
│   ├── NoApp                   nothing says which app is meant
│   └── SeveralApps             several git remotes name different apps
├── NotSignedIn              3  no token for this server, or one it does not take
├── NotFound                 4  the server has no such app, release, config var ...
├── Unreachable              5  nobody answers at the server's address
├── Refused                  1  the server said no; `id` is the API's
├── BadAnswer                1  what answered is not the Platform API
├── NotConfirmed             1  the app's name was not typed
├── StreamLost               1  logs, build output or an attached dyno broke off
├── CredentialsError         1  credentials.toml can't be used
└── GitError                 1  git is missing, or refused
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from baton.base.errors import BatonError


class Code(IntEnum):
    """The exit codes of every command but `run`, which ends with the program's own."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class CliError(BatonError):
    code = "cli.failed"
    exit_code = Code.FAILED

    def document(self) -> dict[str, object]:
        """What `--json` prints on stderr instead of the text."""
        return {"id": self.code, "message": self.message, "hint": self.hint, "exit_code": int(self.exit_code)}


class UsageError(CliError):
    code = "cli.usage"
    exit_code = Code.USAGE


class UnknownCommand(UsageError):
    code = "cli.unknown_command"

    def __init__(self, word: str, likely: Iterable[str]) -> None:
        guesses = " or ".join(f"baton {name}" for name in likely)
        hint = f"Did you mean {guesses}?" if guesses else "Type baton --help for the list of commands."
        super().__init__(f"{word} is not a baton command.", hint)


class NoApp(UsageError):
    code = "cli.no_app"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"Which app? Neither --app nor BATON_APP names one, and {found}.",
            "Add --app NAME, or type baton git:remote --app NAME once in the app's repository.",
        )


class SeveralApps(UsageError):
    code = "cli.several_apps"

    def __init__(self, remotes: Iterable[tuple[str, str]]) -> None:
        pairs = list(remotes)
        listed = ", ".join(f"{remote} ({app})" for remote, app in pairs)
        super().__init__(
            f"Which app? The git remotes of this repository name several: {listed}.",
            f"Add --remote {pairs[0][0]}, or --app {pairs[0][1]}.",
        )


class NotSignedIn(CliError):
    code = "cli.not_signed_in"
    exit_code = Code.NOT_SIGNED_IN


class NotFound(CliError):
    code = "cli.not_found"
    exit_code = Code.NOT_FOUND


class Unreachable(CliError):
    code = "cli.unreachable"
    exit_code = Code.UNREACHABLE

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(
            f"No Baton server answers at {server} ({reason}).",
            "Start it there with baton up, or name another with --host or BATON_HOST.",
        )


class Refused(CliError):
    code = "cli.refused"

    def __init__(self, message: str, hint: str = "", identity: str = "") -> None:
        super().__init__(message, hint)
        self.id = identity

    def document(self) -> dict[str, object]:
        return super().document() | ({"id": self.id} if self.id else {})


class BadAnswer(CliError):
    code = "cli.bad_answer"


class NotConfirmed(CliError):
    code = "cli.not_confirmed"


class StreamLost(CliError):
    code = "cli.stream_lost"


class CredentialsError(CliError):
    code = "cli.credentials"


class GitError(CliError):
    code = "cli.git"
