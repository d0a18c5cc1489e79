"""Recipes and toolchains: what is written is checked, what is rendered is golden."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import recipe, toolchain
from buildmatrix.errors import InputError
from buildmatrix.nouns import Stage, WantedMultiplies
from buildmatrix.pipeline import project
from buildmatrix.resolved import ResolvedBuild, Resolver
from buildmatrix.works import BundleWork
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import Scalar

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "recipes"


def rendered() -> Iterator[tuple[str, str]]:
    """(file name, script) of every build and runner of the project's own matrices."""
    works = [*project.load(ROOT / "matrix.yaml").graph, *project.load(ROOT / "cortex-m.yaml").graph]
    for work in works:
        if isinstance(work.subject, ResolvedBuild):
            identifier = work.id.removesuffix("@armv7hf-bookworm")  # said only where it is another
            name = re.sub(r"[^a-z0-9.]+", "-", identifier.lower()).strip("-")
            yield f"{name}.sh", work.subject.script


@pytest.mark.slow
def test_every_script_is_golden() -> None:
    """Rewrite them with: python -m tests.unit.test_recipe; then read the diff."""
    assert {p.name: p.read_text() for p in GOLDEN.glob("*.sh")} == dict(rendered())


def test_the_toolchain_files_are_golden() -> None:
    for name, found in toolchain.load_all(ROOT / "toolchains").items():
        assert found.cmake_file == (GOLDEN / f"{name}.cmake").read_text()
        assert found.dockerfile(base="BASE") == (GOLDEN / f"{name}.Dockerfile").read_text()


def test_the_study_stands_in_the_matrix_under_its_ids() -> None:
    loaded = project.load(ROOT / "matrix.yaml")
    assert [c.id for c in loaded.cells][:6] == [
        "caffe-openblas",
        "caffe-openblas-dl",
        "mxnet-openblas",
        "mxnet-openblas-dl",
        "tf-vanilla",
        "tf-neon-vfpv4",
    ]
    assert loaded.matrix.bench.batches == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert (loaded.matrix.bench.rounds, loaded.matrix.bench.passes) == (5, 20)
    flags = {c.id: dict(c.options).get("optflags") for c in loaded.cells}
    assert flags["tf-vanilla"] == "-Os"
    assert flags["tf-neon-vfpv4"] == (
        "-Os -mfpu=neon-vfpv4 -funsafe-math-optimizations -ftree-vectorize"
    )
    stages = {loaded.graph.by_id[goal].stage for goal in loaded.graph.goals.values()}
    assert stages == {Stage.AUDIT}, "every stack has a runner"


def test_no_host_feature_reaches_a_product() -> None:
    for name, script in rendered():
        code = "\n".join(line.split("#")[0] for line in script.splitlines())
        for leak in ("march=native", "mtune=native", "uname", "nproc", "/proc/cpuinfo"):
            assert leak not in code, f"{name}: {leak}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return projects.write(tmp_path)


