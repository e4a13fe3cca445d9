"""Every configuration builds, and some code reads each of its fields."""

import ast
import dataclasses
import inspect
import json
import re

import jax
import pytest

from capsjax.errors import UserError
from capsjax.models import (
  BaselineCNN,
  CapsNet,
  EfficientCapsNet,
  MatrixCapsNet,
  create_model,
)
from capsjax.ops import fused_dynamic_routing
from capsjax.runs import configuration
from capsjax.runs.config import (
  BaselineConfig,
  ClassificationLossConfig,
  Config,
  EfficientCapsNetConfig,
  MatrixCapsNetConfig,
)
from capsjax.runs.fields import flatten
from capsjax.training import (
  capsule_losses,
  create_optimizer,
  create_schedule,
  spread_losses,
)
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / 'configs'
LEAVES = sorted(
  path.stem for path in FOLDER.glob('*.py') if path.stem != 'base'
)
# The input shape of each configuration's network and its number of parameters,
# from paper.md where it has them, the others counted by hand.
PARAMETERS = {
  'affnist': ((40, 40, 1), 13_475_648),
  'affnist_cnn': ((40, 40, 1), 11_128_714),
  'cifar10': ((24, 24, 3), 22_476_288 + 160),
  'custom': ((64, 64, 3), 22_670_080),
  'digits': ((28, 28, 1), 8_215_568),
  'efficient_capsnet': ((28, 28, 1), 161_824 + 1_411_344),
  'fashion_mnist': ((28, 28, 1), 8_215_568),
  'matrix_capsules': ((32, 32, 2), 316_650),
  'mnist': ((28, 28, 1), 8_215_568),
  'mnist_baseline': ((28, 28, 1), 35_445_522),
  'mnist_official': ((28, 28, 1), 8_215_568 + 160),
  'multi_mnist': ((36, 36, 1), 11_361_968),
  'multi_mnist_baseline': ((36, 36, 1), 24_563_978),
  'smallnorb': ((32, 32, 2), 9_327_104 + 80),
  'vb_capsules': ((32, 32, 2), 68_714),
  'svhn': ((32, 32, 3), 4_720_480 + 80),
}
NUM_CLASSES = {'smallnorb': 5, 'matrix_capsules': 5, 'vb_capsules': 5}


def load(name, *overrides):
  return configuration.load_config(FOLDER / f'{name}.py', overrides)


def test_the_table_of_parameter_counts_is_complete():
  assert sorted(PARAMETERS) == LEAVES


@pytest.mark.parametrize('name', LEAVES)
def test_config_builds_and_says_how_to_run_it(name):
  config = load(name)
  num_classes = NUM_CLASSES.get(name, 10)
  model = create_model(
    config.model_name,
    num_classes=num_classes,
    **dataclasses.asdict(config.model),
  )
  image_shape, expected = PARAMETERS[name]
  shapes = jax.eval_shape(
    model.init,
    jax.random.key(0),
    jax.ShapeDtypeStruct((1, *image_shape), 'float32'),
  )
  count = sum(leaf.size for leaf in jax.tree.leaves(shapes['params']))
  assert count == expected
  fields = dataclasses.asdict(config.optimizer)
  del fields['use_epsilon_hat']
  create_schedule(steps_per_epoch=468, **fields)
  text = (FOLDER / f'{name}.py').read_text()
  assert f'--config configs/{name}.py' in text


def names_in(section):
  return {field.name for field in dataclasses.fields(section)}


# Fields of which configurations hold a name.
NAMED = ('initialization', 'dtype', 'routing')


def test_the_defaults_of_the_models_are_theirs():
  """Defaults are declared twice, since configurations load without JAX."""
  for model, fields in (
    (CapsNet, Config().model),
    (BaselineCNN, BaselineConfig()),
    (EfficientCapsNet, EfficientCapsNetConfig()),
    (MatrixCapsNet, MatrixCapsNetConfig()),
  ):
    for field in dataclasses.fields(model):
      value = getattr(fields, field.name, None)
      if value is not None and field.name not in NAMED:
        assert value == field.default, field.name
  routing = dict(vars(Config().model.routing))
  assert routing.pop('name') == 'dynamic'
  options = inspect.signature(fused_dynamic_routing).parameters
  assert routing == {name: options[name].default for name in routing}


