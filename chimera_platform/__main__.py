"""`python -m chimera_platform` is `chimera`."""

from chimera_platform.cli.app import main

main()
