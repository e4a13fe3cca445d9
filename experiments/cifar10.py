"""CIFAR10, and several networks together (section 7).

python -m experiments.cifar10 --size=cpu

The paper's number is that of 7 networks whose capsule lengths are summed; a row
of the table gives that of the seeds trained here. For class folders of pictures
in `train` and `test`, or an archive of them: `--config.dataset=folder
--data-dir=DIR`.
"""

from experiments.comparison import Comparison
from experiments.runs import Run
from experiments.suite import main

COMPARISON = Comparison(
  name='cifar10',
  title='CIFAR10',
  runs=(
    Run(
      'capsnet',
      'cifar10',
      group='cifar10',
      paper='10.6 (7 networks)',
      published='7.26 (DeepCaps), 29 to 38 (single plain CapsNets)',
    ),
  ),
  sizes={'cpu': ('--config.num_epochs=1', '--config.train_size=20000')},
  num_seeds={'smoke': 2, 'cpu': 2, 'full': 7},
  is_ensemble=True,
)

if __name__ == '__main__':
  main(COMPARISON)
