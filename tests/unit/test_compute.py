"""Work here or in processes: same results, same order, clear sentences."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from larvastats import compute
from larvastats.errors import DataError, UsageError

REPOSITORY = Path(__file__).resolve().parents[2]


def square(x: int) -> int:
    return x * x


def die(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def complain(x: int) -> int:
    raise DataError(f"task {x} cannot be done; leave it out.")


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(jobs):
    assert compute.run(square, range(7), jobs=jobs) == [0, 1, 4, 9, 16, 25, 36]


def test_no_task_needs_no_process():
    assert compute.run(square, [], jobs=4) == []


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2"])
def test_jobs_must_be_a_whole_number(jobs):
    with pytest.raises(UsageError, match=r"jobs must be a whole number from 1 up, but is"):
        compute.run(square, [1], jobs=jobs)


def test_a_killed_process_is_a_sentence():
    with pytest.raises(DataError, match=r"one of 2 processes ended.*memory.*--jobs"):
        compute.run(die, [1, 2], jobs=2, description="lines")


def test_an_error_in_a_process_reaches_the_caller_as_itself():
    with pytest.raises(DataError, match="task 1 cannot be done"):
        compute.run(complain, [1, 2], jobs=2)


def test_no_bar_where_stderr_is_no_terminal(capsys):
    assert list(compute.track(iter("abc"), "reading", 3, progress=True)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal_goes_to_stderr(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, out = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", out)
    assert list(compute.track([1, 2], "reading", 2, progress=True)) == [1, 2]
    assert "reading" in terminal.getvalue() and out.getvalue() == ""


def test_ctrl_c_ends_waiting_work_and_its_processes(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(
        textwrap.dedent("""
        import os
        import signal
        import time
        from larvastats import compute

        def nap(seconds):
            os.write(1, b"napping\\n")  # at once: lines of two processes do not mix
            time.sleep(seconds)

        if __name__ == "__main__":
            # tests that run in the background inherit a Ctrl-C that is ignored
            signal.signal(signal.SIGINT, signal.default_int_handler)
            compute.run(nap, [0.4] * 400, jobs=2)
        """)
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "napping\n"
        started = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert time.monotonic() - started < 60  # all naps together would take 80 s
    assert process.returncode != 0
    assert err.count("Traceback") == 1 and "KeyboardInterrupt" in err


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "from larvastats.compute import run\nprint(run(abs, [-1, -2, -3, -4], jobs=2))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "call it below `if __name__ == '__main__':`" in done.stderr.splitlines()[-1]
