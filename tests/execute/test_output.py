"""What candidates print is bounded, and the end of it is kept."""

import subprocess
import sys
from pathlib import Path

import pytest

import kdzero_gp.execute.output
from kdzero_gp.execute.output import KEPT, capture_output


def test_the_last_of_all_streams_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with capture_output() as output:
        print("one")
        sys.stderr.write("twö\n")
        sys.stdout.buffer.write(b"thr\xffee")
    assert output.above("message") == "its last output:\none\ntwö\nthr\ufffdee\n\nmessage"
    assert capfd.readouterr() == ("", "")
    print("back")
    assert capfd.readouterr() == ("back\n", "")


@pytest.mark.parametrize("written", [["x" * 10 * KEPT], ["x"] * 3 * KEPT, ["y" * KEPT, "x" * (KEPT - 1), "x"]])
def test_no_more_than_that_is_kept(written: list[str]) -> None:
    with capture_output() as output:
        for text in written:
            sys.stdout.write(text)
    assert output.above("") == "its last output:\n" + "x" * KEPT + "\n\n"


def test_silence_leaves_a_message_alone() -> None:
    with capture_output() as output:
        pass
    assert output.above("message") == "message"


def test_whoever_keeps_the_stream_does_no_harm() -> None:
    with capture_output():
        kept = sys.stdout
    assert print("later", file=kept) is None


def test_a_silenced_process_prints_nowhere() -> None:
    code = "import os, output; output.silence_process(); os.write(1, b'a'); os.write(2, b'b')"
    folder = Path(kdzero_gp.execute.output.__file__).parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=folder)
    assert (done.stdout, done.stderr) == (b"", b"")
