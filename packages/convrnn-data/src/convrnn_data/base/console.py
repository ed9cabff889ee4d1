"""What every command shares: exit codes, one-line errors, progress on a terminal."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.printing import finish_printing, make_printing_safe
from convrnn_data.base.reading import require_current_folder, require_posix

# typer and rich are imported where they are used: workers import this module too, and start sooner without them.
if TYPE_CHECKING:
    import typer

Report = Callable[[str, int, int], None]
"""Called as `report(what, done, total)` by functions that may take longer than two seconds."""


def silent(what: str, done: int, total: int) -> None:
    """The report that says nothing; the default of every library function."""


GOING_ON = "run the same command again; prepare resumes where it stopped"


def run(
    app: "typer.Typer",
    name: str,
    errors: tuple[type[Exception], ...] = (ConvRNNError,),
    going_on: str = GOING_ON,
) -> NoReturn:
    """Run a command-line app and exit; `going_on` is said after an interruption.

    The codes: 0 done, 1 an error of `errors`, 2 wrong usage, 130 interrupted (SIGINT), 143 ended (SIGTERM). Output that
    cannot be printed changes none of them.
    """
    make_printing_safe()
    code = _run(app, name, errors, going_on)
    finish_printing()
    sys.exit(code)


def _run(app: "typer.Typer", name: str, errors: tuple[type[Exception], ...], going_on: str) -> int:
    import typer
    from typer.exceptions import TyperException

    try:
        require_posix(name)
        require_current_folder()
    except ConvRNNError as error:
        _say(name, str(error))
        return 1
    came = _interrupted_by()
    try:
        code = app(prog_name=name, standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
        else:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else name
            _say(name, f"{error.format_message()} (see `{command} --help`)")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if came:  # Some libraries turn an interruption that falls into them into an error of their own.
            code = 130
        elif isinstance(error, errors):
            _say(name, str(error))
            code = 1
        else:
            raise
    signal.setitimer(signal.ITIMER_REAL, 0)
    ended = signal.SIGTERM in came
    if code == 130:
        _say(name, f"{'ended' if ended else 'interrupted'}; {going_on}")
    return 143 if ended and code == 130 else code or 0


def _interrupted_by() -> list[int]:
    """Let SIGTERM, by which clusters end what has used its time, be cleaned up after as Ctrl-C is.

    An interruption that falls into a callback, such as one of the garbage collector, is swallowed by Python itself:
    it comes again a moment later.

    Returns:
        The signals that have come; empty until one has.
    """
    came: list[int] = []
    tell = sys.unraisablehook

    def interrupt(number: int, frame: object) -> None:
        # A second SIGTERM ends at once; a second Ctrl-C interrupts the cleaning up.
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        came.append(number)
        # Cython's destructors report through it that the interruption cut the construction of their object short.
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt

    def again(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def swallowed(what: "sys.UnraisableHookArgs") -> None:
        if not came:
            tell(what)
        elif issubclass(what.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, again)
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    with contextlib.suppress(ValueError):  # not the main thread, which alone may ask for signals
        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = swallowed
    return came


def _say(name: str, message: str) -> None:
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)


def plain_lines(pause: float = 10.0, clock: Callable[[], float] = time.monotonic) -> Report:
    """A `Report` for logs: a line on stderr at most every `pause` seconds, so that short work says nothing."""
    last = clock()

    def report(what: str, done: int, total: int) -> None:
        nonlocal last
        if clock() - last >= pause:
            last = clock()
            print(f"{what}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return report


@contextmanager
def progress() -> Iterator[Report]:
    """A `Report` for stderr: on a terminal one bar per `what`, elsewhere a plain line every ten seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield plain_lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report
