"""SVHN: digits of house numbers, a small CapsNet (section 7).

python -m experiments.svhn --size=cpu
"""

from experiments.comparison import Comparison
from experiments.runs import Run
from experiments.suite import main

COMPARISON = Comparison(
  name='svhn',
  title='SVHN, trained on the 73,257 digits of its small training set',
  runs=(Run('capsnet', 'svhn', group='svhn', paper='4.3'),),
  sizes={'cpu': ('--config.num_epochs=5',)},
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
