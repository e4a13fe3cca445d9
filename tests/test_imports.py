"""Which modules may import which, and what none may import.

The tables below are the rules; every source file is parsed and checked.
"""

import ast
import dataclasses
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Room:
  """What modules of one package may import, besides the standard library.

  Attributes:
    ours: modules of this repository, each including its submodules.
    theirs: third-party packages.
    lazily: third-party packages that only functions may import.
  """

  ours: tuple[str, ...] = ()
  theirs: tuple[str, ...] = ()
  lazily: tuple[str, ...] = ()


ARRAYS = ('jax', 'jaxtyping')
ERRORS, FILES = 'capsjax.errors', 'capsjax.files'
VERSION = 'capsjax.version'
# Only the rooms of a program print.
CONSOLE = 'capsjax.console'
OPS, LAYERS, MODELS = 'capsjax.ops', 'capsjax.layers', 'capsjax.models'
DATA, EXAMPLES = 'capsjax.data', 'capsjax.examples'
TRAINING, RUNS = 'capsjax.training', 'capsjax.runs'
VISUALIZATION, GALLERY = 'capsjax.visualization', 'capsjax.gallery'
# Configurations are read before JAX is loaded.
CONFIGURATION = (
  *('capsjax.runs.config', 'capsjax.runs.config_file'),
  *('capsjax.runs.configuration', 'capsjax.runs.fields'),
  *('capsjax.runs.folder', 'capsjax.runs.overrides', 'capsjax.runs.shipped'),
)
IN_RUNS = Room(
  (
    *(OPS, LAYERS, MODELS, DATA, EXAMPLES),
    *(TRAINING, RUNS, ERRORS, FILES),
    *(CONSOLE, VERSION),
  ),
  (*ARRAYS, 'flax', 'lazy_loader', 'numpy', 'optax'),
)
IN_TRAINING = Room(
  (OPS, 'capsjax.models.outputs', EXAMPLES, TRAINING, ERRORS),
  (*ARRAYS, 'flax', 'numpy', 'optax'),
)


def runs_and(*packages: str) -> Room:
  return dataclasses.replace(IN_RUNS, theirs=(*IN_RUNS.theirs, *packages))


