"""The options of each command, and their help."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from capsjax.commands.parser import Once, Parser, whole_number


class Command(NamedTuple):
  """A command of the program.

  Attributes:
    summary: its line in the list of commands.
    details: what its own help adds, with examples.
    add_options: functions that add its options to a parser.
  """

  summary: str
  details: str
  add_options: tuple[Callable[[Parser], None], ...]


def _add_config(parser: Parser) -> None:
  parser.add_argument(
    '--config',
    action=Once,
    type=Path,
    metavar='NAME',
    help='what to train: a name that `capsjax configs` lists, such as mnist, '
    'or a Python, YAML or JSON file; default: the configuration saved in '
    '--workdir',
  )
  _add_fields(parser)


def _add_config_of_run(parser: Parser) -> None:
  parser.add_argument(
    '--config',
    action=Once,
    type=Path,
    metavar='NAME',
    help='what was trained, in place of --workdir runs/NAME',
  )
  _add_fields(parser)


def _add_fields(parser: Parser) -> None:
  parser.add_argument_group(
    'fields',
    '--config.FIELD=VALUE sets any field;\n'
    '`capsjax config` lists them with their meaning',
  )


def _add_workdir(parser: Parser) -> None:
  parser.add_argument(
    '--workdir',
    action=Once,
    type=Path,
    metavar='DIR',
    help='folder of the run; default: runs/NAME, for --config NAME or NAME.py',
  )


def _add_workdirs(parser: Parser) -> None:
  parser.add_argument(
    '--workdir',
    type=Path,
    nargs='+',
    action='extend',
    metavar='DIR',
    help='folder of the run, or of several runs to compare',
  )


def _add_checkpoint(parser: Parser) -> None:
  _add_checkpoint_name(
    parser,
    'checkpoint to read: latest (the default), best, or the number of a step; '
    'best needs validation images, --config.validation_size=5000',
  )


def _add_start(parser: Parser) -> None:
  _add_checkpoint_name(
    parser,
    'checkpoint to resume from: latest (the default), best, or the number of a '
    'step; later steps are trained anew',
  )


def _add_checkpoint_name(parser: Parser, meaning: str) -> None:
  parser.add_argument(
    '--checkpoint',
    action=Once,
    metavar='NAME',
    default='latest',
    help=meaning,
  )


def _add_output(parser: Parser) -> None:
  parser.add_argument(
    '--output',
    action=Once,
    type=Path,
    metavar='DIR',
    help='folder to write to; default: the folder of the run, or of the first '
    'of several',
  )


def _add_pictures(parser: Parser) -> None:
  parser.add_argument(
    '--pictures',
    type=Path,
    nargs='+',
    action='extend',
    required=True,
    metavar='PATH',
    help='pictures to classify: files, and folders of them',
  )


def _add_hosts(parser: Parser) -> None:
  hosts = parser.add_argument_group(
    'several hosts',
    'run the same command on every host; on a TPU pod or under Slurm,\n'
    '--distributed alone is enough',
  )
  add = hosts.add_argument
  add('--distributed', action='store_true', help='join the other hosts')
  add('--coordinator', metavar='HOST:PORT', help='address of the first host')
  add(
    '--num-processes',
    type=whole_number,
    metavar='N',
    help='number of processes',
  )
  add(
    '--process-id',
    type=whole_number,
    metavar='I',
    help='index of this process, from 0',
  )


def add_loudness(parser: Parser) -> None:
  """Adds the options, of every command, for how much it prints."""
  loudness = parser.add_mutually_exclusive_group()
  loudness.add_argument(
    '-q',
    '--quiet',
    action='store_true',
    help='print results, warnings and errors only: no progress, no advice',
  )
  loudness.add_argument(
    '-v',
    '--verbose',
    action='store_true',
    help='also print versions, the fields that differ from the defaults, '
    'checkpoints as they are saved, and the traceback of an error',
  )


def _add_name(parser: Parser) -> None:
  parser.add_argument(
    'config',
    nargs='?',
    type=Path,
    default=Path('base'),
    metavar='NAME',
    help='name or file of a configuration; default: the defaults',
  )
  parser.add_argument(
    '--yaml',
    action='store_true',
    help='print a YAML file, to edit and pass to --config',
  )


def _add_shell(parser: Parser) -> None:
  parser.add_argument(
    'shell', choices=('bash', 'zsh', 'fish'), help='the shell'
  )


_READER = (_add_config_of_run, _add_workdir, _add_checkpoint, _add_output)
COMMANDS = {
  'train': Command(
    'train a network, or resume training (the default)',
    """\
