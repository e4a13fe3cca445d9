"""Messages for errors that other libraries raise, and for warnings."""

import logging

import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.console import warnings_told
from capsjax.errors import (
  UserError,
  memory_told,
  nearest_path,
  path_hint,
)


def test_too_little_memory_is_told_in_one_line():
  expected = r'too little memory.*batch_size'
  with pytest.raises(UserError, match=expected) as told, memory_told():
    # A pebibyte, which exceeds 47-bit addresses.
    jnp.zeros(1 << 50, jnp.int8).block_until_ready()
  assert '\n' not in str(told.value)


def test_too_little_memory_of_the_host_is_told():
  with pytest.raises(UserError, match=r'too little memory'), memory_told():
    np.empty(1 << 50, np.int8)


def test_other_errors_are_defects():
  with pytest.raises(RuntimeError, match='something else'), memory_told():
    raise RuntimeError('something else')


def test_warnings_are_lines_on_stderr(capsys, caplog):
  logger = logging.getLogger('capsjax.anything')
  with warnings_told():
    logger.warning('%d pictures are odd', 3)
    logger.info('not worth a line')
    logging.getLogger('other').warning('of another package')
  assert capsys.readouterr().err == 'capsjax: warning: 3 pictures are odd\n'
  assert caplog.messages == ['of another package']
  logger.warning('outside of a command')
  assert not capsys.readouterr().err
  assert caplog.messages[1:] == ['outside of a command']


@pytest.mark.parametrize(
  ('missing', 'found'),
  [
    ('pictures/sevn.png', 'pictures/seven.png'),
    ('pictres/seven.png', 'pictures/seven.png'),
    ('pictures', 'pictures'),
    ('pictures/nothing.like.it', None),
    ('elsewhere/seven.png', None),
  ],
)
def test_a_mistyped_path_is_found(missing, found, tmp_path):
  (tmp_path / 'pictures').mkdir()
  (tmp_path / 'pictures' / 'seven.png').touch()
  expected = None if found is None else tmp_path / found
  assert nearest_path(tmp_path / missing) == expected
  if expected is None:
    assert path_hint(tmp_path / missing, 'give another') == 'give another'
  else:
    hint = path_hint(tmp_path / missing, 'give another')
    assert hint == f'did you mean {expected}?'
