"""Whole machines for the tests of control."""

from tests.machine import fresh_machine, machine

__all__ = ["fresh_machine", "machine"]
