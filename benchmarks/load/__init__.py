"""The load generator: an open loop in a process of its own that knows what every answer has to be.

In: an address, a rate and a mix; while it runs, the name of the phase and the versions that may answer.
Out: per phase what was sent, lost, wrong and retried; latencies count from when a request was due.
"""

from benchmarks.load.client import Load
from benchmarks.load.plan import Target
from benchmarks.load.tally import Tally

__all__ = ["Load", "Tally", "Target"]