The first run downloads the data and compiles; later runs start in seconds. To
resume a run that was stopped, by Ctrl-C or by a power cut, give the same
command again.

examples:
  capsjax train --config digits
      run the paper's network on 1,797 digits; needs no download
  capsjax train --config mnist --config.num_epochs=3
      train on MNIST for three epochs; the run is in runs/mnist
  capsjax train --config mnist --config.data_dir=DIR
      read the four IDX files of MNIST from DIR or DIR/mnist
  capsjax train --config mnist --workdir runs/one \\
      --config.model.routing.num_iterations=1 --config.seed=1
      set fields; names and values are checked
  capsjax train --workdir runs/one
      resume with the configuration of the run
""",
    (_add_config, _add_workdir, _add_start, _add_hosts),
  ),
  'evaluate': Command(
    'measure a checkpoint on every test image',
    """\
Prints the test error, both losses, the accuracy of each class and the confusion
matrix, and writes evaluation.json.

examples:
  capsjax evaluate --workdir runs/mnist
  capsjax evaluate --workdir runs/mnist --checkpoint best
""",
    (*_READER, _add_hosts),
  ),
  'report': Command(
    'describe a run, or compare several, in one HTML file',
    """\
Writes report.html, or comparison.html for several runs.

examples:
  capsjax report --workdir runs/mnist
  capsjax report --workdir runs/a runs/b
""",
    (_add_config_of_run, _add_workdirs, _add_checkpoint, _add_output),
  ),
  'reconstruct': Command(
    'draw test images above their reconstructions',
    """\
Writes pictures/reconstructions.png (the paper's figure 3). Needs a decoder.

example:
  capsjax reconstruct --workdir runs/mnist
""",
    _READER,
  ),
  'perturb': Command(
    'draw what each dimension of the class capsules encodes',
    """\
Writes a picture per class (the paper's figure 4). Needs a decoder.

example:
  capsjax perturb --workdir runs/mnist --config.pictures.perturbation_range=0.4
""",
    _READER,
  ),
  'explore': Command(
    'write an HTML page in which the trained network runs',
    """\
Writes explorer.html: draw, see the capsules, move their dimensions.

example:
  capsjax explore --workdir runs/mnist
""",
    _READER,
  ),
  'predict': Command(
    'classify your own pictures',
    """\
Prints the class of each picture, and writes predictions.json. The pictures
should resemble the training images, which are not needed.

example:
  capsjax predict --workdir runs/mnist --pictures 7.png more/
""",
    (*_READER, _add_pictures),
  ),
  'export': Command(
    'write the classifier for programs without capsjax',
    """\
Writes weights.safetensors, and classifier.stablehlo: a program for jax.export
from uint8 images [batch, height, width, channels] to scores [batch, classes].

example:
  capsjax export --workdir runs/mnist
""",
    _READER,
  ),
  'configs': Command(
    'list the configurations that come with capsjax',
    'example:\n  capsjax configs\n',
    (),
  ),
  'config': Command(
    'list every field of a configuration, with its meaning',
    """\
examples:
  capsjax config
      every field with its type, default, meaning and values
  capsjax config mnist --config.seed=1
      the values that a configuration and an option give
  capsjax config mnist --yaml > mine.yaml
      a file to edit, for `capsjax train --config mine.yaml`
""",
    (_add_name,),
  ),
  'completion': Command(
    'complete commands, options and fields in a shell',
    """\
Prints a function for the shell, which asks capsjax at each tab.

example:
  eval "$(capsjax completion bash)"
""",
    (_add_shell,),
  ),
}