def test_values_are_quoted_for_the_shell(root: Path) -> None:
    (root / "recipes" / "blas" / "build.sh.j2").write_text("echo {{ option.blas }} {{ flags }}\n")
    path = root / "recipes" / "blas" / "recipe.yaml"
    path.write_text(projects.BLAS.replace("choices: [one, two], ", ""))
    recipes = recipe.load_all(root / "recipes")
    found = toolchain.load_all(root / "toolchains")["tc"]
    options: dict[str, Scalar] = {"blas": "one", "neon": False}
    unit = Resolver().build(recipes["blas"], options, found)
    assert unit.script == "echo one -O2\n"
    with pytest.raises(InputError, match="no source fits"):
        Resolver().build(recipes["blas"], {**options, "blas": "a; rm -rf /"}, found)
    path.write_text(path.read_text().replace("when: {blas: one}", "when: {}"))
    hostile: dict[str, Scalar] = {**options, "blas": "a'; rm -rf / #"}
    unit = Resolver().build(recipe.load_all(root / "recipes")["blas"], hostile, found)
    assert unit.script == """echo 'a'"'"'; rm -rf / #' -O2\n"""


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{{ option.nope }}\n", r"build\.sh\.j2:2: template: no 'nope'; there are: "),
        ("{{ target.tripel }}\n", r"no 'tripel' \(did you mean 'triple'\?\); there are: .*march"),
        ("{{ target }}{{ tripel }}\n", r"'tripel' is undefined"),
        ("{% if %}\n", r"build\.sh\.j2:1: template: "),
        ("{{ flags.__class__.__mro__ }}\n", r"build\.sh\.j2:1: template: .*unsafe"),
        ("{{ cycler.__init__.__globals__ }}\n", r"template: "),
        ("{{ option }}{{ option.update({1: 2}) }}\n", r"template: "),
        ("{{ 1.5 }}\n", r"a value of type float cannot be written"),
        (
            "a\n{{ 1 // 0 }}\n",
            r"build\.sh\.j2:2: template: (integer division or modulo|division) by zero",
        ),
        ("{{ range(10 ** 9) | join }}\n", r"build\.sh\.j2:1: template: Range too big"),
        ("{{ '%d' % 'x' }}\n", r"build\.sh\.j2:1: template: "),
        ("{{ 'é'.encode('ascii') }}\n", r"build\.sh\.j2:1: template: 'ascii' codec"),
    ],
)
def test_a_template_fault_has_its_line(root: Path, template: str, message: str) -> None:
    (root / "recipes" / "blas" / "build.sh.j2").write_text(template)
    with pytest.raises(InputError, match=message):
        projects.works(root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: net", "name: nett", "a recipe is named as its folder, net"),
        ("blas, kind: run", "bals, kind: run", "no recipe 'bals' (did you mean 'blas'?)"),
        ("kind: build", "kind: link", "'kind' cannot be 'link'; allowed: 'host', 'build' or 'run'"),
        ("neon: false", "noen: false", "blas has no option 'noen' (did you mean 'neon'?)"),
        ("script: build.sh.j2, p", "script: ../x, p", "must be a path inside the folder"),
        ("kind: archive", "kind: archiv", "'archiv' is not known (did you mean 'archive'?)"),
        ("https://example.org/net.tar", "http://example.org/net.tar", "'url'"),
        ('sha256: "bbbb', 'sha256: "zzzz', "'sha256'"),
        ("summary: a stack", "summary: 1", "'summary' must be text, not 1"),
    ],
)
def test_faults_in_a_recipe(root: Path, old: str, new: str, message: str) -> None:
    path = root / "recipes" / "net" / "recipe.yaml"
    path.write_text(projects.NET.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        recipe.load_all(root / "recipes")
    assert message in str(caught.value)
    assert "recipe.yaml:" in str(caught.value)


OWN = "options: {mode: {summary: m, choices: [full, none], default: none}}\ndependencies:"
MORE = "  - {name: %s, alternates: [{kind: folder, path: %s}]}\nbuild: {"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("blas", "default: one", "default: onr", "none of the choices of 'blas' (did you mean 'on"),
        ("blas", "default: false", 'default: "no"', "6:40: 'neon' is boolean, and 'no' is not"),
        ("blas", "[one, two]", "[one, 2]", "5:41: 'blas' is text, and 2 is not"),
        ("blas", "[one, two]", "[one, two, one]", "5:46: 'one' stands here twice"),
        ("blas", "{blas: two}", "{blas: tow}", "'blas' is never 'tow' (did you mean 'two'?); it"),
        ("blas", "{blas: two}", "{blas: [two, t?]}", "12:24: 'blas' is never 't?'"),
        *(
            ("net", "dependencies:", f"{OWN[:10]}{name}{OWN[14:]}", f"can be called '{name}': in")
            for name in ("stack", "toolchain", "model", "name", "reason", "architecture")
        ),
        ("blas", "{blas: two}", "{blas: []}", "'blas' has no value here: this is never met"),
        ("blas", "{neon: true}", '{neon: "true"}', "'neon' is boolean: it is never 'true'"),
        ("blas", "{neon: true}", "{neon: 1}", "'neon' is boolean: it is never 1"),
        ("blas", "{neon: true}", "{architecture: armfh}", "never 'armfh' (did you mean 'armhf'?)"),
        ("blas", ", neon_required: [lib/libblas.so]", "", "this rule says nothing of any file"),
        ("blas", "[lib/libblas.so]}", "[a, b]}\nx: 1", "unknown key 'x'"),
        ("net", "dependencies:", OWN.replace("mode", "neon"), "'neon' has other values or another"),
        ("net", "blas: one,", "blas: onn,", "5:43: 'blas' is never 'onn' (did you mean 'one'?)"),
        ("net", "blas: one,", "blas: o*,", "'blas' is never 'o*'"),
        ("net", "neon: false", "neon: 0", "'neon' is boolean: it is never 0"),
        (
            "net",
            "kind: run}",
            "kind: run}\n  - {recipe: blas, kind: run}",
            "7:5: this stands here t",
        ),
        ("net", "kind: run}", "kind: build}", "6:5: a second one of dependencies is called 'blas'"),
        ("net", "build: {", MORE % ("net", "x"), "a second one of sources is called 'net'"),
        (
            "net",
            "build: {",
            MORE.partition("build")[0] % ("a-b", "x") + MORE % ("a.b", "y"),
            "11:5: a second one of sources is called 'a.b', as a template writes it",
        ),
        ("net", ": caffe", ": [{format: caffe}, {format: tflite}]", "'caffe' always fits: none af"),
        ("net", "build.sh.j2, pro", "build.sh.j2, files: [a, a], pro", "'a' stands here twice"),
    ],
)
def test_what_could_never_come_to_pass_in_a_recipe_is_refused(
    root: Path, name: str, old: str, new: str, message: str
) -> None:
    """A condition that is never met leaves out what it is about, and a second thing under one name
    the first, without a word."""
    path = root / "recipes" / name / "recipe.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        projects.works(root)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_fpu_of_32_bits_is_refused_for_another_machine(root: Path) -> None:
    path = root / "toolchains" / "tc" / "toolchain.yaml"
    path.write_text(projects.TOOLCHAIN.replace("EM_ARM", "EM_AARCH64"))
    with pytest.raises(InputError, match="fpu is of 32-bit ARM alone: empty for EM_AARCH64"):
        toolchain.load_all(root / "toolchains")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{glob: a, kinds: [int9]}", "'kinds' cannot be 'int9' (did you mean 'int8'?)"),
        ("{glob: a, kinds: [float]}", "'kinds' cannot be 'float' (did you mean 'float32'?)"),
        ("{glob: a, kinds: []}", "'kinds'"),
        ("{glob: a}", "'kinds' is missing"),
        ("{glob: a, kinds: int8}", "'kinds'"),
        ("{globs: a, kinds: [int8]}", "glob"),
        ("1", "'glob' must be text, not 1"),
    ],
)
def test_faults_in_what_neon_a_recipe_wants(root: Path, rule: str, message: str) -> None:
    path = root / "recipes" / "blas" / "recipe.yaml"
    text = path.read_text().replace("required: [lib/libblas.so]", f"required: [{rule}]")
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        recipe.load_all(root / "recipes")
    assert message in str(caught.value)
    assert "recipe.yaml:" in str(caught.value)


