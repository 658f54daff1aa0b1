"""The command line with Typer: `python -m examples.command_app.with_typer --operator ada deploy shop`."""

from __future__ import annotations

from typing import Annotated

import typer

from examples.command_app.events import OperatorScope, SiteDeployed, SiteDeploymentFailed
from instrument import tracks
from instrument.integrations.typer import opens_scope

app = typer.Typer()


def operator_of(context: typer.Context) -> OperatorScope:
    """Return who runs the command."""
    return OperatorScope(user_id=context.params["operator"])


@app.callback()
@opens_scope(operator_of)
def cli(operator: Annotated[str, typer.Option(envvar="OPERATOR")]) -> None:
    """Deploy sites."""
    del operator


@app.command()
@tracks(SiteDeployed, failure=SiteDeploymentFailed.from_call(outcome=lambda call: call.outcome.value))
def deploy(site: str, *, dry_run: bool = False) -> None:
    """Deploy a site."""
    if dry_run:
        raise typer.Exit  # neither deployed nor failed
    if site == "bank":
        typer.confirm("Really?", abort=True)
    if not site.isalpha():
        raise typer.BadParameter("a site's name has letters alone")
    typer.echo(f"{site} is deployed")


if __name__ == "__main__":
    app()
