"""The command-line parser and its help.

Nothing slow is imported here, so help and error messages appear at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from capsjax.version import VERSION

_DESCRIPTION = """\
Train capsule networks with dynamic routing, and see what they learned.

The first run downloads the data and compiles; later runs start in seconds. To
resume a run that was stopped, by Ctrl-C or by a power cut, give the same
command again.
"""
_COMMANDS = {
  'train': 'train a network, or resume training (the default)',
  'evaluate': 'measure a checkpoint on every test image',
  'reconstruct': 'draw test images above their reconstructions',
  'perturb': 'draw what each dimension of the class capsules encodes',
  'report': 'describe a run, or compare several, in one HTML file',
  'explore': 'write an HTML page in which the trained network runs',
  'predict': 'classify your own pictures',
  'export': 'write the classifier for programs without capsjax',
  'configs': 'list the configurations that come with capsjax',
}
_LIST = '\n'.join(f'  {name:13}{does}' for name, does in _COMMANDS.items())
_EPILOG = f"""\
commands:
{_LIST}

examples:
  capsjax --config digits
      run the paper's network on 1,797 digits; needs no download
  capsjax --config mnist --config.num_epochs=3
      train on MNIST for three epochs; the run is in runs/mnist
  capsjax --config mnist --config.data_dir=DIR
      read the four IDX files of MNIST from DIR or DIR/mnist
  capsjax --config mnist \\
      --workdir runs/one --config.model.routing.num_iterations=1 --config.seed=1
      set any field that --help-config lists; names and values are checked
  capsjax evaluate --workdir runs/mnist
      print the test error, both losses, the accuracy of each class and the
      confusion matrix
  capsjax perturb --workdir runs/mnist
      write pictures to runs/mnist/pictures
  capsjax report --workdir runs/a runs/b
      compare the curves of two runs in runs/a/comparison.html
  capsjax predict --workdir runs/mnist --pictures 7.png more/
      classify pictures, which should resemble the training images
  capsjax export --workdir runs/mnist
      write the weights, and a program for jax.export from uint8 images
      [batch, height, width, channels] to scores [batch, classes]
"""


def parse(
  argv: Sequence[str] | None,
) -> tuple[argparse.Namespace, list[str]]:
  """Parses the command line.

  A mistake prints one line and ends the process with status 2.

  Args:
    argv: the command-line arguments; `sys.argv[1:]` if None.

  Returns:
    The options, and the arguments that override fields of the configuration.
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
    help='one of the commands listed below; default: train',
    metavar='COMMAND',
  )
  version = f'capsjax {VERSION}'
  parser.add_argument('--version', action='version', version=version)
  parser.add_argument(
    '--help-config',
    action='store_true',
    help='list every configuration field with its default, meaning and values, '
    'and exit',
  )
  _add_run(parser)
  _add_output(parser)
  _add_hosts(parser)
  return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
  """Adds the options that choose a run and its checkpoint."""
  add = parser.add_argument
  add(
    '--config',
    type=Path,
    metavar='NAME',
    help='configuration to train with: a name that the command configs lists, '
    'such as mnist, or a Python file; default: the one saved in --workdir. '
    'Other commands always read the saved one. Set any field with '
    '--config.FIELD=VALUE',
  )
  add(
    '--workdir',
    type=Path,
    nargs='+',
    action='extend',
    default=[],
    metavar='DIR',
    help='folder of the run; default: runs/NAME, for --config NAME or NAME.py. '
    'report compares several',
  )
  add(
    '--checkpoint',
    metavar='NAME',
    default='latest',
    help='checkpoint to read, or to resume training from (later steps are '
    'trained anew): latest (the default), best, or the number of a step; best '
    'requires validation images, --config.validation_size=5000',
  )


def _add_output(parser: argparse.ArgumentParser) -> None:
  """Adds the options for the output folder and the pictures to classify."""
  add = parser.add_argument
  add(
    '--output',
    type=Path,
    metavar='DIR',
    help='folder to write pictures, pages, measurements and exported files to; '
    'default: the folder of the run, or of the first run compared',
  )
  add(
    '--pictures',
    type=Path,
    nargs='+',
    action='extend',
    default=[],
    metavar='PATH',
    help='pictures for predict: files, and folders of them',
  )


def _add_hosts(parser: argparse.ArgumentParser) -> None:
  """Adds the options for training on several hosts."""
  hosts = parser.add_argument_group(
    'several hosts',
    'run the same command on every host; on a TPU pod or under Slurm, '
    '--distributed alone is enough',
  )
  add = hosts.add_argument
  add('--distributed', action='store_true', help='join the other hosts')
  add('--coordinator', metavar='HOST:PORT', help='address of the first host')
  add('--num-processes', type=int, metavar='N', help='number of processes')
  add(
    '--process-id', type=int, metavar='I', help='index of this process, from 0'
  )


def _mistake(
  options: argparse.Namespace, overrides: Sequence[str]
) -> str | None:
  """Returns a message if the options are inconsistent, or None."""
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
    return 'to compare runs, leave out --config and --config.FIELD=VALUE'
  if len(options.workdir) > 1 and options.checkpoint != 'latest':
    return 'a comparison covers whole runs and takes no --checkpoint'
  if options.command == 'train' and options.output:
    return 'train writes to --workdir and takes no --output'
  if bool(options.pictures) != (options.command == 'predict'):
    return 'predict needs --pictures PATH...; no other command takes it'
  return None


def split_overrides(
  words: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[list[str], list[str]]:
  """Separates configuration overrides from all other arguments.

  Args:
    words: the arguments; `--config.seed=1` and `--noconfig.diagnostics` are
      overrides.
    parser: reports an override without a value, which ends the process.

  Returns:
    The overrides, and the other arguments.
  """
  prefixes = ('--config.', '--noconfig.')
  overrides = [word for word in words if word.startswith(prefixes)]
  for word in overrides:
    if '=' not in word and not word.startswith('--noconfig.'):
      parser.error(f'write {word}=VALUE, without a space')
  return overrides, [word for word in words if word not in overrides]
