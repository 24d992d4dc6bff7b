"""The commands, as far as they need no server."""

import io
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal, NoReturn

import pytest
from rich.console import Console

from assay.cli import app as commands
from assay.cli.output import NOT_MEASURED, printable
from assay.cli.run import exit_code
from assay.experiment.progress import Lines, Screen
from assay.plan import Plan, Scenario, Target, Topic
from assay.results import (
    ClaimResult,
    Comparison,
    PairVerdict,
    Results,
    Stacks,
    Timeline,
    Verdict,
)


def results(
    claims: tuple[Literal["holds", "refuted", "undecided"], ...] = (),
    compared: tuple[Verdict, ...] = (),
    partial: bool = False,
) -> Results:
    return Results(
        run="run",
        partial=partial,
        seed=1,
        claims=tuple(
            ClaimResult(
                topic="t",
                says="it is so",
                baseline="a",
                candidate="b",
                metric="time",
                expect="faster",
                verdict=verdict,
                alone=verdict,
                reason="",
            )
            for verdict in claims
        ),
        pairs=tuple(pair(verdict) for verdict in compared),
    )


def comparison(verdict: Verdict) -> Comparison:
    return Comparison(
        topic="t",
        baseline="a",
        candidate="[red]b",
        metric="time",
        ratio=0.9,
        low=0.8,
        high=0.95,
        launches=12,
        verdict=verdict,
    )


def pair(verdict: Verdict) -> PairVerdict:
    return PairVerdict(
        topic="u",
        baseline="a",
        candidate="[red]b",
        verdict=verdict,
        reason="it was measured",
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (results(("holds", "holds")), 0),
        (results(("holds", "refuted", "undecided")), 1),
        (results(("holds", "undecided")), 3),
        (results(("holds",), partial=True), 4),
        (results((), ("faster", "same")), 0),
        (results((), ("faster", "slower")), 1),
        (results((), ("same", "undecided")), 3),
        # One topic with claims, and another without.
        (results(("holds",), ("slower",)), 1),
        (results(("refuted",), ("same",)), 1),
    ],
)
def test_exit_codes(given: Results, code: int) -> None:
    assert exit_code(given) == code


def run(*words: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "assay", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


@pytest.mark.parametrize("command", list(commands.COMMANDS))
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Example: assay {command}" in " ".join(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['assay', '--help']\n"
        "from assay.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'matplotlib', 'locust', 'gevent',"
        " 'httpx', 'pydantic', 'pyarrow'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("heavy: []\n")


def test_help_is_about_as_quick_as_its_libraries() -> None:
    def best(*command: str) -> float:
        # CPU time, not wall-clock time, because other tests run at the same time.
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            )
        return min(times)

    assert best("-m", "assay", "--help") < 1.5 * best("-c", "import typer, rich")


def test_no_topic_here(tmp_path: Path) -> None:
    done = run("run", folder=tmp_path)
    assert done.returncode == 2
    assert "no topics in" in done.stderr and "assay run path/to/topic" in done.stderr


def test_an_unknown_option_is_bad_input(tmp_path: Path) -> None:
    assert run("run", "--sede", "3", folder=tmp_path).returncode == 2


@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize(
    "words",
    [
        ("run", "--budget"),
        ("run", "--margin"),
        ("profile", "t", "a", "--rate"),
        ("doctor", "--seconds"),
    ],
)
def test_a_number_that_is_none_is_bad_input(
    tmp_path: Path, words: tuple[str, ...], number: str
) -> None:
    done = run(*words, number, folder=tmp_path)
    assert done.returncode == 2
    assert words[-1] in done.stderr


@pytest.mark.parametrize("looks", ["18,12", "12,12", "0", "-3", "201", "²", "", "1,"])
def test_looks_that_do_not_ascend_are_bad_input(tmp_path: Path, looks: str) -> None:
    done = run("run", f"--launches={looks}", folder=tmp_path)
    assert done.returncode == 2
    assert "--launches" in done.stderr and "for example 12 or 12,18" in done.stderr


class Odd(Exception):
    """An error that only a bug in Assay can raise."""


def test_a_fault_of_our_own_is_no_refuted_claim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app() -> NoReturn:
        raise Odd("said \x1b[31m")

    monkeypatch.setattr(commands, "app", app)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == NOT_MEASURED
    stderr = capsys.readouterr().err
    assert "Traceback" in stderr and "Odd: said" in stderr and "\x1b" not in stderr


