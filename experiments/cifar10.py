"""CIFAR10, with single networks and an ensemble (section 7).

python -m experiments.cifar10 --size=cpu

The paper's number is for an ensemble of 7 networks whose capsule lengths are
summed; one row of the table does the same with the seeds trained here. To read
class folders of pictures in `train` and `test`, or an archive of them, pass
`--config.dataset=folder --data-dir=DIR`.
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
