"""Configurations in YAML, JSON and Python files."""

import json

import pytest

from capsjax.errors import UserError
from capsjax.runs import load_config
from capsjax.runs.config import BaselineConfig, ClassificationLossConfig


def write(path, text):
  path.write_text(text)
  return path


def test_a_yaml_file_sets_fields_of_a_named_configuration(tmp_path):
  config = load_config(
    write(
      tmp_path / 'mine.yaml',
      'base: digits\n'
      'num_epochs: 3\n'
      'optimizer:\n'
      '  learning_rate: 1e-2  # text, to YAML\n'
      'model.routing.leaky: true\n'
      'model:\n'
      '  conv_kernel_size: [5, 5]\n'
      '  primary_kernel_size: (7, 7)\n',
    ),
    ['--config.num_epochs=4'],
  )
  assert (config.dataset, config.batch_size) == ('digits', 32)
  assert config.num_epochs == 4, 'the command line wins'
  assert config.optimizer.learning_rate == 0.01
  assert config.model.routing.leaky
  assert config.model.conv_kernel_size == (5, 5)
  assert config.model.primary_kernel_size == (7, 7)


def test_a_json_file_starts_from_the_defaults(tmp_path):
  path = write(tmp_path / 'mine.json', json.dumps({'model': {'num_types': 4}}))
  config = load_config(path)
  assert config.model.num_types == 4
  assert config.dataset == 'mnist'


def test_another_model_starts_from_its_own_defaults(tmp_path):
  path = write(tmp_path / 'a.yaml', 'model_name: baseline\nmodel.pool_size: 2')
  config = load_config(path)
  assert config.model == BaselineConfig(pool_size=2)
  assert config.loss == ClassificationLossConfig()
  changed = load_config('mnist', ['--config.model_name=baseline'])
  assert changed.loss == ClassificationLossConfig()


def test_fields_that_refer_to_others_follow_them(tmp_path):
  path = write(
    tmp_path / 'a.py',
    'import capsjax\n'
    'def get_config():\n'
    '  config = capsjax.default_config()\n'
    '  config.pairs.test_seed = config.get_ref("seed") + 1\n'
    '  return config\n',
  )
  assert load_config(path, ['--config.seed=4']).pairs.test_seed == 5


@pytest.mark.parametrize(
  ('name', 'text', 'hint'),
  [
    ('a.yaml', 'num_epochs: [', 'cannot be read'),
    ('a.yaml', '- 3\n', 'must hold fields'),
    ('a.yaml', 'num_epoch: 3', 'did you mean num_epochs?'),
    ('a.yaml', 'num_epochs: three', "'three', but it must be a whole number"),
    ('a.yaml', 'base: mnst', 'did you mean mnist?'),
    ('a.yaml', 'base: [mnist]', 'base must be the name'),
    ('a.yaml', 'model: 3', 'no field model'),
    ('a.yaml', '!!python/object/apply:os.getcwd []', 'cannot be read'),
    ('a.json', '{"seed": 1,}', 'cannot be read'),
    ('a.toml', 'seed = 1', 'must be a Python, YAML or JSON file'),
  ],
)
def test_a_mistake_in_a_file_is_told(tmp_path, name, text, hint):
  with pytest.raises(UserError, match=hint) as error:
    load_config(write(tmp_path / name, text))
  assert '\n' not in str(error.value)


def test_a_yaml_base_may_not_be_yaml(tmp_path):
  write(tmp_path / 'a.yaml', 'seed: 1')
  path = write(tmp_path / 'b.yaml', f'base: {tmp_path}/a.yaml')
  with pytest.raises(UserError, match='must name a Python file'):
    load_config(path)
