"""The command-line program `capsjax`."""

import argparse
import functools
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from capsjax.commands import parse
from capsjax.commands.configs import list_configs
from capsjax.errors import UserError, memory_told, warnings_told
from capsjax.huge_pages import restart_with_huge_pages
from capsjax.runs.config import Config


def main(argv: Sequence[str] | None = None) -> int:
  """Runs a command.

  Args:
    argv: the command-line arguments; `sys.argv[1:]` if None.

  Returns:
    The exit status: 0 for success, 2 for a user's mistake or a missing file,
    130 after Ctrl-C and 143 after SIGTERM, whether or not there was anything to
    save.
  """
  options, overrides = parse(argv)
  try:
    with warnings_told(), memory_told():
      return _run(options, overrides)
  except UserError as error:
    print(f'capsjax: error: {error}', file=sys.stderr)
    return 2
  except OSError as error:
    # For a forbidden folder or a full disk, the system's message will do.
    print(f'capsjax: error: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('capsjax: interrupted', file=sys.stderr)
    return 130


def entry_point() -> None:
  """Runs the console script `capsjax`."""
  restart_with_huge_pages()
  if isinstance(sys.stdout, io.TextIOWrapper):
    # File names of pictures may hold any bytes.
    sys.stdout.reconfigure(errors='backslashreplace')
  sys.exit(main())


def _run(options: argparse.Namespace, overrides: Sequence[str]) -> int:
  if options.help_config:
    from capsjax.runs.configuration import describe_fields

    print(describe_fields())
    return 0
  if options.command == 'configs':
    list_configs()
    return 0
  # Importing JAX takes a second; --help and mistakes should not wait for it.
  from capsjax import runtime
  from capsjax.commands import (
    evaluate,
    explore,
    export,
    perturb,
    predict,
    reconstruct,
    report,
    train,
  )

  configs = _load(options, overrides)
  workdir, config = next(iter(configs.items()))
  runtime.start(
    distributed=options.distributed or options.coordinator is not None,
    coordinator=options.coordinator,
    num_processes=options.num_processes,
    process_id=options.process_id,
    matmul_precision=config.matmul_precision,
  )
  readers: dict[str, Callable[..., object]] = {
    'evaluate': evaluate.run,
    'reconstruct': reconstruct.run,
    'perturb': perturb.run,
    'explore': explore.run,
    'export': export.run,
    'predict': functools.partial(predict.run, pictures=options.pictures),
  }
  places = {
    'checkpoint_name': options.checkpoint,
    'output': options.output or workdir,
  }
  if options.command == 'train':
    return train.run(config, workdir, checkpoint_name=options.checkpoint)
  if options.command == 'report':
    report.run(configs, **places)
  else:
    readers[options.command](config, workdir, **places)
  return 0


def _load(
  options: argparse.Namespace, overrides: Sequence[str]
) -> dict[Path, Config]:
  """Returns the configuration of each run, keyed by its folder."""
  from capsjax.runs import configuration
  from capsjax.runs.folder import RunFolder

  path, workdirs = options.config, options.workdir
  if not workdirs:
    if path is None:
      raise UserError(
        'give --config NAME, for example --config digits, or the '
        '--workdir DIR of an earlier run'
      )
    workdirs = [Path('runs') / path.stem]
  configs = {}
  for workdir in workdirs:
    of_run = RunFolder(workdir).config
    # Reading a run uses the configuration it was trained with, even if FILE has
    # changed since.
    if path and (options.command == 'train' or not of_run.is_file()):
      of_run = path
    elif path:
      print(f'{workdir} is read without --config, by its own {of_run.name}')
    if not of_run.is_file() and path is None:
      raise UserError(
        f'{workdir} holds no run to resume or read; start one with '
        f'--config FILE --workdir {workdir}'
      )
    configs[workdir] = configuration.load_config(of_run, overrides)
  return configs


if __name__ == '__main__':
  entry_point()
