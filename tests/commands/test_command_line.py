"""Commands, their help, and how much they print."""

import re
import subprocess
import sys

import pytest

from capsjax.commands import create_parser, parse
from capsjax.commands.options import COMMANDS
from capsjax.errors import UserError
from tests.running import REPOSITORY, TINY_NETWORK, capsjax, finish, start

TINY = (
  *('--config', 'digits', *TINY_NETWORK, '--config.num_epochs=1'),
  *('--config.batch_size=60', '--config.validation_size=1200'),
)


@pytest.mark.parametrize('name', COMMANDS)
def test_the_help_of_a_command_is_its_own(name):
  done = capsjax(name, '--help')
  assert done.status == 0
  assert done.out.startswith(f'usage: capsjax {name}')
  assert f'capsjax {name}' in done.out.partition('\nexample')[2]
  assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize('name', COMMANDS)
def test_the_examples_of_the_help_are_right(name):
  text = COMMANDS[name].details.replace('\\\n', ' ')
  examples = re.findall(
    r'^  (?:eval "\$\()?capsjax (.+?)(?:\)"| > .*)?$', text, re.M
  )
  assert examples
  for example in examples:
    options, _ = parse(example.split())
    assert options.command == name


def test_help_does_not_wait_for_jax():
  program = (
    'import sys; from capsjax.main import main\n'
    'for words in (["config", "mnist"], ["configs"], ["evaluate", "--x"]):\n'
    '  main(words)\n'
    'assert "jax" not in sys.modules'
  )
  subprocess.run([sys.executable, '-c', program], check=True)


def test_a_command_without_a_name_is_train():
  words = ['--config', 'digits', '-q']
  assert parse(words) == parse(['train', *words])


def test_the_word_after_an_option_may_be_the_name_of_a_command():
  options, _ = parse(['evaluate', '--workdir', 'report'])
  assert str(options.workdir) == 'report'


def test_every_option_has_a_help():
  _, parsers = create_parser()
  for parser in parsers.values():
    assert all(action.help for action in parser.actions)


def test_quiet_and_verbose_runs_say_less_and_more(tmp_path):
  runs = {
    flag: finish(start(*TINY, '--workdir', tmp_path / flag, flag))
    for flag in ('-q', '-v')
  }
  assert all(done.status == 0 for done in runs.values()), runs
  (line,) = runs['-q'].out.splitlines()
  assert line.startswith('test error ')
  assert runs['-q'].err == ''
  assert 'batch_size=60' in runs['-v'].out
  assert re.search(
    r'versions +capsjax [\d.]+, Python 3.*, flax', runs['-v'].out
  )
  assert re.search(r'saved +step 3', runs['-v'].out)
  words = ('evaluate', '--workdir', tmp_path / '-q')
  assert 'written to' in capsjax(*words).out
  assert 'written to' not in capsjax(*words, '-q').out


def test_verbose_errors_have_a_traceback():
  words = ('evaluate', '--workdir', 'nowhere')
  assert 'Traceback' not in capsjax(*words).err
  loud = capsjax(*words, '-v')
  assert loud.status == 2
  assert 'Traceback' in loud.err
  assert 'capsjax: error: nowhere holds no run' in loud.err


def test_a_misspelt_run_gets_a_suggestion(tmp_path):
  (tmp_path / 'mnist_one').mkdir()
  words = ('evaluate', '--workdir', tmp_path / 'mnst_one')
  assert f'did you mean {tmp_path}/mnist_one?' in capsjax(*words).refusal


def test_unknown_words_are_user_errors():
  with pytest.raises(UserError, match='there is no command'):
    parse(['zzz'])


@pytest.mark.parametrize('command', ['config', 'configs'])
def test_a_reader_may_leave(command):
  """As in `capsjax config | head -n 1`."""
  words = [sys.executable, '-m', 'capsjax', command]
  with subprocess.Popen(
    words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
  ) as process:
    process.stdout.close()
    assert process.stderr.read() == b''
  assert process.returncode == 0
