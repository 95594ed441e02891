"""The root of every room's exception tree.

BatonError
├── SettingError        a BATON_* variable has a value that can't be used
├── SecretError         a key is missing, unreadable or does not fit the data
└── (one branch a room: BuildError, RunError, RouteError, ControlError, CliError)
"""

from __future__ import annotations


class BatonError(Exception):
    """An error that a person is shown.

    `code` is stable and documented in docs/reference/errors.md; `message` says what was expected and
    what was found; `hint` says what to type next.
    """

    code = "baton.error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class SettingError(BatonError):
    code = "baton.setting"


class SecretError(BatonError):
    code = "baton.secret"
