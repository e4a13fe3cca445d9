"""The command-line program `capsjax`."""

import argparse
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from capsjax import console
from capsjax.commands import completion, parse
from capsjax.errors import UserError, memory_told, missing_told, path_hint
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
  console.set_loudness(console.Loudness.NORMAL)
  try:
    options, overrides = parse(argv)
    console.set_loudness(console.Loudness(1 + options.verbose - options.quiet))
    with console.warnings_told(), memory_told(), missing_told():
      status = _run(options, overrides)
      sys.stdout.flush()
      return status
  except BrokenPipeError:
    # The reader, such as `head`, wanted no more. Python would complain when it
    # flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
  # For a forbidden folder or a full disk, the system's message will do.
  except (UserError, OSError) as error:
    if console.is_verbose():
      traceback.print_exc()
    print(f'capsjax: error: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('capsjax: interrupted', file=sys.stderr)
    return 130


def entry_point() -> None:
  """Runs the console script `capsjax`."""
  if completion.VARIABLE in os.environ:
    completion.answer()
  restart_with_huge_pages()
  if isinstance(sys.stdout, io.TextIOWrapper):
    # File names of pictures may hold any bytes.
    sys.stdout.reconfigure(errors='backslashreplace')
  sys.exit(main())


def _run(options: argparse.Namespace, overrides: Sequence[str]) -> int:
  if options.command == 'configs':
    from capsjax.commands import configs

    configs.run()
  elif options.command == 'config':
    from capsjax.commands import config

    config.run(options.config, overrides, as_yaml=options.yaml)
  elif options.command == 'completion':
    completion.run(options.shell)
  else:
    return _run_with_jax(options, _load(options, overrides))
  return 0


def _run_with_jax(
  options: argparse.Namespace, configs: dict[Path, Config]
) -> int:
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

  workdir, config = next(iter(configs.items()))
  hosts = {
    name: getattr(options, name, None)
    for name in ('coordinator', 'num_processes', 'process_id')
  }
  runtime.start(
    distributed=getattr(options, 'distributed', False)
    or hosts['coordinator'] is not None,
    matmul_precision=config.matmul_precision,
    **hosts,
  )
  if options.command == 'train':
    return train.run(config, workdir, checkpoint_name=options.checkpoint)
  places = {
    'checkpoint_name': options.checkpoint,
    'output': options.output or workdir,
  }
  if options.command == 'report':
    report.run(configs, **places)
  elif options.command == 'predict':
    predict.run(config, workdir, pictures=options.pictures, **places)
  else:
    readers = {
      'evaluate': evaluate.run,
      'reconstruct': reconstruct.run,
      'perturb': perturb.run,
      'explore': explore.run,
      'export': export.run,
    }
    readers[options.command](config, workdir, **places)
  return 0


def _load(
  options: argparse.Namespace, overrides: Sequence[str]
) -> dict[Path, Config]:
  """Returns the configuration of each run, keyed by its folder."""
  from capsjax.runs import configuration
  from capsjax.runs.folder import RunFolder

  path, workdir = options.config, options.workdir
  if not workdir:
    if path is None:
      raise UserError(
        'give --config NAME, for example --config digits, or the '
        '--workdir DIR of an earlier run'
      )
    workdir = Path('runs') / path.stem
  configs = {}
  for folder in workdir if isinstance(workdir, list) else [workdir]:
    of_run = RunFolder(folder).config
    # Reading a run uses the configuration it was trained with, even if FILE has
    # changed since.
    if path and (options.command == 'train' or not of_run.is_file()):
      of_run = path
    elif path:
      console.say(
        f'{folder} is read without --config, by its own {of_run.name}'
      )
    if not of_run.is_file() and path is None:
      raise UserError(f'{folder} holds no run; {_way_to_a_run(folder)}')
    configs[folder] = configuration.load_config(of_run, overrides)
  return configs


def _way_to_a_run(folder: Path) -> str:
  """Returns what to do about a folder without a run."""
  begin = f'train one with --config NAME --workdir {folder}'
  return begin if folder.exists() else path_hint(folder, begin)


if __name__ == '__main__':
  entry_point()
