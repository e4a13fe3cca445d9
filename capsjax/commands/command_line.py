"""The words of the command line, and what they ask for.

Nothing slow is imported here: help and mistakes answer at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

_DESCRIPTION = """\
Capsule networks with dynamic routing.

The first run downloads the data and compiles, later ones start in seconds. A
run that was stopped, by Ctrl-C or by a power cut, goes on where it was when the
same command is given again.
"""
_COMMANDS = {
  'train': 'train, or continue training (the default)',
  'evaluate': 'measure a checkpoint on every test image',
  'reconstruct': 'draw test images above their reconstructions',
  'perturb': 'draw what the dimensions of class capsules stand for',
  'report': 'write all about a run, or of several compared, into one HTML file',
  'explore': 'write an HTML page in which the trained network runs',
  'predict': 'name the classes of other pictures',
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
      --workdir runs/one --config.model.routing.num_iterations=1 --config.seed=1
      any field of configs/base.py can be set; names are checked
  python -m capsjax.main evaluate --workdir runs/mnist
      test error, both losses, every class, the confusion matrix
  python -m capsjax.main perturb --workdir runs/mnist
      pictures, into runs/mnist/pictures
  python -m capsjax.main report --workdir runs/a runs/b
      their curves together, into runs/a/comparison.html
  python -m capsjax.main predict --workdir runs/mnist --pictures 7.png more/
      PNG and JPEG files, which should look like the training images
"""


def parse(
  argv: Sequence[str] | None,
) -> tuple[argparse.Namespace, list[str]]:
  """Reads the words after the program's name.

  Args:
    argv: the words; those of the process if None.

  Returns:
    The options, and the words that set fields of the configuration. A mistake
    is told in one line, and ends the process with status 2.
  """
  parser = _create_parser()
  words = sys.argv[1:] if argv is None else argv
  overrides, others = split_overrides(words, parser)
  options, unknown = parser.parse_known_args(others)
  if unknown:
    parser.error(f'unknown option {unknown[0]}; see --help')
  mistake = _mistake(options, overrides)
  if mistake:
    parser.error(mistake)
  return options, overrides


def _create_parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    'capsjax',
    description=_DESCRIPTION,
    epilog=_EPILOG,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument(
    'command',
    nargs='?',
    default='train',
    help='what to do: train if not given; see below',
    metavar='COMMAND',
  )
  version = f'capsjax {metadata.version("capsjax")}'
  parser.add_argument('--version', action='version', version=version)
  parser.add_argument(
    '--help-config',
    action='store_true',
    help='list every field of a configuration with its meaning, and exit',
  )
  _add_run(parser)
  _add_output(parser)
  _add_hosts(parser)
  return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
  """Adds what says which run is meant."""
  add = parser.add_argument
  add(
    '--config',
    type=Path,
    metavar='FILE',
    help='configuration of a run to train; that of the run in --workdir if not '
    'given, or if the run is only read. Set any field of it with '
    '--config.FIELD=VALUE',
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
    help='what is measured or drawn, or where training goes on from, and all '
    'after it is trained anew: latest (the default), best, or a step; best is '
    'there if images were held out, --config.validation_size=5000',
  )


def _add_output(parser: argparse.ArgumentParser) -> None:
  """Adds what is written where, and of what."""
  add = parser.add_argument
  add(
    '--output',
    type=Path,
    metavar='DIR',
    help='folder that pictures, pages and measurements are written to; that of '
    'the run, or of the first one compared, if not given',
  )
  add(
    '--pictures',
    type=Path,
    nargs='+',
    action='extend',
    default=[],
    metavar='PATH',
    help='what to predict: PNG and JPEG files, and folders of them',
  )


def _add_hosts(parser: argparse.ArgumentParser) -> None:
  """Adds how this process joins those of other hosts."""
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


def _mistake(
  options: argparse.Namespace, overrides: Sequence[str]
) -> str | None:
  """What is wrong with options that do not go together; None if nothing is."""
  several = options.num_processes, options.process_id
  if options.coordinator is None and several != (None, None):
    return '--num-processes and --process-id need --coordinator'
  if options.command not in _COMMANDS:
    return f'unknown command {options.command!r}; choose one of ' + ', '.join(
      _COMMANDS
    )
  for option in ('workdir', 'pictures'):
    for word in map(str, getattr(options, option)):
      if word in _COMMANDS:
        return f'put the command first: {word} --{option} ...'
  if len(options.workdir) > 1 and options.command != 'report':
    return f'{options.command} takes one --workdir; report takes several'
  if len(options.workdir) > 1 and (options.config or overrides):
    return 'runs that are compared have configurations of their own'
  if len(options.workdir) > 1 and options.checkpoint != 'latest':
    return 'runs are compared by their whole course; no --checkpoint'
  if options.command == 'train' and options.output:
    return 'a run is written to --workdir; no --output'
  if bool(options.pictures) != (options.command == 'predict'):
    return 'predict needs --pictures PATH..., and nothing else does'
  return None


def split_overrides(
  words: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[list[str], list[str]]:
  """Tells the words that set fields of the configuration from the others.

  Args:
    words: such as `--config.seed=1`, `--noconfig.diagnostics` and others.
    parser: tells of a field without a value, and ends the process.

  Returns:
    Those words, and the others.
  """
  prefixes = ('--config.', '--noconfig.')
  overrides = [word for word in words if word.startswith(prefixes)]
  for word in overrides:
    if '=' not in word and not word.startswith('--noconfig.'):
      parser.error(f'write {word}=VALUE, without a space')
  return overrides, [word for word in words if word not in overrides]
