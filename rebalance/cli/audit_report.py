"""What an audit found: as a report for programs, as a table, and in one line."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rebalance.cli.report import displayed, emit, print_table

if TYPE_CHECKING:
    from rebalance.audit import Audit
    from rebalance.planning.estimates import Estimate
    from rebalance.planning.shortcuts import Header, Leak
    from rebalance.planning.tell import Tell

Report = Mapping[str, Any]
_WAYS_OUT = {
    "transform": "--originals transform, which draws every file of every class",
    "quality": "--quality source, which encodes each file as its source was",
    "interpolation": "--interpolation bicubic, which blurs less",
    "alike": "--size, --output-format and --quality treat every file alike",
    "online": "augmenting all classes alike while training",
}


def audit_report(output: str, audit: "Audit") -> dict[str, Any]:
    """Return everything that an audit found, ready for JSON."""
    audited = audit.audited
    report: dict[str, Any] = {
        "schema": 1,
        "output": output,
        "n_looked_at": audit.n_files,
        "n_classes_looked_at": len(audited.classes),
        "n_originals_looked_at": audit.n_originals,
        "originals_of": audit.originals,
        "has_manifest": audited.request is not None,
        "has_originals": audited.counts.has_originals,
        "classes": [
            {
                "name": name,
                "n_files": count,
                "n_generated": audited.counts.n_generated[name],
                "generated_share": audited.counts.n_generated[name] / count if count else 0.0,
            }
            for name, count in audited.counts.n_files.items()
        ],
        "exposure": audited.counts.exposure,
        "header": audit.header and _header_row(audit.header),
        "tell": {size: tell and _tell_row(tell) for size, tell in audit.tells.items()},
        "leak": {size: leak and _leak_row(leak) for size, leak in audit.leaks.items()},
        "risks": {name: risk for name, (risk, _) in audit.risks.items()},
        "found": audit.found,
        "not_looked_at": [{"path": path, "reason": reason} for path, reason in sorted(audit.unread.items())],
    }
    return {**report, "verdict": _verdict(report, audit.audited.request or {})}


def print_audit(report: Report) -> None:
    """Print a report as text."""
    classes = report["classes"]
    n_files, n_generated = (sum(row[key] for row in classes) for key in ("n_files", "n_generated"))
    emit(displayed(f"{report['output']}: {len(classes)} classes, {n_files} files, {n_generated} of them generated"))
    if n_generated:
        least, most = (pick(classes, key=lambda row: row["generated_share"]) for pick in (min, max))
        emit(
            displayed(
                f"generated: {least['generated_share']:.0%} of {least['name']} to {most['generated_share']:.0%} of "
                f"{most['name']}: exposure {report['exposure']:.2f}"
            )
        )
    of = f" and {report['n_originals_looked_at']} originals of {report['originals_of']}"
    some = "" if report["n_classes_looked_at"] == len(classes) else f", of {report['n_classes_looked_at']} classes"
    emit(f"looked at {report['n_looked_at']} files{of if report['n_originals_looked_at'] else ''}{some}")
    rows = [*_header_rows(report), *_tell_rows(report), *_leak_rows(report)]
    if rows:
        print_table(("what", "found", "95 % interval", "chance", "by"), rows)
    emit(displayed(report["verdict"]))


def _header_row(header: "Header") -> dict[str, Any]:
    return {
        "output": _row(header.output),
        "originals": _row(header.source),
        "rise": _row(header.rise),
        "field": header.field,
        "by_field": {name: {"output": own, "originals": other} for name, (own, other) in header.by_field.items()},
    }


def _tell_row(tell: "Tell") -> dict[str, Any]:
    from rebalance.images.statistics import STATISTICS  # noqa: PLC0415  with what it imports, nothing for --help

    names = [statistic.name for statistic in STATISTICS]
    return {
        "auc": _row(tell.overall),
        "by_kind": {kind: _row(estimate) for kind, estimate in tell.by_kind.items()},
        "by_statistic": dict(zip(names, tell.by_statistic, strict=True)),
    }


def _leak_row(leak: "Leak") -> dict[str, Any]:
    return {
        "accuracy_fitted_on_originals": _row(leak.on_originals),
        "accuracy_fitted_on_output": _row(leak.on_output),
        "drop": _row(leak.drop),
        "called_minority": {
            fitted_on: {"untouched": before, "with_traces": after} for fitted_on, (before, after) in leak.calls.items()
        },
        "moved": _row(leak.moved),
    }


def _row(estimate: "Estimate | None") -> dict[str, float] | None:
    return estimate and estimate._asdict()


def _header_rows(report: Report) -> Iterator[list[str]]:
    header = report["header"]
    if header is None:
        return
    by = _telling_field(header) if _is_beyond_chance(header["output"]) else ""
    yield _cells("headers: balanced accuracy, OUTPUT", header["output"], by)
    if header["rise"]:
        yield _cells("headers: the same, originals", header["originals"])
        yield _cells("headers: rise", header["rise"], header["field"] if _is_found(report, "header") else "")


def _tell_rows(report: Report) -> Iterator[list[str]]:
    told = "generated or original" if report["has_originals"] else "first or later copy"
    for size, tell in report["tell"].items():
        if tell:
            yield _cells(f"tell, {size}: AUC, {told}", tell["auc"], ", ".join(_kinds(tell)))


def _leak_rows(report: Report) -> Iterator[list[str]]:
    for size, leak in report["leak"].items():
        if leak is None:
            continue
        yield _cells(f"leak, {size}: accuracy on originals, fitted on originals", leak["accuracy_fitted_on_originals"])
        yield _cells(f"leak, {size}: the same, fitted on OUTPUT", leak["accuracy_fitted_on_output"])
        if leak["moved"]:
            before, after = leak["called_minority"]["OUTPUT"].values()
            yield _cells(f"leak, {size}: moved to small classes", leak["moved"], f"{before:.0%} -> {after:.0%}")


def _cells(what: str, estimate: Mapping[str, float], by: str = "") -> list[str]:
    value, low, high, chance = (estimate[key] for key in ("value", "low", "high", "chance"))
    return [what, f"{value:.3f}", f"{low:.3f} to {high:.3f}", f"{chance:.3g}", by or "-"]


def _kinds(tell: Report) -> list[str]:
    """Return what generated files are told by, beyond chance, what tells them best first."""
    kinds = tell["by_kind"]
    told = [kind for kind, row in kinds.items() if _is_beyond_chance(row, len(kinds))]
    return [f"{kind} {kinds[kind]['value']:.2f}" for kind in sorted(told, key=lambda kind: -kinds[kind]["value"])]


def _telling_field(header: Report) -> str:
    """Return the field that tells the most of OUTPUT's classes."""
    by_field: Mapping[str, Report] = header["by_field"]
    return max(by_field, key=lambda name: by_field[name]["output"])