def test_every_field_is_read():
  """Code must use each field, not only check its value."""
  # Attributes such as 'self.config.images.size' or 'images.size'.
  read = [
    ast.unparse(node)
    for path in (REPOSITORY / 'capsjax').rglob('*.py')
    if path.name != 'config.py'
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Attribute)
  ]
  config = load('mnist')
  named = [f'config.{field}' for field in names_in(config)]
  for section in ('images', 'pictures'):
    of_section = names_in(getattr(config, section))
    named += [f'{section}.{field}' for field in of_section]
  for name in named:
    pattern = re.compile(rf'(^|\.){re.escape(name)}$')
    assert any(map(pattern.search, read)), name
  assert names_in(config.optimizer) == (
    set(inspect.signature(create_schedule).parameters)
    | set(inspect.signature(create_optimizer).parameters)
  ) - {'steps_per_epoch'}
  assert names_in(config.loss) == set(
    inspect.signature(capsule_losses).parameters
  ) - {'output', 'batch', 'step'}
  spread = load('matrix_capsules').loss
  assert names_in(spread) == set(
    inspect.signature(spread_losses).parameters
  ) - {'output', 'batch', 'step'}
  for model, fields in (
    (CapsNet, config.model),
    (BaselineCNN, load('mnist_baseline').model),
    (EfficientCapsNet, load('efficient_capsnet').model),
    (MatrixCapsNet, load('matrix_capsules').model),
    (MatrixCapsNet, load('vb_capsules').model),
  ):
    body = inspect.getsource(model)
    # The registry reads `routing`, which names a function and its options.
    for field in names_in(fields) - {'routing'}:
      assert field in names_in(model)
      assert f'self.{field}' in body, field


def test_the_official_code_differs_where_it_should():
  """It departs from the paper as paper.md lists; other fields are defaults."""
  paper, official = load('mnist'), load('mnist_official')
  old, new = map(flatten, (paper, official))
  assert {k for k in old if old[k] != new[k]} == {
    'loss.margin_weight',
    'model.primary_scale',
    'model.use_capsule_bias',
    'model.initialization',
    'optimizer.use_epsilon_hat',
    'optimizer.warmup_steps',
  }
  assert official.loss.margin_weight == pytest.approx(0.5 / 10)
  assert official.model.primary_scale == 1 / 32
  # 64 types and the leak.
  assert load('cifar10').model.primary_scale == 1 / 65


def test_overrides_of_every_kind():
  config = load(
    'mnist',
    '--config.batch_size=7',
    '--config.optimizer.learning_rate=1e-2',
    '--config.optimizer.milestones=(3, 4.5)',
    '--config.model.routing.leaky=True',
    '--noconfig.model.has_decoder',
    '--config.model.decoder_sizes=(3, 4)',
    '--config.model.hidden_capsules=((20, 6),)',
    '--config.data_dir=a folder',
    '--config.freeze=conv,primary_capsules',
    '--config.images.size=(20, 30)',
    '--config.loss.class_weights=balanced',
  )
  assert config.batch_size == 7
  assert config.optimizer.learning_rate == 0.01
  assert tuple(config.optimizer.milestones) == (3, 4.5)
  assert config.model.routing.leaky and not config.model.has_decoder
  assert config.model.decoder_sizes == (3, 4)
  assert config.model.hidden_capsules == ((20, 6),)
  assert config.data_dir == 'a folder'
  assert config.freeze == ('conv', 'primary_capsules')
  assert config.images.size == (20, 30)
  assert config.loss.class_weights == 'balanced'


@pytest.mark.parametrize(
  'value', ['(20,)', '(20, 0)', '(20, 30, 3)', '(2.5, 3)', '-1', 'big', 'True']
)
def test_sizes_that_are_none(value):
  with pytest.raises(UserError, match='images.size'):
    load('custom', f'--config.images.size={value}')


