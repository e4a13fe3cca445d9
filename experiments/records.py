"""What came of runs, kept in a JSON file that later runs add to."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from capsjax.errors import UserError
from capsjax.files import write_file


@dataclasses.dataclass(frozen=True)
class Record:
  """What came of one run.

  Attributes:
    run: its name.
    size: 'smoke', 'cpu' or 'full'.
    seed: its seed; of an ensemble, the first.
    command: what trains it, without the folder of the data; of an ensemble,
      its first network.
    epochs: how long it was trained.
    test_error_percent: by epoch, of each evaluation, on every test example.
    other_tests: the test error in percent on other sets, at the end.
    minutes: of training steps and evaluations.
    hardware: of the machine, in words.
    device: the JAX device, in words.
    versions: of Python and packages.
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
    path: the file, which need not be there yet.

  Raises:
    UserError: if it is damaged.
  """

  def __init__(self, path: Path) -> None:
    self._path = path
    self._records: list[Record] = []
    if path.is_file():
      try:
        written = json.loads(path.read_text())
        if not isinstance(written, list):
          raise TypeError('it is no list')
        self._records = [Record(**record) for record in written]
      except (TypeError, ValueError) as error:
        raise UserError(
          f'{path} is not a file of results ({error}): move it away, or choose '
          'another one with --results'
        ) from error

  def find(self, run: str, size: str) -> list[Record]:
    """The records of a run, by seed."""
    found = [r for r in self._records if (r.run, r.size) == (run, size)]
    return sorted(found, key=lambda record: record.seed)

  def get(self, run: str, size: str, command: str) -> Record | None:
    """The record of a run that was trained by this command, if there is one."""
    found = [r for r in self.find(run, size) if r.command == command]
    return found[0] if found else None

  @property
  def run_names(self) -> list[str]:
    """Of whatever there are records of, each once."""
    return list(dict.fromkeys(record.run for record in self._records))

  def add(self, record: Record) -> None:
    """Adds a record, in place of an older one of the same; writes all."""
    same = self.get(record.run, record.size, record.command)
    self._records = [r for r in self._records if r is not same] + [record]
    write_json(self._path, [dataclasses.asdict(r) for r in self._records])


def write_json(path: Path, value: Any) -> None:
  """Writes a file whole or not at all."""
  write_file(path, json.dumps(value, indent=2) + '\n')


def mean_and_deviation(errors: Sequence[float]) -> str:
  """Such as '0.25 ± 0.005'; without deviation of one number, '' of none."""
  import numpy as np

  if not errors:
    return ''
  if len(errors) == 1:
    return f'{errors[0]:.2f}'
  return f'{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.3f}'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
  """A Markdown table."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
