"""onnxruntime, as all models use it: imported when it is needed, silent, on one thread; what it says, as our errors."""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rebalance.errors import UsageError, did_you_mean
from rebalance.images.model_settings import ModelSettings
from rebalance.images.weights import weight_files

Files = Mapping[str, bytes]
"""What a model has its weights in, by the name it has for each file."""


def import_onnxruntime() -> Any:
    """Return onnxruntime, silent. Raises UsageError where it is missing."""
    try:
        import onnxruntime  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        raise UsageError("--embedder onnx: needs onnxruntime: pip install 'rebalance-images[onnx]'") from None
    onnxruntime.set_default_logger_severity(4)  # what is wrong, we say
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def onnxruntime_version() -> str:
    """Return which onnxruntime is at hand."""
    return str(import_onnxruntime().__version__)


def open_session(data: bytes, files: Files, where: str) -> Any:
    """Return a session on one thread, which does the same work in the same order each time."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.use_deterministic_compute = True
    if files:
        lengths = [len(content) for content in files.values()]
        options.add_external_initializers_from_files_in_memory(list(files), list(files.values()), lengths)
    with failures_told(where, f"not a model that onnxruntime {runtime.__version__} runs"):
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def failures_told(where: str, what: str) -> Iterator[None]:
    """Raise UsageError where onnxruntime fails, MemoryError where it has none."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  the errors of onnxruntime have no other base
        message = " ".join(str(error).split())
        if isinstance(error, MemoryError) or "allocate memory" in message or "bad_alloc" in message:
            raise MemoryError from None
        reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message)
        raise UsageError(f"{where}: {what}: {reason[:300]}") from None


def wanted_files(data: bytes, files: Files, where: str) -> Files:
    """Return the files of the weights; onnxruntime would look for a missing one in the current directory."""
    names = weight_files(data, where)
    for name in names:
        if name not in files:
            raise UsageError(f"{where}: its weights {name!r} are missing: put that file beside it")
    return {name: files[name] for name in names}


def model_sums(data: bytes, files: Files) -> dict[str, Any]:
    """Return the sha256 of a model, and of each file its weights lie in, if there are such."""
    sums: dict[str, Any] = {"model": hashlib.sha256(data).hexdigest()}
    weights = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**sums, "weights": weights} if weights else sums


def choose_output(names: Sequence[str], settings: ModelSettings, where: str) -> str:
    """Return the output that was asked for, else the first. Raises UsageError where there is none of that name."""
    if settings.output is None:
        return names[0]
    if settings.output not in names:
        hint = did_you_mean(settings.output, names)
        raise UsageError(f"{where}: has no output {settings.output!r}, but {', '.join(map(repr, names))}{hint}")
    return settings.output
