"""Run the command line as ``python -m nearid_search``."""

from nearid_search.cli.app import main

main()
