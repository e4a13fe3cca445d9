"""The command `config`."""

import dataclasses

import pytest

from capsjax.runs import load_config, shipped
from capsjax.runs.fields import named_fields
from tests.running import capsjax


def test_every_field_has_a_type_a_value_and_a_meaning():
  out = capsjax('config').out
  for field in named_fields(load_config('base')):
    assert f'{field.name}: {field.type_name} = {field.value!r}\n' in out
    assert field.meaning.split('.')[0][:40] in ' '.join(out.split())
  assert 'conv_kernel_size: tuple[int, int] = (9, 9)\n' in out
  assert 'Must be at least 1.' in out


def test_values_that_are_set_are_shown_with_the_default():
  out = capsjax('config', 'digits', '--config.seed=7').out
  assert 'batch_size: int = 32  (default: 128)\n' in out
  assert 'seed: int = 7  (default: 0)\n' in out


@pytest.mark.parametrize('name', shipped.names())
def test_yaml_is_the_same_configuration(name, tmp_path):
  override = '--config.optimizer.min_learning_rate=1e-7'
  path = tmp_path / 'mine.yaml'
  path.write_text(capsjax('config', name, override, '--yaml').out)
  found = load_config(path)
  expected = load_config(name, [override])
  assert dataclasses.asdict(found) == dataclasses.asdict(expected)
