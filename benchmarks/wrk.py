"""The wrk program: as many requests as the connections carry, and what it says of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

CONNECTIONS = 32


class WrkError(Exception):
    """wrk is missing, failed, or not every answer was a 2xx: its figure would mean nothing."""


@dataclass(frozen=True)
class Throughput:
    per_second: float
    requests: int
    bytes_per_second: float


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
    """wrk's report. Raises WrkError when an answer was not a 2xx or 3xx, or a connection failed."""
    for complaint in ("Non-2xx", "Socket errors"):
        if complaint in output:
            raise WrkError(f"not every request was answered well:\n{output}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    count = re.search(r"(\d+) requests in", output)
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)(B|KB|MB|GB)", output)
    if not (rate and count and transfer):
        raise WrkError(f"wrk's report has another form than expected:\n{output}")
    scale = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[transfer[2]]
    return Throughput(float(rate[1]), int(count[1]), float(transfer[1]) * scale)
