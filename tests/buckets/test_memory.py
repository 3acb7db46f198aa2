"""Trees in a storage of fsspec that is no S3: `memory://`, which only this process sees."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from rebalance.errors import OutputRefusedError, StorageError
from rebalance.storage import claim, prefix
from rebalance.storage.bucket import Bucket
from tests.conftest import Run, contents


@pytest.fixture
def memory() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def address(memory: Any, source: Path) -> str:
    """The source, in memory."""
    for path in source.rglob("*.png"):
        memory.pipe_file(f"/above/data/{path.relative_to(source)}", path.read_bytes())
    return "memory://above/data"


def contents_of(memory: Any, folder: str) -> dict[str, bytes]:
    return {name.removeprefix(f"/{folder}/"): memory.cat_file(name) for name in memory.find(f"/{folder}")}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", [("augment",), ("undersample",), ("smote",), ("augment", "--holdout", "0.25")])
def test_the_tree_is_the_one_of_a_disk(
    run: Run, source: Path, address: str, memory: Any, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert run(*command, source, "-o", tmp_path / "out").code == 0
    ran = run(*command, address, "-o", "memory://made/out")
    assert ran.code == 0, ran.err
    assert contents_of(memory, "made/out") == tree(tmp_path / "out")
    assert run(*command, address, "-o", tmp_path / "from").code == 0
    assert contents(tmp_path / "from") == contents(tmp_path / "out")
    assert run(*command, source, "-o", "memory://to").code == 0
    assert contents_of(memory, "to") == tree(tmp_path / "out")
    assert "up to date" in run(*command, address, "-o", "memory://made/out").err


def test_inspect_counts_and_decodes(run: Run, address: str, memory: Any) -> None:
    assert run("inspect", address, "--format", "json").document["classes"][2]["count"] == 7
    memory.pipe_file("/above/data/cat/broken.png", b"nothing of a picture")
    ran = run("inspect", address, "--check", "--format", "json")
    assert [bad["path"] for bad in ran.document["bad_images"]] == ["cat/broken.png"]


def test_a_tree_is_verified(run: Run, address: str, memory: Any) -> None:
    assert run("augment", address, "-o", "memory://out").code == 0
    assert run("verify", "memory://out", "--source", address).code == 0
    memory.pipe_file("/out/cat/000.png", b"another")
    memory.pipe_file("/out/cat/foreign.png", b"of somebody else")
    memory.rm_file("/out/owl/000.png")
    ran = run("verify", "memory://out", "--format", "json")
    assert ran.code == 1
    found = {(finding["kind"], finding["path"]) for finding in ran.document["findings"]}
    assert found == {("changed", "cat/000.png"), ("foreign", "cat/foreign.png"), ("missing", "owl/000.png")}


def test_what_is_odd_in_a_source_is_told_as_on_a_disk(run: Run, source: Path, address: str, memory: Any) -> None:
    odd = ["deep/er/000.png", "000.png", "notes.txt", ".hidden/000.png", "cat/.hidden.png", "__MACOSX/x/y.png"]
    for name in odd:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"")
        memory.pipe_file(f"/above/data/{name}", b"")
    here, there = (run("inspect", root, "--format", "json").document for root in (source, address))
    assert here["problems"] == there["problems"]
    assert here["ignored"] == there["ignored"]
    assert run("augment", address, "-o", "memory://out").err == run("augment", source, "-o", source.parent / "o").err


def test_a_source_that_changes_meanwhile_ends_the_run(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Bucket.read

    def read_and_change(bucket: Bucket, path: str) -> bytes:
        data = read(bucket, path)
        if path == "owl/000.png":
            memory.pipe_file("/above/data/owl/000.png", data[::-1])
        return data

    monkeypatch.setattr(Bucket, "read", read_and_change)
    ran = run("augment", address, "-o", "memory://out")
    assert ran.code == 7
    assert "'owl/000.png': was changed while" in ran.err
    assert "rebalance.jsonl" not in contents_of(memory, "out")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("augment", "{data}", "-o", "{data}/out"), 5, "lies in memory://above/data, or is it"),
        (("augment", "{data}", "-o", "memory://above"), 5, "lies in it: choose another place"),
        (("augment", "{data}", "-o", "memory://other"), 5, "is there and holds no rebalance.jsonl of ours"),
        (("augment", "{data}", "-o", "memory://out", "--link", "hardlink"), 5, "object storage has no links"),
        (("augment", "memory://nothing", "-o", "memory://out"), 3, "memory://nothing: cannot be read: No such file"),
        (("augment", "nothing://x", "-o", "memory://out"), 2, "nothing://x: cannot be opened"),
        (("embed", "{data}", "-o", "memory://out.npz"), 5, "is written to a disk only"),
        (("inspect", "{data}", "--report", "memory://page.html"), 5, "is written to a disk only"),
        (("augment", "{data}", "-o", "s3://"), 2, "'s3://' is no address: s3://BUCKET/PREFIX"),
        (("augment", "S3://data/train", "-o", "memory://out"), 2, "is no address"),
        (("verify", "memory://other"), 1, "not a tree that rebalance made"),
    ],
)
def test_a_refusal_is_one_line(
    run: Run, address: str, memory: Any, arguments: tuple[str, ...], code: int, message: str
) -> None:
    memory.pipe_file("/other/notes.txt", b"of somebody else")
    before = dict(memory.store)
    ran = run(*(argument.replace("{data}", address) for argument in arguments), "-q")
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert message in ran.err
    assert memory.store == before


def test_an_output_is_never_replaced(run: Run, address: str, memory: Any) -> None:
    assert run("augment", address, "-o", "memory://out").code == 0
    before = contents_of(memory, "out")
    ran = run("augment", address, "-o", "memory://out", "-s", "9", "-q")
    assert (ran.code, "choose another, or delete it first" in ran.err) == (5, True)
    ran = run("augment", address, "-o", "memory://out", "-s", "9", "-q", "--overwrite")
    assert (ran.code, "replaces no tree as a whole" in ran.err) == (5, True)
    assert run("augment", address, "-o", "memory://out/inner", "-q").code == 5
    assert contents_of(memory, "out") == before


def test_names_that_no_key_can_have_are_refused(run: Run, make_tree: Any, memory: Any) -> None:
    source = make_tree({"cat": 2, "d\nog": 1})
    ran = run("augment", source, "-o", "memory://out", "-q")
    assert (ran.code, "takes nothing named" in ran.err) == (3, True)
    assert not contents_of(memory, "out")
    long = run("augment", make_tree({"cat": 2}, name="x"), "-o", f"memory://{'long/' * 220}out", "-q")
    assert (long.code, "1024 fit" in long.err) == (3, True)


@pytest.mark.threat(89)
def test_what_somebody_else_put_there_meanwhile_is_not_deleted(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Bucket.create

    def create_beside(bucket: Bucket, path: str, data: bytes) -> None:
        memory.pipe_file("/out/cat/theirs.png", b"of somebody else")
        create(bucket, path, data)

    monkeypatch.setattr(Bucket, "create", create_beside)
    ran = run("augment", address, "-o", "memory://out", "-q")
    assert (ran.code, "cat/theirs.png: is below OUTPUT and not of our making" in ran.err) == (5, True)
    assert memory.cat_file("/out/cat/theirs.png") == b"of somebody else"
    monkeypatch.undo()
    memory.rm_file("/out/cat/theirs.png")
    assert run("augment", address, "-o", "memory://out").code == 0
    assert not [name for name in contents_of(memory, "out") if ".rebalance/" in name]


@pytest.mark.threat(89)
def test_an_object_that_is_there_is_not_replaced(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_over = prefix._taken_over

    def happen(bucket: Bucket, journal: Any) -> Any:
        memory.pipe_file("/out/dog/000.png", b"of somebody else")
        return taken_over(bucket, journal)

    monkeypatch.setattr(prefix, "_taken_over", happen)
    ran = run("augment", address, "-o", "memory://out", "-q", "--link", "copy")
    assert (ran.code, "dog/000.png: is there with other bytes than are made now" in ran.err) == (7, True)
    assert memory.cat_file("/out/dog/000.png") == b"of somebody else"


@pytest.mark.parametrize("happen", ["altered", "deleted"])
def test_what_is_not_there_as_it_was_made_is_noticed_at_the_end(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch, happen: str
) -> None:
    settle = prefix.Prefix.settle_directories

    def happen_and_settle(staged: prefix.Prefix, directories: Iterable[str]) -> None:
        memory.rm_file("/out/owl/000.png")
        if happen == "altered":
            memory.pipe_file("/out/owl/000.png", b"cut sh")
        settle(staged, directories)

    monkeypatch.setattr(prefix.Prefix, "settle_directories", happen_and_settle)
    ran = run("augment", address, "-o", "memory://out", "-q")
    assert (ran.code, "'owl/000.png': is not there as it was made" in ran.err) == (7, True)
    assert "rebalance.jsonl" not in contents_of(memory, "out")


def test_of_two_runs_the_one_that_comes_late_gives_way(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "_ROWS", 1)
    create = Bucket.create

    def create_late(bucket: Bucket, path: str, data: bytes) -> None:
        create(bucket, path, data)
        if path == "owl/000.png":
            claim.remove_own(b"memory://out")

    monkeypatch.setattr(Bucket, "create", create_late)
    ran = run("augment", address, "-o", "memory://out", "-q", "--link", "copy")
    assert (ran.code, "by another run meanwhile" in ran.err) == (6, True)
    assert not [name for name in contents_of(memory, "out") if name.endswith(".jsonl")]


def test_portions_of_a_journal_grow_with_it(memory: Any) -> None:
    bucket = Bucket("memory://out")
    bucket.create(".rebalance/claim.json", b"{}")
    journal = claim.KeptJournal(bucket, "run", b"{}")
    for number in range(60_000):
        journal.forget(f"a/{number}.png")
    sizes = [memory.size(name) // 25 for name in sorted(memory.find("/out/.rebalance")) if name.endswith(".jsonl")]
    assert 60 < len(sizes) < 110
    assert sizes == sorted(sizes)
    journal.close()


def test_a_manifest_that_appears_meanwhile_is_kept(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = prefix.Prefix.publish

    def publish_late(staged: prefix.Prefix, output: bytes, *, is_replacing: bool) -> None:
        memory.pipe_file("/out/rebalance.jsonl", b"another")
        publish(staged, output, is_replacing=is_replacing)

    monkeypatch.setattr(prefix.Prefix, "publish", publish_late)
    ran = run("augment", address, "-o", "memory://out", "-q")
    assert (ran.code, "has appeared since this run began" in ran.err) == (5, True)
    assert memory.cat_file("/out/rebalance.jsonl") == b"another"


def test_bad_images_are_made_up_for(run: Run, source: Path, address: str, memory: Any, tmp_path: Path) -> None:
    for path in (source / "owl/003.png", source / "cat/001.png"):
        path.write_bytes(path.read_bytes()[:90])
        memory.pipe_file(f"/above/data/{path.relative_to(source)}", path.read_bytes())
    ran = run("augment", address, "-o", "memory://out", "-q")
    assert ran.code == 4
    assert "rebalance.jsonl" not in contents_of(memory, "out")
    assert run("augment", address, "-o", "memory://skipping", "--bad-images", "skip", "-s", "5").code == 0
    assert run("augment", source, "-o", tmp_path / "out", "--bad-images", "skip", "-s", "5").code == 0
    assert contents_of(memory, "skipping") == tree(tmp_path / "out")


def test_what_another_request_has_begun_is_left_alone(run: Run, source: Path, memory: Any) -> None:
    (source / "owl/003.png").write_bytes(b"no picture")
    assert run("augment", source, "-o", "memory://out").code == 4
    before = contents_of(memory, "out")
    ran = run("augment", source, "-o", "memory://out", "--seed", "2", "-q")
    assert (ran.code, "holds what a run with other options" in ran.err) == (5, True)
    assert contents_of(memory, "out") == before


def test_what_another_request_has_begun_is_taken_over_where_that_is_said(
    run: Run, source: Path, memory: Any, tmp_path: Path
) -> None:
    (source / "owl/003.png").write_bytes(b"no picture")
    given = ("augment", source, "--bad-images", "skip", "-s", "5", "-q", "-o")
    assert run("augment", source, "-o", "memory://out", "-s", "9", "-q").code == 4
    assert run(*given, "memory://out").code == 5
    assert run(*given, "memory://out", "--overwrite").code == 0
    assert run(*given, tmp_path / "out").code == 0
    assert contents_of(memory, "out") == tree(tmp_path / "out")


def test_an_object_of_ours_that_is_not_wanted_any_more_is_made_anew(
    run: Run, make_tree: Any, memory: Any, tmp_path: Path
) -> None:
    source = make_tree({"cat": 3, "owl": 5}, suffix=".bmp")
    good = (source / "owl/004.bmp").read_bytes()
    (source / "owl/004.bmp").write_bytes(b"x" * len(good))
    assert run("augment", source, "-o", "memory://out", "-q").code == 4
    (source / "owl/004.bmp").write_bytes(good)
    (source / "cat/001.bmp").write_bytes(good)
    assert run("augment", source, "-o", "memory://out", "-q").code == 0
    assert run("augment", source, "-o", tmp_path / "out", "-q").code == 0
    assert contents_of(memory, "out") == tree(tmp_path / "out")
    (source / "cat/001.bmp").write_bytes(good[:-1] + b"x")
    ran = run("augment", source, "-o", "memory://out", "-q")
    assert (ran.code, "SOURCE is not what it was: 'cat/001.bmp' has changed" in ran.err) == (5, True)


def test_an_output_that_was_finished_meanwhile_is_not_claimed(run: Run, address: str, memory: Any) -> None:
    assert run("augment", address, "-o", "memory://out").code == 0
    before = contents_of(memory, "out")
    with (
        pytest.raises(OutputRefusedError, match="has appeared since"),
        prefix.claim_prefix(b"memory://out", "x", "run"),
    ):
        pass
    assert contents_of(memory, "out") == before


@pytest.mark.parametrize(
    "path", ["labels.csv", "cat/vectors.npy", ".rebalance/notes.txt", ".rebalance/x/y", ".rebalance"]
)
def test_what_only_looks_like_ours_is_left_alone(run: Run, address: str, memory: Any, path: str) -> None:
    assert run("augment", address, "-o", "memory://out", "--shard", "1/2", "-q").code == 0
    memory.store[f"/out/{path}"] = memory.store["/above/data/cat/000.png"]
    ran = run("augment", address, "-o", "memory://out", "-q")
    assert (ran.code, ran.err.count("\n")) == (5, 1), ran.err
    assert f"/out/{path}" in memory.store


def test_a_right_that_is_refused_is_no_bad_image(
    run: Run, address: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Bucket.read

    def refuse(bucket: Bucket, path: str) -> bytes:
        if path == "owl/000.png":
            raise PermissionError(13, "Permission denied")
        return read(bucket, path)

    monkeypatch.setattr(Bucket, "read", refuse)
    ran = run("augment", address, "-o", "memory://out", "--bad-images", "skip", "-q")
    assert (ran.code, "mend the disk and run again" in ran.err) == (7, True)
    assert "rebalance.jsonl" not in contents_of(memory, "out")


@pytest.mark.usefixtures("memory")
def test_a_storage_that_does_not_answer_is_not_one_without_the_object() -> None:
    bucket = Bucket("memory://out")
    assert not bucket.has("a")

    def fail(_path: str) -> None:
        message = "no answer"
        raise RuntimeError(message)

    bucket.files = type("Files", (), {"info": staticmethod(fail)})()
    with pytest.raises(StorageError, match="memory://out/a: storage fails: no answer"):
        bucket.has("a")


@pytest.mark.usefixtures("address")
def test_a_list_beside_output_is_no_obstacle(run: Run, memory: Any) -> None:
    memory.pipe_file("/above/list.csv", b"path,label\ndata/cat/000.png,cat\ndata/owl/000.png,owl\n")
    assert run("augment", "memory://above/list.csv", "-o", "memory://above/out", "-q").code == 0
    ran = run("augment", "memory://above/list.csv", "-o", "memory://above", "-q", "-s", "2")
    assert (ran.code, "lies in it and is read" in ran.err) == (5, True)


def test_shares_are_gathered(run: Run, source: Path, address: str, memory: Any, tmp_path: Path) -> None:
    for number in (1, 3):
        assert run("augment", address, "-o", "memory://out", "--shard", f"{number}/3").code == 0
    ran = run("augment", address, "-o", "memory://out")
    assert ran.code == 0
    assert "shard 2 of 3 not done" in ran.err
    assert run("augment", source, "-o", tmp_path / "out").code == 0
    assert contents_of(memory, "out") == tree(tmp_path / "out")


def test_a_list_leads_to_what_lies_in_a_storage(run: Run, address: str, memory: Any, tmp_path: Path) -> None:
    rows = ["path,label", *(f"{name},{name.split('/')[0]}" for name in contents_of(memory, "above/data"))]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    assert run("augment", tmp_path / "list.csv", "--images", address, "-o", "memory://out").code == 0
    memory.pipe_file("/above/data/list.csv", (tmp_path / "list.csv").read_bytes())
    assert run("augment", "memory://above/data/list.csv", "-o", "memory://again").code == 0
    assert contents_of(memory, "again").keys() == contents_of(memory, "out").keys()
    (tmp_path / "list.csv").write_text("path,label\ncat/none.png,cat\n")
    ran = run("augment", tmp_path / "list.csv", "--images", address, "-o", "memory://third", "-q")
    assert (ran.code, "cannot be looked at below memory://above/data" in ran.err) == (3, True)


def test_what_lies_beside_a_source_is_compared_with_it(run: Run, source: Path, memory: Any) -> None:
    for path in source.rglob("*.png"):
        memory.pipe_file(f"/above/train/{path.relative_to(source)}", path.read_bytes())
    memory.pipe_file("/above/val/cat/other.png", (source / "cat/002.png").read_bytes())
    ran = run("augment", "memory://above/train", "-o", "memory://out", "--leakage", "fail")
    assert ran.code == 1
    assert "'cat/002.png'" in ran.err
    assert "../val/cat/other.png" in ran.err