def test_the_neon_that_a_recipe_wants_by_kind_comes_to_the_audit(root: Path) -> None:
    path = root / "recipes" / "blas" / "recipe.yaml"
    rule = "required: [lib/libblas.so, {glob: lib/*, kinds: [int8, sve]}]"
    path.write_text(path.read_text().replace("required: [lib/libblas.so]", rule))
    (policy,) = (
        work.subject.policy
        for work in projects.works(root)
        if work.id == "audit:net-one-neon" and isinstance(work.subject, BundleWork)
    )
    assert policy.neon_required == ("lib/libblas.so",)
    assert policy.multiplies_required == (WantedMultiplies("lib/*", ("int8", "sve")),)


def test_alternates_need_a_tree(root: Path) -> None:
    path = root / "recipes" / "net" / "recipe.yaml"
    again = '{kind: archive, url: "https://example.org/2.tar", sha256: "' + "d" * 64 + '"}'
    path.write_text(projects.NET.replace('"}]', '"}, ' + again + "]"))
    with pytest.raises(InputError, match="source 'net' needs its tree id"):
        recipe.load_all(root / "recipes")


def test_one_archive_at_two_places_needs_no_tree(root: Path) -> None:
    path = root / "recipes" / "net" / "recipe.yaml"
    again = '{kind: archive, url: "https://example.org/2.tar", sha256: "' + "b" * 64 + '"}'
    path.write_text(projects.NET.replace('"}]', '"}, ' + again + "]"))
    (source,) = recipe.load_all(root / "recipes")["net"].spec.sources
    assert [getattr(one, "sha256", "") for one in source.alternates] == ["b" * 64] * 2


def test_a_changed_toolchain_file_changes_its_definition(root: Path) -> None:
    before = toolchain.load_all(root / "toolchains")["tc"].definition_digest
    (root / "toolchains" / "tc" / "smoke.sh").write_text("false\n")
    after = toolchain.load_all(root / "toolchains")["tc"].definition_digest
    assert before != after


def test_the_identity_is_its_packages_not_its_image() -> None:
    one = toolchain.Identity("tc", "d", ("gcc:amd64=12",), "sha256:1")
    same = toolchain.Identity("tc", "d", ("gcc:amd64=12",), "sha256:2")
    other = toolchain.Identity("tc", "d", ("gcc:amd64=13",), "sha256:1")
    assert one.digest == same.digest != other.digest


def rewrite() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.glob("*.sh"):
        old.unlink()
    for name, script in rendered():
        (GOLDEN / name).write_text(script)
    for name, found in toolchain.load_all(ROOT / "toolchains").items():
        (GOLDEN / f"{name}.cmake").write_text(found.cmake_file)
        (GOLDEN / f"{name}.Dockerfile").write_text(found.dockerfile(base="BASE"))


if __name__ == "__main__":
    rewrite()