# The room of a module is the longest key that is a prefix of its name.
ROOMS = {
  'capsjax.errors': Room(),
  'capsjax.version': Room(),
  'capsjax.files': Room((ERRORS,)),
  'capsjax.huge_pages': Room(),
  'capsjax.console': Room(),
  'capsjax.runtime': Room((FILES, ERRORS), ('jax',)),
  'capsjax.ops': Room((OPS,), ARRAYS),
  # Constants in float64, computed before tracing.
  'capsjax.ops.bilinear': Room((OPS,), (*ARRAYS, 'numpy')),
  'capsjax.layers': Room((OPS, LAYERS, ERRORS), (*ARRAYS, 'flax')),
  'capsjax.models': Room((OPS, LAYERS, MODELS, ERRORS), (*ARRAYS, 'flax')),
  'capsjax.nnx': Room((OPS, LAYERS, MODELS, 'capsjax.nnx'), (*ARRAYS, 'flax')),
  'capsjax.data': Room(
    (DATA, EXAMPLES, FILES, CONSOLE, ERRORS),
    (*ARRAYS, 'numpy'),
    (
      *('PIL', 'pooch', 'requests', 'scipy', 'sklearn'),
      *('tensorflow_datasets', 'tqdm'),
    ),
  ),
  'capsjax.examples': Room((EXAMPLES, ERRORS), (*ARRAYS, 'numpy')),
  'capsjax.training': IN_TRAINING,
  'capsjax.training.progress': dataclasses.replace(
    IN_TRAINING, theirs=('tqdm',)
  ),
  'capsjax.visualization': Room(
    (OPS, 'capsjax.models.outputs', VISUALIZATION, ERRORS),
    (*ARRAYS, 'numpy'),
    ('jinja2', 'markupsafe', 'matplotlib'),
  ),
  'capsjax.runs': IN_RUNS,
  'capsjax.runs.fields': Room((ERRORS,)),
  'capsjax.runs.config': Room(('capsjax.runs.fields',)),
  'capsjax.runs.overrides': Room((ERRORS,)),
  'capsjax.runs.config_file': Room(
    (*CONFIGURATION, ERRORS), ('ml_collections', 'yaml')
  ),
  'capsjax.runs.configuration': Room(
    (*CONFIGURATION, ERRORS, FILES), ('ml_collections',)
  ),
  'capsjax.runs.folder': Room((ERRORS, FILES), ('filelock',)),
  # What a script calls in place of the command line.
  'capsjax.runs.api': Room(
    (*CONFIGURATION, RUNS, DATA, ERRORS, 'capsjax.runtime'),
    ('ml_collections',),
  ),
  'capsjax.runs.checkpoint': runs_and('orbax'),
  'capsjax.runs.exporting': dataclasses.replace(
    IN_RUNS,
    ours=(*IN_RUNS.ours, 'capsjax.runtime'),
    lazily=('safetensors',),
  ),
  'capsjax.runs.restoring': runs_and('orbax'),
  'capsjax.runs.tensorboard': runs_and('tensorboardX'),
  'capsjax.runs.weights_and_biases': dataclasses.replace(
    IN_RUNS, lazily=('wandb',)
  ),
  'capsjax.runs.monitor': dataclasses.replace(
    IN_RUNS, ours=(*IN_RUNS.ours, VISUALIZATION)
  ),
  'capsjax.runs.course': Room((RUNS, VISUALIZATION, ERRORS), ('numpy',)),
  'capsjax.gallery': Room(
    (RUNS, VISUALIZATION, GALLERY, CONSOLE, ERRORS, FILES),
    ('jaxtyping', 'numpy', 'tqdm'),
    ('matplotlib',),
  ),
  'capsjax.commands': Room(
    (
      *(DATA, TRAINING, RUNS, VISUALIZATION, GALLERY),
      *('capsjax.commands', CONSOLE, ERRORS, FILES),
    ),
    ('jax', 'jaxtyping', 'numpy', 'tqdm'),
    ('matplotlib',),
  ),
  # The help and the completions must not wait for JAX.
  'capsjax.commands.command_line': Room(
    ('capsjax.commands', *CONFIGURATION, ERRORS, VERSION)
  ),
  'capsjax.commands.options': Room(('capsjax.commands',)),
  'capsjax.commands.parser': Room((ERRORS,)),
  'capsjax.commands.config': Room(CONFIGURATION),
  'capsjax.commands.configs': Room((RUNS,)),
  'capsjax.commands.completion': Room(
    ('capsjax.commands', RUNS, *CONFIGURATION, ERRORS), (), ('argcomplete',)
  ),
  'capsjax.__main__': Room(('capsjax.main',)),
  'capsjax.main': Room(
    (
      *('capsjax.commands', *CONFIGURATION),
      *('capsjax.huge_pages', 'capsjax.runtime', CONSOLE, ERRORS),
    ),
  ),
  # The public names, which are in __init__.pyi.
  'capsjax': Room((VERSION,), ('lazy_loader',)),
  # Configurations can be read without JAX.
  'configs': Room(('configs', 'capsjax'), ('ml_collections',)),
  # Makes pages of the documentation from what the package exports.
  'website': Room(
    ('website', 'capsjax'), ('docutils', 'jax', 'latex2mathml', 'sphinx')
  ),
  # An oracle that shares code with the code under test shares its mistakes.
  'tests.reference': Room(('tests.reference',), ('numpy',)),
}

PARALLEL = 'capsjax.training.parallel'
RUNTIME = 'capsjax.runtime'
# The only modules of the package that may mention a name; () for none.
ONLY_IN = {
  'jax.pmap': (PARALLEL,),
  'jax.device_count': (PARALLEL,),
  'jax.local_device_count': (PARALLEL,),
  'jax.devices': (PARALLEL, RUNTIME),
  'jax.local_devices': (PARALLEL,),
  'jax.config.update': (RUNTIME,),
  'jax.random.PRNGKey': (),  # legacy keys
  '__future__.annotations': (),  # hides shapes from the type checker
}
# Slow packages that neither `import capsjax` nor --help may load.
HEAVY = {'matplotlib', 'optax', 'orbax', 'pooch', 'sklearn', 'tensorboardX'}
HEAVY |= {
  'tensorflow',
  'tensorflow_datasets',
  'tqdm',
  'PIL',
  'ml_collections',
  'wandb',
}


def module_name(path: Path) -> str:
  parts = path.relative_to(REPOSITORY).with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def sources(*folders: str) -> list[Path]:
  return sorted(
    path for folder in folders for path in (REPOSITORY / folder).rglob('*.py')
  )


def is_below(name: str, parent: str) -> bool:
  return name == parent or name.startswith(parent + '.')


def is_module(name: str) -> bool:
  path = REPOSITORY.joinpath(*name.split('.'))
  return path.is_dir() or path.with_suffix('.py').is_file()


