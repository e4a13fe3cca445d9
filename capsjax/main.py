"""Capsule networks from the command line.

The first run downloads the data and compiles, later ones start in seconds. A
run that was stopped, by Ctrl-C or by a power cut, goes on where it was when the
same command is given again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from capsjax.errors import UserError
from capsjax.huge_pages import restart_with_huge_pages

if TYPE_CHECKING:
  import ml_collections

_COMMANDS = {
  'train': 'train, or continue training (the default)',
  'evaluate': 'measure a checkpoint on every test image',
  'reconstruct': 'draw test images above their reconstructions',
  'perturb': 'draw what the dimensions of class capsules stand for',
  'report': 'write all about a run, or of several compared, into one HTML file',
  'explore': 'write an HTML page in which the trained network runs',
}
_LIST = '\n'.join(f'  {name:12}{does}' for name, does in _COMMANDS.items())
_EPILOG = f"""\
commands:
{_LIST}

examples:
  python -m capsjax.main --config configs/digits.py
      the paper's network on 1,797 digits; needs no download
  python -m capsjax.main --config configs/mnist.py --config.num_epochs=3
      on MNIST, into runs/mnist
  python -m capsjax.main --config configs/mnist.py --config.data_dir=DIR
      with the four IDX files in DIR or DIR/mnist
  python -m capsjax.main --config configs/mnist.py \\
      --workdir runs/one --config.model.num_iterations=1 --config.seed=1
      any field of configs/base.py can be set; names are checked
  python -m capsjax.main evaluate --workdir runs/mnist
      test error, both losses, every class, the confusion matrix
  python -m capsjax.main perturb --workdir runs/mnist --checkpoint best
      pictures, into runs/mnist/pictures
  python -m capsjax.main report --workdir runs/a runs/b
      their curves together, into runs/a/comparison.html
"""


def main(argv: Sequence[str] | None = None) -> int:
  """Runs a command.

  Args:
    argv: the words after the program's name; those of the process if None.

  Returns:
    The exit status: 0 done, 2 a mistake of the user's or a missing thing, 130
    interrupted before there was anything to save.
  """
  options, overrides = _parse(argv)
  try:
    return _run(options, overrides)
  except UserError as error:
    print(f'capsjax: error: {error}', file=sys.stderr)
    return 2
  except OSError as error:
    # A folder without permission, a full disk: told as the system tells it.
    print(f'capsjax: error: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('capsjax: interrupted', file=sys.stderr)
    return 130


def entry_point() -> None:
  """The console script `capsjax`."""
  restart_with_huge_pages()
  sys.exit(main())


def _parse(
  argv: Sequence[str] | None,
) -> tuple[argparse.Namespace, list[str]]:
  parser = argparse.ArgumentParser(
    'capsjax',
    description=__doc__,
    epilog=_EPILOG,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add(
    'command',
    nargs='?',
    default='train',
    help='what to do: train if not given; see below',
    metavar='COMMAND',
  )
  add(
    '--config',
    type=Path,
    metavar='FILE',
    help='configuration; that of the run in --workdir if not given. Set any '
    'field of it with --config.FIELD=VALUE',
  )
  add(
    '--workdir',
    type=Path,
    nargs='+',
    action='extend',
    default=[],
    metavar='DIR',
    help='folder of the run; runs/<name of the configuration> if not given; '
    'report compares several',
  )
  add(
    '--checkpoint',
    metavar='NAME',
    default='latest',
    help='what is measured or drawn: latest (the default), best, or a step',
  )
  hosts = parser.add_argument_group(
    'several hosts',
    'run the same command on each; on a TPU pod or under Slurm --distributed '
    'alone is enough',
  )
  add = hosts.add_argument
  add('--distributed', action='store_true', help='join the other hosts')
  add('--coordinator', metavar='HOST:PORT', help='address of the first host')
  add('--num-processes', type=int, metavar='N', help='how many there are')
  add('--process-id', type=int, metavar='I', help='which this one is, from 0')
  words = sys.argv[1:] if argv is None else argv
  overrides = [w for w in words if w.startswith(('--config.', '--noconfig.'))]
  for word in overrides:
    if '=' not in word and not word.startswith('--noconfig.'):
      parser.error(f'write {word}=VALUE, without a space')
  options, unknown = parser.parse_known_args(
    [word for word in words if word not in overrides]
  )
  if unknown:
    parser.error(f'unknown option {unknown[0]}; see --help')
  several = options.num_processes, options.process_id
  if options.coordinator is None and several != (None, None):
    parser.error('--num-processes and --process-id need --coordinator')
  if options.command not in _COMMANDS:
    parser.error(
      f'unknown command {options.command!r}; choose one of '
      + ', '.join(_COMMANDS)
    )
  for word in map(str, options.workdir):
    if word in _COMMANDS:
      parser.error(f'put the command first: {word} --workdir DIR')
  if len(options.workdir) > 1 and options.command != 'report':
    parser.error(f'{options.command} takes one --workdir; report takes several')
  if len(options.workdir) > 1 and (options.config or overrides):
    parser.error('runs that are compared have configurations of their own')
  if len(options.workdir) > 1 and options.checkpoint != 'latest':
    parser.error('runs are compared by their whole course; no --checkpoint')
  return options, overrides


def _run(options: argparse.Namespace, overrides: Sequence[str]) -> int:
  # JAX takes a second to import; --help and mistakes should not wait for it.
  from capsjax import runtime
  from capsjax.commands import (
    evaluate,
    explore,
    perturb,
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
  readers = {
    'evaluate': evaluate.run,
    'reconstruct': reconstruct.run,
    'perturb': perturb.run,
    'explore': explore.run,
  }
  if options.command == 'train':
    train.run(config, workdir)
  elif options.command == 'report':
    report.run(configs, checkpoint_name=options.checkpoint)
  else:
    read = readers[options.command]
    read(config, workdir, checkpoint_name=options.checkpoint)
  return 0


def _load(
  options: argparse.Namespace, overrides: Sequence[str]
) -> dict[Path, 'ml_collections.ConfigDict']:
  """The configuration of each run by its folder."""
  from capsjax import configuration

  path, workdirs = options.config, options.workdir
  if not workdirs:
    if path is None:
      raise UserError(
        'give --config FILE, for example --config configs/digits.py, or '
        '--workdir DIR of an earlier run'
      )
    workdirs = [Path('runs') / path.stem]
  configs = {}
  for workdir in workdirs:
    of_run = path or workdir / configuration.FILE_NAME
    if not of_run.is_file() and path is None:
      raise UserError(
        f'{workdir} holds no run to continue or read; start one with '
        f'--config FILE --workdir {workdir}'
      )
    configs[workdir] = configuration.load(of_run, overrides)
  return configs


if __name__ == '__main__':
  entry_point()
