"""Every public name follows the conventions."""

import ast
import inspect
import tomllib
from importlib import metadata
from pathlib import Path

import jax.numpy as jnp
import jaxtyping
import pytest

import capsjax

REPOSITORY = Path(__file__).parent.parent
PUBLIC = {name: getattr(capsjax, name) for name in capsjax.__all__}
FUNCTIONS = sorted(name for name in PUBLIC if inspect.isfunction(PUBLIC[name]))
CLASSES = sorted(name for name in PUBLIC if inspect.isclass(PUBLIC[name]))


def parameters(function) -> list[inspect.Parameter]:
  listed = inspect.signature(function).parameters.values()
  return [parameter for parameter in listed if parameter.name != 'self']


def is_array(parameter: inspect.Parameter) -> bool:
  kind = parameter.annotation
  return inspect.isclass(kind) and issubclass(kind, jaxtyping.AbstractArray)


def undocumented(names: list[str], docstring: str) -> list[str]:
  return [name for name in names if f'  {name}: ' not in docstring]


@pytest.mark.parametrize('stub', ['__init__.pyi', 'runs/__init__.pyi'])
def test_the_names_of_a_stub_are_those_that_it_imports(stub):
  tree = ast.parse((REPOSITORY / 'capsjax' / stub).read_text())
  imported = [
    alias.name
    for node in tree.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
  ]
  (listed,) = (
    ast.literal_eval(node.value)
    for node in tree.body
    if isinstance(node, ast.Assign)
  )
  assert listed == sorted(set(imported))


def test_public_names_are_public():
  assert {'dynamic_routing', 'margin_loss', 'squash'} <= set(FUNCTIONS)
  assert not [name for name in FUNCTIONS + CLASSES if name.startswith('_')]


def test_version_is_the_declared_one():
  project = REPOSITORY / 'pyproject.toml'
  declared = tomllib.loads(project.read_text())['project']['version']
  assert capsjax.__version__ == declared == metadata.version('capsjax')


@pytest.mark.parametrize('name', FUNCTIONS)
def test_arrays_come_first_and_defaults_are_keyword_only(name):
  listed = parameters(PUBLIC[name])
  positional = [p for p in listed if p.kind is p.POSITIONAL_OR_KEYWORD]
  others = [p for p in listed if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
  assert others == positional, 'no *args, no positional-only arguments'
  assert not [p.name for p in positional if p.default is not p.empty]
  arrays = [is_array(p) for p in positional if p.name != 'key']
  assert arrays == sorted(arrays, reverse=True), 'arrays come before the rest'
  assert 'key' not in [p.name for p in positional[1:]], 'the key comes first'


@pytest.mark.parametrize('name', FUNCTIONS)
def test_functions_are_annotated(name):
  signature = inspect.signature(PUBLIC[name])
  listed = parameters(PUBLIC[name])
  assert not [p.name for p in listed if p.annotation is p.empty]
  assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize('name', FUNCTIONS)
def test_functions_say_what_they_take_and_give(name):
  docstring = inspect.getdoc(PUBLIC[name]) or ''
  assert docstring.partition('\n')[0].endswith('.'), 'a sentence comes first'
  assert '\nReturns:\n' in docstring
  # Names as written in a signature: `name`, `*args` or `**fields`.
  names = [str(p).partition(':')[0] for p in parameters(PUBLIC[name])]
  assert '\nArgs:\n' in docstring or not names
  assert not undocumented(names, docstring)


@pytest.mark.parametrize('name', CLASSES)
def test_classes_say_what_their_fields_are(name):
  cls = PUBLIC[name]
  docstring = inspect.getdoc(cls) or ''
  assert docstring.partition('\n')[0].endswith('.'), 'a sentence comes first'
  # Linen adds `parent` and `name`.
  fields = set(inspect.get_annotations(cls)) - {'parent', 'name', 'scope'}
  assert '\nAttributes:\n' in docstring or not fields
  assert not undocumented(sorted(fields), docstring)


def test_shapes_are_checked_while_testing():
  # Without the import hook of conftest.py, annotations are not checked.
  with pytest.raises(jaxtyping.TypeCheckError):
    capsjax.margin_loss(jnp.zeros((2, 10)), jnp.zeros((2, 9)))