def _is_beyond_chance(row: Mapping[str, float], n_looks: int = 1) -> bool:
    from rebalance.planning.estimates import Estimate  # noqa: PLC0415  NumPy, nothing for --help

    return Estimate(**row).is_found(n_looks)


def _is_found(report: Report, name: str) -> bool:
    return any(found.partition(",")[0] == name for found in report["found"])


def _verdict(report: Report, request: Mapping[str, Any]) -> str:
    """Return the one line that says what was found and what to do."""
    already = _told_already(report)
    if not any(row["n_generated"] for row in report["classes"]):
        unknown = "" if report["has_manifest"] else ", as far as it says: it holds no manifest of rebalance"
        return f"nothing to audit: no file of it is generated{unknown}{already}"
    told = _told_exposure(report)
    if not report["found"]:
        unknown = "; --source SOURCE would tell more" if report["originals_of"] == "nowhere" else ""
        return f"no leak beyond chance: {told}{already}{unknown}"
    more = []
    if _is_found(report, "header"):
        more.append(f"headers tell more of the class than those of originals do, by {report['header']['field']}")
    moved = {name: share for name, share in report["found"].items() if name.startswith("leak")}
    if moved:
        name, share = next(iter(moved.items()))
        size = name.removeprefix("leak, ")
        more.append(f"traces alone move {share:.1%} of the majority's originals to small classes, at size {size}")
    return "; ".join([f"a leak: {told}", *more, f"try {', or '.join(_ways_out(report, request))}"]) + already


def _told_exposure(report: Report) -> str:
    """Return exposure times tell, at the size where generated files are told best."""
    tells = {size: tell for size, tell in report["tell"].items() if tell}
    if not tells:
        return f"exposure {report['exposure']:.2f}, and no class has both generated files and others"
    size = max(tells, key=lambda size: tells[size]["auc"]["value"])
    tell = max(0.0, 2 * tells[size]["auc"]["value"] - 1)
    by = _kinds(tells[size])
    told = f"exposure {report['exposure']:.2f} x tell {tell:.2f} = {report['exposure'] * tell:.2f} at size {size}"
    return f"{told}, by {', '.join(by)}" if by else told


def _told_already(report: Report) -> str:
    """Return what headers tell of the class without any rise."""
    header = report["header"]
    if header is None or _is_found(report, "header") or not _is_beyond_chance(header["output"]):
        return ""
    where = "its headers" if header["rise"] is None else "headers of its originals"
    return (
        f"; {where} tell the class as it is, by {_telling_field(header)}: "
        f"balanced accuracy {header['output']['value']:.2f}, chance {header['output']['chance']:.2f}"
    )


def _ways_out(report: Report, request: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes the leak smaller, of what was not done."""
    rendering = request.get("rendering", {})
    kinds = {kind.split()[0] for tell in report["tell"].values() if tell for kind in _kinds(tell)}
    if rendering.get("originals", "keep") != "transform":
        yield _WAYS_OUT["transform"]
    if rendering.get("quality") is not None and "JPEG" in kinds:
        yield _WAYS_OUT["quality"]
    if rendering.get("interpolation", "bicubic") != "bicubic" and "blur" in kinds:
        yield _WAYS_OUT["interpolation"]
    if _is_found(report, "header"):
        yield _WAYS_OUT["alike"]
    yield _WAYS_OUT["online"]
