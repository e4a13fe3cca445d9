"""smallNORB: toys from many viewpoints and under many lights (section 7).

python -m experiments.smallnorb --size=cpu
"""

from experiments.comparison import Comparison
from experiments.runs import TINY_CAPSNET, Run
from experiments.suite import main

COMPARISON = Comparison(
  name='smallnorb',
  title='smallNORB',
  runs=(
    Run(
      'capsnet',
      'smallnorb',
      group='smallnorb',
      # The digits are smaller than the crop.
      smoke=(*TINY_CAPSNET, '--config.images.crop_size=24'),
      paper='2.7',
      published='1.8 (EM routing)',
    ),
  ),
  sizes={'cpu': ('--config.num_epochs=2',)},
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
