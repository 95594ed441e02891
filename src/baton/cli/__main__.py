"""`python -m baton.cli` is `baton`."""

from baton.cli.main import main

main()
