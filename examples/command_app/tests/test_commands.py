from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click.testing
import pytest
import typer.testing

from examples.command_app import with_click, with_typer
from examples.command_app.events import SiteDeployed, SiteDeploymentFailed
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.testing import Recorder

    Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[3]


def run_click(*arguments: str, answer: str = "") -> click.testing.Result:
    return click.testing.CliRunner().invoke(with_click.cli, ["--operator", "ada", *arguments], input=answer)


def run_typer(*arguments: str, answer: str = "") -> Any:
    return typer.testing.CliRunner().invoke(with_typer.app, ["--operator", "ada", *arguments], input=answer)


@pytest.fixture(params=[run_click, run_typer])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


def test_a_deployment_is_told_of_the_operator(tracked: Recorder, run: Run) -> None:
    result = run("deploy", "shop")
    assert (result.exit_code, result.output) == (0, "shop is deployed\n")
    assert tracked.events == [SiteDeployed(user_id="ada", site="shop")]


def test_a_dry_run_is_neither_a_success_nor_a_failure(tracked: Recorder, run: Run) -> None:
    assert run("deploy", "shop", "--dry-run").exit_code == 0
    assert tracked.events == []


def test_an_operator_who_says_no_cancels(tracked: Recorder, run: Run) -> None:
    assert run("deploy", "bank", answer="n\n").exit_code == 1
    assert tracked.events == [SiteDeploymentFailed(user_id="ada", site="bank", outcome="cancelled")]


def test_a_site_that_cannot_be_deployed_is_a_failure(tracked: Recorder, run: Run) -> None:
    assert run("deploy", "7").exit_code == 2
    assert tracked.events == [SiteDeploymentFailed(user_id="ada", site="7", outcome="failure")]


@pytest.mark.instrument_delivery
@pytest.mark.parametrize("module", ["with_click", "with_typer"])
def test_a_command_delivers_before_it_ends(tmp_path: Path, module: str) -> None:
    with Collector() as collector:
        environment = {
            **os.environ,
            "SEGMENT_CLIENT_KEY": "key",
            "INSTRUMENT_HOST": collector.url,
            "INSTRUMENT_SPOOL_DIR": str(tmp_path),
        }
        command = [sys.executable, "-m", f"examples.command_app.{module}", "--operator", "ada", "deploy", "shop"]
        ran = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "shop is deployed\n", "")
        [message] = collector.messages
    assert (message["userId"], message["event"], message["properties"]) == ("ada", "Site Deployed", {"site": "shop"})
