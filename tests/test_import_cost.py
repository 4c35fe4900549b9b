import json
import subprocess
import sys

import pytest

OPTIONAL = ("matplotlib", "shap", "torch", "pandas", "polars", "dask", "onnxruntime")
OPTIONAL += ("IPython", "jinja2")

BLOCKED = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def modules_after(statement):
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout))


@pytest.fixture(scope="module")
def added():
    """The modules that perturbx imports beyond those of sklearn.base."""
    return modules_after("import sklearn.base, perturbx") - modules_after("import sklearn.base")


def test_works_where_no_optional_package_is_installed():
    """With every optional package made unimportable, `import perturbx` succeeds."""
    assert "perturbx.explainers" in modules_after(f"{BLOCKED}\nimport perturbx")


def test_importing_brings_no_package_that_sklearn_base_does_not(added):
    """Nothing heavy, and no third party at all, comes with `import perturbx`."""
    others = {m.partition(".")[0] for m in added}
    assert others - set(sys.stdlib_module_names) == {"perturbx"}


def test_importing_adds_few_modules_that_are_not_ours(added):
    """At most ten modules (of Python itself) are imported beyond those of `sklearn.base`."""
    not_ours = {m for m in added if m.partition(".")[0] != "perturbx"}
    assert len(not_ours) <= 10, sorted(not_ours)


def test_parts_that_few_need_are_not_imported(added):
    """Drawing, other libraries' formats, and the demo wait until they are used."""
    ours = {m for m in added if m.partition(".")[0] == "perturbx"}
    late = ("perturbx.interop", "perturbx._demo", "perturbx.cli", "perturbx.metrics")
    assert {m for m in ours if m.startswith(late)} == set()
