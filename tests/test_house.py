"""The house rules that no linter knows, and the README against the program."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rebalance.cli.main import rebalance
from tests.conftest import Run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

_HEAVY = (
    "numpy",
    "PIL",
    "sklearn",
    "scipy",
    "imblearn",
    "cv2",
    "tqdm",
    "concurrent.futures",
    "distributed",
    "matplotlib",
    "multiprocessing",
    "onnxruntime",
)


@pytest.mark.parametrize("arguments", ["['--help']", "['augment', '--help']", "['inspect', sys.argv[1]]"])
def test_start_up_imports_nothing_heavy(source: Path, arguments: str) -> None:
    code = f"import sys; from rebalance.cli.main import run; run({arguments}); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code, str(source)], capture_output=True, text=True, check=True)
    assert not set(_HEAVY) & set(ran.stderr.split())


_WRITING = {
    "rename", "replace", "unlink", "remove", "rmdir", "rmtree", "link", "symlink", "mkdir", "makedirs", "chmod",
    "utime", "truncate", "ftruncate",
}  # fmt: skip


def test_only_storage_writes_to_the_disk() -> None:
    offences = []
    for path in sorted((ROOT / "rebalance").rglob("*.py")):
        if path.parent.name == "storage":
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        offences += [f"{path.relative_to(ROOT)}:{call.lineno}" for call in calls if _writes(call)]
    assert offences == []


def _writes(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="os" | "shutil"), attr=name):
            return name in _WRITING
        case ast.Name(id="open") if isinstance(call.args[0], ast.Constant) and "/proc/" in str(call.args[0].value):
            return False  # a setting of this process, which lies on no disk
        case ast.Name(id="open"):
            modes = [argument.value for argument in call.args[1:] if isinstance(argument, ast.Constant)]
            return any(set("wxa+") & set(str(mode)) for mode in modes)
    return False


def sessions() -> list[tuple[str, str]]:
    """Return the commands that the README shows, each with what it says they print."""
    blocks = re.findall(r"(?:^    .*\n)+", README, re.MULTILINE)
    shown = ["".join(line[4:] for line in block.splitlines(keepends=True)) for block in blocks]
    pairs = [lines.split("\n", 1) for lines in shown if lines.startswith("$ rebalance")]
    return [(command.removeprefix("$ "), printed) for command, printed in pairs]


def test_the_readme_shows_what_the_program_prints(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("demo", "demo/lopsided").code == 0
    assert [command.split()[1] for command, _ in sessions()] == ["inspect", "augment", "undersample", "smote", "verify"]
    for command, expected in sessions():
        ran = run(*command.split()[1:])
        assert ran.code == 0
        assert (ran.out or ran.err) == expected


def test_the_readme_names_the_exit_codes_that_help_names(run: Run) -> None:
    helped = run("--help").out
    for code, meaning in re.findall(r"^    (\d+(?:, \d+)?)\s+(.*)$", helped, re.MULTILINE):
        plain = README.replace("`", "")
        words = meaning.split("(")[0].split(":")[0].strip()
        assert f"| {code} |" in plain or code == "70"
        assert words in plain


@pytest.mark.parametrize("command", ["augment", "undersample", "smote", "score"])
def test_every_option_of_a_command_stands_in_its_page(run: Run, command: str) -> None:
    names = {
        "smote": ("smote", "augment"), "augment": ("augment", "labels"), "undersample": ("undersample", "labels"),
    }.get(command, (command,))  # fmt: skip
    page = "".join((ROOT / "docs" / f"{name}.md").read_text() for name in names)
    options = set(re.findall(r"--[a-z][a-z-]+", run(command, "--help").out))
    ordinary = {"--help", "--output", "--format", "--quiet", "--no-horizontal-flip", "--no-vertical-flip"}
    assert {option for option in options - ordinary if option not in page} == set()


def test_without_a_command_the_help_is_shown_as_it_is(run: Run) -> None:
    ran = run()
    assert ran.code == 2
    assert ran.err.splitlines() == run("--help").out.splitlines()


def test_every_command_has_an_example(run: Run) -> None:
    for command in rebalance.commands:
        assert f"rebalance {command} " in run(command, "--help").out


def test_the_bundled_configurations_are_read(run: Run) -> None:
    for path in (ROOT / "rebalance" / "configs").glob("*.toml"):
        assert run("augment", "--config", path.stem, "--print-config").code == 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_dry_run_opens_nothing_for_writing_and_a_run_nothing_of_the_source(source: Path, tmp_path: Path) -> None:
    def traced(*arguments: str) -> list[str]:
        log = tmp_path / "trace"
        calls = (
            "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,"
            "chmod,fchmod,fchmodat,utimensat,truncate"
        )
        command = ["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", str(log), sys.executable, "-m", "rebalance"]
        subprocess.run([*command, *arguments], check=True, capture_output=True)
        lines = [line for line in log.read_text().splitlines() if "= -1" not in line]
        return [line for line in lines if not re.search(r"open(at)?\(.*O_RDONLY", line)]

    planning = traced("augment", str(source), "-o", str(tmp_path / "out"), "-n")
    assert [line for line in planning if str(tmp_path) in line] == []
    writing = traced("augment", str(source), "-o", str(tmp_path / "out"))
    assert any(str(tmp_path) in line for line in writing)
    assert [line for line in writing if str(source) in line] == []
