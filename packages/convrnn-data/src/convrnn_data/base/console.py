"""Code shared by the commands: exit codes, one-line errors, progress."""

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

# typer and rich are imported lazily, so that workers, which import this module too, start faster.
if TYPE_CHECKING:
    import typer

Report = Callable[[str, int, int], None]
"""Progress callback, called as `report(what, done, total)` by functions that may take longer than two seconds."""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing; the default of all library functions."""


RESUME_HINT = "run the same command again; prepare resumes where it stopped"


def run(
    app: "typer.Typer",
    name: str,
    errors: tuple[type[Exception], ...] = (ConvRNNError,),
    resume_hint: str = RESUME_HINT,
) -> NoReturn:
    """Run a command-line app and exit with its code.

    The codes are 0 (success), 1 (an exception of `errors`), 2 (wrong usage), 130 (SIGINT) and 143 (SIGTERM). Output
    that cannot be printed does not change the code.

    Args:
        app: The app.
        name: Name of the command, for messages.
        errors: Exceptions to print as one line.
        resume_hint: Printed after an interruption.
    """
    make_printing_safe()
    code = _run(app, name, errors, resume_hint)
    finish_printing()
    sys.exit(code)


def _run(app: "typer.Typer", name: str, errors: tuple[type[Exception], ...], resume_hint: str) -> int:
    import typer
    from typer.exceptions import TyperException

    try:
        require_posix(name)
        require_current_folder()
    except ConvRNNError as error:
        _echo_error(name, str(error))
        return 1
    received = _handle_signals()
    try:
        code = app(prog_name=name, standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
        else:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else name
            _echo_error(name, f"{error.format_message()} (see `{command} --help`)")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if received:  # Some libraries convert KeyboardInterrupt into their own exceptions.
            code = 130
        elif isinstance(error, errors):
            _echo_error(name, str(error))
            code = 1
        else:
            raise
    signal.setitimer(signal.ITIMER_REAL, 0)
    ended = signal.SIGTERM in received
    if code == 130:
        _echo_error(name, f"{'ended' if ended else 'interrupted'}; {resume_hint}")
    return 143 if ended and code == 130 else code or 0


def _handle_signals() -> list[int]:
    """Convert SIGTERM, which clusters send when the time limit is reached, into KeyboardInterrupt, as for Ctrl-C.

    Python swallows an exception raised in a callback, such as one of the garbage collector; a timer then raises
    KeyboardInterrupt again.

    Returns:
        The signals received, empty at first.
    """
    received: list[int] = []
    default_hook = sys.unraisablehook

    def interrupt(number: int, frame: object) -> None:
        # A second SIGTERM ends the process at once; a second Ctrl-C interrupts the cleanup.
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        received.append(number)
        # Cython's destructors call it if the interruption left their object half constructed.
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt

    def interrupt_again(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def on_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
        if not received:
            default_hook(unraisable)
        elif issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, interrupt_again)
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    with contextlib.suppress(ValueError):  # Only the main thread may set signal handlers.
        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = on_unraisable
    return received


def _echo_error(name: str, message: str) -> None:
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)


def plain_lines(pause: float = 10.0, clock: Callable[[], float] = time.monotonic) -> Report:
    """Return a `Report` for logs: at most one line on stderr every `pause` seconds, none for short tasks."""
    last = clock()

    def report(what: str, done: int, total: int) -> None:
        nonlocal last
        if clock() - last >= pause:
            last = clock()
            print(f"{what}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return report


@contextmanager
def progress() -> Iterator[Report]:
    """Provide a `Report` for stderr: a bar per `what` on a terminal, otherwise a plain line every ten seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield plain_lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Printed lines appear above the bars, but redirected output must not go through the display.
    redirected = sys.stdout is not None and sys.stdout.isatty()
    with Progress(*columns, console=console, redirect_stdout=redirected) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report