def imports(
  tree: ast.AST, *, in_function: bool = False
) -> Iterator[tuple[str, bool]]:
  """Yields each imported module, and whether only a function imports it."""
  for node in ast.iter_child_nodes(tree):
    if isinstance(node, ast.Import):
      yield from ((alias.name, in_function) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'line {node.lineno}: import by the full name'
      for alias in node.names:
        # `from package import module` imports the module.
        full_name = f'{node.module}.{alias.name}'
        is_ours = is_module(full_name) or node.module == '__future__'
        yield full_name if is_ours else str(node.module), in_function
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    is_late = isinstance(node, functions) or (
      isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING'
    )
    yield from imports(node, in_function=in_function or is_late)


def mentions(tree: ast.AST) -> set[str]:
  """Yields each dotted name in a file, resolved by the file's imports."""
  long_names = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        if alias.asname:
          long_names[alias.asname] = alias.name
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        name = f'{node.module}.{alias.name}'
        long_names[alias.asname or alias.name] = name
  found = set(long_names.values())
  for node in ast.walk(tree):
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
      attributes.insert(0, node.attr)
      node = node.value
    if isinstance(node, ast.Name):
      found.add('.'.join([long_names.get(node.id, node.id), *attributes]))
  return found


def violations(path: Path) -> Iterator[str]:
  name = module_name(path)
  rooms = [room for room in ROOMS if is_below(name, room)]
  assert rooms, f'{name} has no place in the table of rooms'
  room = ROOMS[max(rooms, key=len)]
  for imported, in_function in imports(ast.parse(path.read_text())):
    package = imported.partition('.')[0]
    if package in sys.stdlib_module_names:
      continue
    if is_module(package):
      allowed = any(is_below(imported, other) for other in room.ours)
    else:
      allowed = package in room.theirs or (
        in_function and package in room.lazily
      )
    if not allowed:
      where = '' if in_function else ' when it is imported'
      yield f'{name} must not import {imported}{where}'


@pytest.mark.parametrize(
  'path',
  sources('capsjax', 'configs', 'tests/reference', 'website'),
  ids=module_name,
)
def test_imports_go_one_way(path):
  assert not list(violations(path))


def test_no_module_imports_itself_by_way_of_others():
  modules = sources('capsjax', 'configs', 'experiments', 'website')
  graph = {
    module_name(path): {
      name
      for name, _ in imports(ast.parse(path.read_text()))
      if is_module(name.partition('.')[0])
    }
    for path in modules
  }
  graphlib.TopologicalSorter(graph).prepare()  # Raises CycleError.


@pytest.mark.parametrize(
  'path', sources('experiments', 'website'), ids=module_name
)
def test_programs_beside_the_package_use_public_names(path):
  """They import what packages export, and top-level modules."""
  names = [name for name, _ in imports(ast.parse(path.read_text()))]
  ours = [name for name in names if is_below(name, 'capsjax')]
  assert not [name for name in ours if not is_public(name)]


def is_public(name: str) -> bool:
  path = REPOSITORY.joinpath(*name.split('.'))
  return path.is_dir() or name.count('.') == 1


@pytest.mark.parametrize(
  'path', sources('capsjax', 'configs', 'experiments'), ids=module_name
)
def test_some_names_have_one_home(path):
  name = module_name(path)
  mentioned = mentions(ast.parse(path.read_text()))
  strangers = [
    f'{name} mentions {special}; only {homes or "nobody"} may'
    for special, homes in ONLY_IN.items()
    if name not in homes
    and any(is_below(other, special) for other in mentioned)
    # Benchmarks are programs, so they choose devices and settings.
    if not homes or not is_below(name, 'experiments')
  ]
  assert not strangers


def loaded_by(code: str) -> set[str]:
  """Returns the top-level packages that a new Python loads to run `code`."""
  report = 'import sys; print(*{m.partition(".")[0] for m in sys.modules})'
  process = subprocess.run(
    [sys.executable, '-c', f'{code}\n{report}'],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert process.returncode == 0, process.stderr
  return set(process.stdout.splitlines()[-1].split())


def test_importing_the_library_loads_only_what_its_ops_need():
  assert not loaded_by('import capsjax; capsjax.squash') & HEAVY


def test_importing_the_library_starts_no_backend():
  # Choosing devices at import would break jax.distributed and XLA flags.
  loaded_by(
    'import capsjax\n'
    'import jax._src.xla_bridge as bridge\n'
    'assert not bridge.backends_are_initialized()'
  )


def test_help_is_answered_before_anything_heavy_is_loaded():
  code = (
    'import sys\n'
    'from capsjax.main import entry_point\n'
    'sys.argv = ["capsjax", "--help"]\n'
    'try:\n'
    '  entry_point()\n'
    'except SystemExit as end:\n'
    '  assert not end.code, end.code'
  )
  assert not loaded_by(code) & (HEAVY | {'flax', 'jax', 'numpy'})
