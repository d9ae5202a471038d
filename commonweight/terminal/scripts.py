"""`--json` on every command: put on all of them here and nowhere else, refusals of wrong options included.

CommonweightError
├── WrongUsage   an option or argument that the command cannot take; exit status 2
└── Abandoned    a question that was not answered
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from commonweight.terminal.console import complain, speak_json
from commonweight.terminal.logs import without_a_log
from contracts.errors import CommonweightError

FLAG = "--json"
PARAMETER = "as_json"


class WrongUsage(CommonweightError):
    """An option or argument that the command cannot take."""

    code = "wrong-usage"


class QuestionUnanswered(CommonweightError):
    """A question at the terminal was not answered."""

    code = "abandoned"


def _heard(context: typer.Context, asked: bool) -> None:
    """The option of a command, or of the group before it: `chain --json fund` is `chain fund --json`."""
    context.meta[FLAG] = asked or context.meta.get(FLAG, False)
    speak_json(context.meta[FLAG])
    without_a_log(context.meta[FLAG])


Json = Annotated[bool, typer.Option(FLAG, callback=_heard, is_eager=True, help="JSON for scripts instead of text.")]


def for_scripts(app: typer.Typer) -> None:
    """Give each command of `app` and of its groups the option; a group that does something alone has it as well."""
    for command in app.registered_commands:
        command.callback = _with_json(command.callback)
    if app.registered_callback is not None:
        app.registered_callback.callback = _with_json(app.registered_callback.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            for_scripts(group.typer_instance)


def run(app: Callable[..., Any]) -> None:
    """Run the command of `sys.argv`. For scripts a wrong option is one object on stderr as well.

    Raises SystemExit with the status, and the command's errors.
    """
    if FLAG not in sys.argv:
        app()
        return
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        speak_json(True)
        complain(QuestionUnanswered("the question at the terminal was not answered"))
        sys.exit(1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # errors of options have it; they are of typer's own class
            raise
        speak_json(True)  # the option itself may not have been read yet
        complain(WrongUsage(str(error.format_message())), _where(error))
        sys.exit(int(getattr(error, "exit_code", 2)))
    sys.exit(status)


def _with_json(command: Callable[..., Any] | None) -> Callable[..., Any]:
    """The command with one option more, which it does not see: its output asks `speaks_json`."""
    assert command is not None, "registered with a function"
    signature = inspect.signature(command, eval_str=True)

    @wraps(command)
    def without(*arguments: Any, **options: Any) -> Any:
        del options[PARAMETER]
        return command(*arguments, **options)

    option = inspect.Parameter(PARAMETER, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    without.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    without.__annotations__ = {**command.__annotations__, PARAMETER: Json}
    return without


def _where(error: Exception) -> dict[str, object]:
    """The option or argument that is wrong, and the help that explains it."""
    context = getattr(error, "ctx", None)
    parameter = getattr(error, "param", None)
    field = getattr(error, "param_hint", None) or getattr(error, "option_name", None)
    fields: dict[str, object] = {"field": field or (parameter.opts[0] if parameter is not None else None)}
    if context is not None:
        fields["help"] = f"{context.command_path} --help"
    return fields
