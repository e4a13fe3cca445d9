"""An argument parser whose mistakes are `UserError`s with suggestions."""

import argparse
from typing import Any, NoReturn

from capsjax.errors import UserError


class Parser(argparse.ArgumentParser):
  """Reports a mistake in one line, without a usage block."""

  def __init__(self, *args: Any, **kwargs: Any) -> None:
    kwargs |= {
      'formatter_class': argparse.RawDescriptionHelpFormatter,
      'allow_abbrev': False,
    }
    super().__init__(*args, **kwargs)

  @property
  def actions(self) -> list[argparse.Action]:
    """All options and positional arguments."""
    return self._actions

  @property
  def option_names(self) -> list[str]:
    """The names of all options, such as --workdir."""
    return list(self._option_string_actions)

  def error(self, message: str) -> NoReturn:
    """Raises the message as a UserError."""
    raise UserError(
      f'{message.removeprefix("argument ")}; see {self.prog} --help'
    )


class Once(argparse.Action):
  """Stores a value, and refuses a second one."""

  def __call__(
    self,
    parser: argparse.ArgumentParser,
    namespace: argparse.Namespace,
    values: Any,
    option_string: str | None = None,
  ) -> None:
    """Called for each occurrence of the option."""
    given: frozenset[str] = getattr(namespace, _GIVEN, frozenset())
    if self.dest in given:
      parser.error(f'give {option_string} only once')
    setattr(namespace, _GIVEN, given | {self.dest})
    setattr(namespace, self.dest, values)


_GIVEN = '_given'


def whole_number(text: str) -> int:
  """Converts the value of an option."""
  try:
    return int(text)
  except ValueError as error:
    raise argparse.ArgumentTypeError(
      f'{text!r} is not a whole number'
    ) from error
