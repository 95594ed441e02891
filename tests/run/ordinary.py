"""Run as an ordinary user by test_isolation: deploys, hands over under load, says what is not isolated."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from baton.run.sandbox import ability
from baton.run.specs import Mount
from tests.run import stage as stages


def main() -> None:
    print(*ability().missing)
    site = os.environ["SITE"]
    with stages.stage(BATON_DRAIN="5") as made:
        spec = made.app("python3 -m gunicorn wsgi --bind 0.0.0.0:$PORT")
        env = {**spec.env, "PATH": "/usr/bin:/bin", "PYTHONPATH": f"/app/site:{site}"}
        spec = replace(spec, mounts=(Mount(site, site),), env=env)
        made.deploy(spec)
        print("served", made.get(spec)[0])
        with stages.Load(made.home.front_socket(spec.key), clients=3) as load:
            made.deploy(stages.next_release(spec, VERSION="two"))
            made.deploy(stages.next_release(stages.with_command(spec, "python3 plain.py"), VERSION="three"))
            load.more()
            stages.kill(made.pid())
            load.more()
        print("lost", load.lost)
        made.supervisor.stop(spec.key, None)
        print(made.log(spec))


if __name__ == "__main__":
    sys.exit(main())
