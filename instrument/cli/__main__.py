"""The `instrument` command as `python -m instrument.cli`."""

from instrument.cli import main

main()
