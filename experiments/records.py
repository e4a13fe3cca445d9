"""Results of runs, kept in a JSON file that later runs add to."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capsjax.errors import UserError
from capsjax.files import write_file


@dataclasses.dataclass(frozen=True)
class Record:
  """The result of one run.

  Attributes:
    run: the run's name.
    size: 'smoke', 'cpu' or 'full'.
    seed: the seed; for an ensemble, the first one.
    command: the command that trains it, without the data folder; for an
      ensemble, the command of its first network.
    epochs: the number of epochs trained.
    test_error_percent: the error on all test examples, by epoch, for each
      evaluation.
    other_tests: the final test error on other data sets, in percent.
    minutes: the time of training steps and evaluations.
    hardware: a description of the machine.
    device: a description of the JAX device.
    versions: the versions of Python and packages.
  """

  run: str
  size: str
  seed: int
  command: str
  epochs: float
  test_error_percent: dict[str, float]
  other_tests: dict[str, float]
  minutes: float
  hardware: str
  device: str
  versions: str

  @property
  def error(self) -> float:
    """The test error in percent at the end."""
    return list(self.test_error_percent.values())[-1]


class Records:
  """The records of an experiment in a JSON file.

  Args:
    path: the file, which need not exist yet.

  Raises:
    UserError: if the file is damaged.
  """

  def __init__(self, path: Path) -> None:
    self._path = path
    self._records: list[Record] = []
    if path.is_file():
      try:
        written = json.loads(path.read_text())
        if not isinstance(written, list):
          raise TypeError('it is not a list')
        self._records = [Record(**record) for record in written]
      except (TypeError, ValueError) as error:
        raise UserError(
          f'{path} is not a results file ({error}); move it away, or choose '
          'another one with --results'
        ) from error

  def find(self, run: str, size: str) -> list[Record]:
    """Returns the records of a run, sorted by seed."""
    found = [r for r in self._records if (r.run, r.size) == (run, size)]
    return sorted(found, key=lambda record: record.seed)

  def get(self, run: str, size: str, command: str) -> Record | None:
    """Returns the record of a run with this command, or None."""
    found = [r for r in self.find(run, size) if r.command == command]
    return found[0] if found else None

  @property
  def run_names(self) -> list[str]:
    """The names of all recorded runs, each once."""
    return list(dict.fromkeys(record.run for record in self._records))

  def add(self, record: Record) -> None:
    """Adds a record, replacing one of the same command, and writes the file."""
    same = self.get(record.run, record.size, record.command)
    self._records = [r for r in self._records if r is not same] + [record]
    write_json(self._path, [dataclasses.asdict(r) for r in self._records])


def write_json(path: Path, value: Any) -> None:
  """Writes a JSON file atomically."""
  write_file(path, json.dumps(value, indent=2) + '\n')


def mean_and_deviation(errors: Sequence[float]) -> str:
  """Formats as '0.25 ± 0.005'; no deviation for one number, '' for none."""
  import numpy as np

  if not errors:
    return ''
  if len(errors) == 1:
    return f'{errors[0]:.2f}'
  return f'{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.3f}'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
  """Formats a Markdown table."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
