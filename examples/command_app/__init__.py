"""A command line that deploys: once with Click, once with Typer."""
