"""The demo shows the whole way of its events, and would say so if one were missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from examples.porter.demo import ROOT, show_messages
from examples.porter.scenario import STEPS, WEBHOOK

STRAY = {
    "type": "track",
    "event": "Stray",
    "userId": "1",
    "properties": {},
    "messageId": WEBHOOK,
    "context": {"instrument": {"handler": "module:function"}},
}


@pytest.mark.instrument_delivery
def test_all_that_is_to_arrive_arrives() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "examples.porter.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (demo.returncode, demo.stderr) == (0, ""), demo.stdout
    assert "Cluster Provisioning Success" in demo.stdout
    assert demo.stdout.splitlines()[-1].startswith("All that was to arrive has arrived")


def test_what_has_not_arrived_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    problems = show_messages([])

    assert len(problems) == sum(len(step.messages) for step in STEPS)
    assert "missing: ('track', 'New User', '1'," in "\n".join(problems)
    assert "0 messages" in capsys.readouterr().out


def test_what_should_not_have_arrived_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    problems = show_messages([STRAY, STRAY, STRAY])

    assert problems.count("unexpected: ('track', 'Stray', '1', {})") == 3
    assert f"{WEBHOOK} came 3 times" in problems
    assert "module:function" in capsys.readouterr().out