def test_a_field_of_several_types_takes_each(tmp_path):
  """In files, on the command line, and for a run that is continued."""
  path = tmp_path / 'mine.py'
  path.write_text(
    'from capsjax import default_config\n'
    'def get_config():\n'
    '  config = default_config()\n'
    '  config.images.size = (20, 30)\n'
    '  config.loss.class_weights = "balanced"\n'
    '  return config\n'
  )
  config = configuration.load_config(path)
  assert config.images.size == (20, 30)
  assert config.loss.class_weights == 'balanced'
  configuration.save_config(config, tmp_path / 'config.json')
  assert configuration.load_config(tmp_path / 'config.json') == config
  words = ['--config.images.size=64', '--config.loss.class_weights=(1, 2.5)']
  for source in (path, tmp_path / 'config.json'):
    changed = configuration.load_config(source, words)
    assert changed.images.size == 64
    assert changed.loss.class_weights == (1, 2.5)
  with pytest.raises(UserError, match=r'images.size=\(20, 30\), not 64'):
    configuration.require_continues(changed, tmp_path / 'config.json')


def test_a_baseline_takes_class_weights():
  config = load('mnist_baseline', '--config.loss.class_weights=(1, 2)')
  assert config.loss == ClassificationLossConfig(class_weights=(1, 2))


def test_a_run_from_before_a_field_is_read_as_it_was(tmp_path):
  config = load('mnist')
  fields = dataclasses.asdict(config)
  del fields['stream_images'], fields['keep_every_epochs']
  del fields['optimizer']['use_epsilon_hat']
  path = tmp_path / 'config.json'
  path.write_text(json.dumps(fields))
  assert configuration.load_config(path) == config
  configuration.require_continues(config, tmp_path / 'config.json')
  streamed = configuration.load_config(path, ['--config.stream_images=True'])
  assert streamed.stream_images
  configuration.require_continues(streamed, tmp_path / 'config.json')
  other = configuration.load_config(
    path, ['--config.optimizer.use_epsilon_hat=True']
  )
  with pytest.raises(UserError, match='optimizer.use_epsilon_hat=False, not'):
    configuration.require_continues(other, tmp_path / 'config.json')


def test_saved_config_is_the_same_again(tmp_path):
  config = load('mnist', '--config.model.hidden_capsules=((20, 6),)')
  configuration.save_config(config, tmp_path / 'config.json')
  path = tmp_path / 'config.json'
  assert configuration.load_config(path) == config
  assert configuration.load_config(path, ['--config.seed=4']).seed == 4
  configuration.require_continues(config, tmp_path / 'config.json')


@pytest.mark.parametrize(
  ('override', 'is_allowed'),
  [
    ('--config.num_epochs=77', True),
    ('--config.data_dir=elsewhere', True),
    ('--config.seed=9', False),
    ('--config.model.num_types=3', False),
    ('--config.dataset=digits', False),
    ('--config.batch_size=64', False),
  ],
)
def test_what_a_continued_run_may_change(tmp_path, override, is_allowed):
  configuration.save_config(load('mnist'), tmp_path / 'config.json')
  config = load('mnist', override)
  if is_allowed:
    configuration.require_continues(config, tmp_path / 'config.json')
  else:
    field = override.split('=')[0].removeprefix('--config.')
    with pytest.raises(UserError, match=field):
      configuration.require_continues(config, tmp_path / 'config.json')


@pytest.mark.parametrize(
  ('text', 'hint'),
  [
    ('x = 1', 'get_config'),
    ('def get_config():\n  return 3', 'ConfigDict'),
    ('def get_config(:', 'cannot be run'),
    ('def get_config():\n  return {}["seed"]', "'seed'"),
  ],
)
def test_a_config_file_that_is_none(tmp_path, text, hint):
  path = tmp_path / 'mine.py'
  path.write_text(text)
  with pytest.raises(UserError, match=hint):
    configuration.load_config(path)


def test_missing_and_needless_fields_are_named(tmp_path):
  fields = dataclasses.asdict(load('mnist'))
  (tmp_path / 'config.json').write_text(json.dumps(fields | {'momentum': 0.9}))
  with pytest.raises(UserError, match='momentum'):
    configuration.load_config(tmp_path / 'config.json')
  del fields['seed']
  (tmp_path / 'config.json').write_text(json.dumps(fields))
  with pytest.raises(UserError, match='seed'):
    configuration.load_config(tmp_path / 'config.json')


def test_configs_can_be_read_without_jax(repository):
  """Each is a function that returns a ConfigDict."""
  import subprocess
  import sys

  program = (
    'import sys; from configs import mnist; mnist.get_config();'
    'assert "jax" not in sys.modules'
  )
  subprocess.run([sys.executable, '-c', program], cwd=repository, check=True)
  assert isinstance(load('digits'), Config)
