"""Tests of a whole Baton; each module says which one it needs."""

from tests.machine import fresh_machine, machine

__all__ = ["fresh_machine", "machine"]
