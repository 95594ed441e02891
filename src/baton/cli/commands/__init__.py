"""The commands by noun. Each module holds a `Registry` named `commands`.

In: a session and what was typed. Out: requests to the API, and lines made by pure renderers.
"""

from __future__ import annotations

from baton.cli.commands import (
    account,
    apps,
    buildpacks,
    builds,
    config,
    domains,
    git_remote,
    logs,
    maintenance,
    ps,
    releases,
    run,
)
from baton.cli.machine import commands as machine

MODULES = (
    machine,
    apps,
    account,
    config,
    ps,
    logs,
    run,
    releases,
    builds,
    buildpacks,
    domains,
    maintenance,
    git_remote,
)
COMMANDS = tuple(command for module in MODULES for command in module.commands.commands)
