"""Standard output: lines of JSON, in which nothing is a command for a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO

import pytest

from instrument import Envelope, Unavailable
from instrument.delivery.destinations.stdout import StdoutDestination
from tests.delivery.envelopes import envelopes


def test_each_envelope_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    StdoutDestination().send(envelopes([1, 2]))
    assert capsys.readouterr().out.encode() == b"".join(each.body + b"\n" for each in envelopes([1, 2]))


def test_what_was_printed_before_comes_before(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("before ")
    StdoutDestination().send(envelopes([1]))
    assert capfd.readouterr().out.startswith('before {"type":"track"')


def test_control_characters_are_escaped_and_stay_what_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps({"event": "Parcel\x1b[2J\x9b2J\x7f Sent é"}, ensure_ascii=False).encode()
    StdoutDestination().send([Envelope("1", body)])
    printed = capsys.readouterr().out
    assert printed == '{"event": "Parcel\\u001b[2J\\u009b2J\\u007f Sent é"}\n'
    assert json.loads(printed) == json.loads(body)


def test_an_output_that_takes_text_only_is_printed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    output = StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    StdoutDestination().send(envelopes([1]))
    assert json.loads(output.getvalue())["messageId"] == "message-1"


def test_the_encoding_of_the_terminal_does_not_matter() -> None:
    code = """if True:
        from instrument import Envelope
        from instrument.delivery.destinations.stdout import StdoutDestination
        StdoutDestination().send([Envelope("1", '{"event":"Paquet envoyé"}'.encode())])
    """
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True, env=environment)
    assert ran.stdout.decode() == '{"event":"Paquet envoyé"}\n'


def test_an_output_that_nobody_reads_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdout", _Output(pipe))
        with pytest.raises(Unavailable, match=r"standard output cannot be written \(BrokenPipeError\)"):
            StdoutDestination().send(envelopes([1]))


class _Output:
    def __init__(self, buffer: object) -> None:
        self.buffer = buffer

    def flush(self) -> None: ...