CONVERTED = """\
import signal
from assay.cli import app as commands

def app():
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        # What pydantic does if a signal comes while it builds a class.
        raise ValueError("SchemaError: Error building a serializer") from None

commands.app = app
commands.main()
"""


def test_a_signal_that_a_library_turns_into_an_error_is_still_a_signal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONVERTED], capture_output=True, text=True, check=False
    )
    assert done.returncode == NOT_MEASURED
    assert done.stderr == "assay: stopped\n"


def test_a_reader_that_went_away_refutes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "assay", "services", "--json"], stdout=gone
        )
    assert done.returncode == NOT_MEASURED


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\nc") == "a\ufffd[31mb\nc"


def topic() -> Topic:
    return Topic(
        name="[b]t",
        title="Topic",
        file=Path("claims.toml"),
        target=Target(cwd=Path(".")),
        scenario=Scenario(),
        variants=(),
    )


def test_plain_lines_say_how_it_stands() -> None:
    out = io.StringIO()
    plan = Plan(topics=(topic(),))
    lines = Lines(plan, Console(file=out, width=200))
    lines.topic(topic(), (12, 18))
    lines.launch(1)
    lines.measured(topic(), 1, [comparison("faster")])
    lines.profiling(topic(), "a", [])
    lines.note("so it is")
    text = out.getvalue()
    assert "[b]t: Topic" in text
    assert "[red]b/a time 0.90× [0.80, 0.95]" in text
    assert "so it is" in text


def test_the_screen_shows_names_as_they_are() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True)
    with Screen(Plan(topics=(topic(),)), console) as screen:
        screen.topic(topic(), (12, 18))
        screen.launch(1)
        screen.measured(topic(), 1, [comparison("faster")])
        screen.profiling(topic(), "a", [])
        screen.note("so it is")
    text = out.getvalue()
    assert "[red]b" in text and "0.90×" in text and "so it is" in text
    assert "launch 1 of at most 18" in text


EVIL = "\x1b]0;owned\x07\x1b[31mso\nit is"


def test_hostile_text_does_not_act_on_the_terminal() -> None:
    out = io.StringIO()
    evil = topic().model_copy(update={"name": EVIL, "title": EVIL})
    item = comparison("faster").model_copy(update={"candidate": EVIL, "metric": EVIL})
    lines = Lines(Plan(topics=(evil,)), Console(file=out, width=200))
    lines.topic(evil, (12, 18))
    lines.measured(evil, 1, [item])
    lines.profiling(evil, EVIL, [])
    lines.note(EVIL)
    text = out.getvalue()
    assert "\x1b" not in text and "\x07" not in text
    assert len(text.splitlines()) == 4 and "31mso it is" in text
    assert [line[:2] == "  " for line in text.splitlines()] == [False, True, True, True]


def test_hostile_text_does_not_act_on_the_screen() -> None:
    out = io.StringIO()
    evil = topic().model_copy(update={"name": EVIL, "title": EVIL})
    item = comparison("faster").model_copy(update={"candidate": EVIL, "metric": EVIL})
    console = Console(file=out, width=120, force_terminal=True)
    with Screen(Plan(topics=(evil,)), console) as screen:
        screen.topic(evil, (12, 18))
        screen.measured(evil, 1, [item])
        screen.profiling(evil, EVIL, [])
        screen.note(EVIL)
    text = out.getvalue()
    assert "]0;owned" in text
    assert "\x1b]0;" not in text and "\x1b[31mso" not in text and "\x07" not in text


def test_profiles_and_findings_are_tables() -> None:
    from assay.report import terminal_tables

    out = io.StringIO()
    console = Console(file=out, width=100)
    terminal_tables.render([{"name": "[b]x", "available": True, "reason": ""}], console)
    stacks = Stacks(
        topic="t",
        variant="a",
        preset="cpu",
        unit="s",
        requests=10,
        samples=5,
        total=0.003,
        stacks=(
            (("main (app.py)", "work (app.py)"), 0.002),
            (("main (app.py)",), 1e-3),
        ),
        notes=("a note",),
    )
    timeline = Timeline(
        topic="t",
        variant="a",
        preset="memory",
        unit="B",
        requests=10,
        seconds=(0.0, 0.1),
        values=(1e6, 2e6),
    )
    terminal_tables.render_profile(stacks, console)
    terminal_tables.render_profile(timeline, console)
    text = out.getvalue()
    assert "[b]x" in text and "yes" in text and "reason" not in text
    assert text.index("work (app.py)") < text.index("main (app.py)")
    assert "67%" in text and "a note" in text and "at most 2.00 MB" in text
