"""The wrk program: as many requests as the connections carry, and what it says of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

CONNECTIONS = 32
MOST_FAILED = 0.001


class WrkError(Exception):
    """wrk is missing or failed, or too many requests did: its figure would mean nothing."""


@dataclass(frozen=True)
class Throughput:
    per_second: float
    requests: int
    failed: int


def measure(url: str, host: str, seconds: int, *headers: str) -> Throughput:
    """One run with one thread and CONNECTIONS kept-alive connections. Raises WrkError."""
    binary = shutil.which("wrk")
    if not binary:
        raise WrkError("wrk makes the load and was not found.\napt-get install wrk")
    options = [part for header in (f"Host: {host}", *headers) for part in ("-H", header)]
    argv = [binary, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", *options, url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise WrkError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return parse(done.stdout)


def parse(output: str) -> Throughput:
    """wrk's report. `failed` counts answers other than 2xx and 3xx, and broken connections.

    Raises WrkError when they are more than MOST_FAILED of all, or the report has an unknown form.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    count = re.search(r"(\d+) requests in", output)
    if not (rate and count):
        raise WrkError(f"wrk's report has another form than expected:\n{output}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed = sum(int(each) for found in (refused, broken) if found for each in found.groups())
    if failed > MOST_FAILED * int(count[1]):
        raise WrkError(f"too many requests failed:\n{output}")
    return Throughput(float(rate[1]), int(count[1]), failed)
