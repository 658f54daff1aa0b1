"""The command line with Click: `python -m examples.command_app.with_click --operator ada deploy shop`."""

from __future__ import annotations

import click

from examples.command_app.events import OperatorScope, SiteDeployed, SiteDeploymentFailed
from instrument import tracks
from instrument.integrations.click import opens_scope


def operator_of(context: click.Context) -> OperatorScope:
    """Return who runs the command."""
    return OperatorScope(user_id=context.params["operator"])


@click.group()
@click.option("--operator", required=True, envvar="OPERATOR")
@opens_scope(operator_of)
def cli(operator: str) -> None:
    """Deploy sites."""
    del operator


@cli.command()
@click.argument("site")
@click.option("--dry-run", is_flag=True)
@tracks(SiteDeployed, failure=SiteDeploymentFailed.from_call(outcome=lambda call: call.outcome.value))
def deploy(site: str, *, dry_run: bool) -> None:
    """Deploy a site."""
    if dry_run:
        click.get_current_context().exit()  # neither deployed nor failed
    if site == "bank":
        click.confirm("Really?", abort=True)
    if not site.isalpha():
        raise click.BadParameter("a site's name has letters alone")
    click.echo(f"{site} is deployed")


if __name__ == "__main__":
    cli()
