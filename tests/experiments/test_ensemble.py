"""Ensembles of networks, compared with scores summed by hand."""

import functools

import jax
import numpy as np
import pytest
from PIL import Image

from capsjax.errors import UserError
from capsjax.runs.trained_run import TrainedRun
from experiments import suite
from experiments.comparison import Comparison
from experiments.ensemble import ensemble_error
from experiments.records import Records
from experiments.runs import Place, Run
from tests.experiments.test_suite import cells
from tests.running import TINY_NETWORK, beside, run

SEEDS = (0, 1)
RUN = Run('tiny', 'digits', group='digits', smoke=())
COMPARISON = Comparison(
  name='example',
  title='Two small networks',
  runs=(RUN,),
  sizes={
    'cpu': (
      *('--config.num_epochs=1', '--config.train_size=128'),
      # The last batch of the 360 images is not full.
      *('--config.batch_size=64', '--config.model.has_decoder=False'),
      *TINY_NETWORK,
      '--config.augmentation.max_shift=0',
    )
  },
  num_seeds={'cpu': len(SEEDS)},
  is_ensemble=True,
)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
  """The place that holds the networks of all seeds."""
  return Place('cpu', (), tmp_path_factory.mktemp('runs'), '')


@pytest.fixture(scope='module')
def printed(place):
  """The output of the command that trains them."""
  main = functools.partial(suite.main, COMPARISON)
  done = beside(run, main, '--runs-dir', place.folder)
  assert done.status == 0, done.err
  return done.out


def lengths(workdir):
  """Class capsule lengths of all test images, by NumPy, and the labels."""
  trained = TrainedRun.open(workdir)
  test = trained.experiment.dataset.test
  apply = jax.jit(trained.experiment.model.apply)
  output = apply({'params': trained.params}, np.float32(test.images / 255))
  capsules = np.asarray(output.capsules, np.float64)
  return np.sqrt((capsules**2).sum(-1)), test.labels


def test_the_error_is_that_of_the_summed_lengths(place, printed):
  total, alone = 0.0, []
  for seed in SEEDS:
    scores, labels = beside(lengths, place.workdir(RUN, seed))
    alone.append(100 * (scores.argmax(-1) != labels).mean())
    total = total + scores
  expected = 100 * (total.argmax(-1) != labels).mean()
  assert expected not in alone, 'the networks are too alike to tell'
  for seeds, error in ((SEEDS, expected), ([1], alone[1])):
    found = beside(ensemble_error, RUN, seeds, place)
    assert found == pytest.approx(error)
  assert f'2 networks of tiny: test error {expected:.2f}%' in printed
  (record,) = Records(place.folder / 'example.json').find(
    '2 networks of tiny', 'cpu'
  )
  assert record.error == pytest.approx(expected, abs=1e-4)
  row = next(r for r in cells(printed) if r['run'] == '2 networks of tiny')
  assert row['ours'] == f'{expected:.2f}' and row['by seed'] == ''


def test_together_is_measured_again_only_if_something_was_trained(
  place, printed
):
  del printed
  main = functools.partial(suite.main, COMPARISON)
  again = beside(run, main, '--runs-dir', place.folder)
  assert again.status == 0 and '2 networks of tiny |' in again.out
  assert 'test error' not in again.out


def test_a_network_that_is_not_there_is_named(place):
  """This happens when results are kept but runs are not."""
  with pytest.raises(UserError, match=r'seed8 holds no network.*--runs-dir'):
    ensemble_error(RUN, [8], place)


def test_networks_with_tests_of_their_own_are_not_taken_together(tmp_path):
  """Their pictures would differ, and their labels would not show it."""
  for name in 'ab':
    (tmp_path / 'pictures' / name).mkdir(parents=True)
    for i in range(5):
      path = tmp_path / 'pictures' / name / f'{i}.png'
      Image.new('L', (28, 28), i).save(path)
  main = functools.partial(suite.main, COMPARISON)
  words = ('--config.dataset=folder', '--data-dir', tmp_path / 'pictures')
  refusal = run(main, '--runs-dir', tmp_path / 'runs', *words).refusal
  assert 'each seed draws its own test set' in refusal
  refusal = run(main, '--runs-dir', tmp_path / 'runs', words[0]).refusal
  assert 'there is no folder to read' in refusal
  assert not (tmp_path / 'runs').exists()
