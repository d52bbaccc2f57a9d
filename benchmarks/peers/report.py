"""A record as tables and sentences, for the terminal and for the page. Torch-free."""

from collections.abc import Collection, Sequence

from .candidates import OURS
from .cases import GROWTH, VIT
from .record import MEASURED, STOPPED, CaseRecord, Record, Result, growth
from .statistics import Ratio, speed_up

HEAD = ("candidate", "ms", "noise", "speed", "95 %", "GFLOP/s", "of peak", "memory, MB", "difference")
NUMBERS = HEAD[1:]
GROWTH_HEAD = ("candidate", "side", "pixels, times", "ms", "time, times", "memory, MB", "memory, times")
LEGEND = """ms: of a call, the median over the rounds; noise: half the distance of their quartiles
speed: how many times as fast as the fastest peer, with its 95 % confidence interval
GFLOP/s: of the matrix products that the model needs, whoever computes it; of peak: of those measured here
memory: the peak of the first two calls, above what the process held before them
difference: the largest to plain swinkit with the same weights, as a share of the largest value"""
VERDICTS = {
    "faster": "is faster than",
    "slower": "is SLOWER than",
    "tie": "ties with",
    "unknown": "was measured too few times beside",
}


def cells(record: CaseRecord, result: Result, peak: float) -> tuple[str, ...]:
    """Return the table's line of a valid result; `peak` in operations a second."""
    time, rate = result.seconds, record.rate(result)
    ratio = None if record.case.workload == GROWTH else record.speed_up(result)
    return (
        result.candidate,
        milliseconds(time.median),
        f"{time.noise:.1%}",
        *(("-", "-") if ratio is None else ratio_cells(ratio)),
        f"{rate / 1e9:,.0f}",
        f"{rate / peak:.0%}",
        "-" if result.memory is None else f"{result.memory / 1e6:,.0f}",
        "-" if result.difference is None else f"{result.difference:.0e}",
    )


def ratio_cells(ratio: Ratio) -> tuple[str, str]:
    """Return a ratio, marked if it is a tie, and its interval."""
    if ratio.low == ratio.high == 1:
        return "1", "-"
    if not ratio.is_known:
        return f"{ratio.median:.2f}", "few rounds"
    tie = " tie" if ratio.verdict == "tie" else ""
    return f"{ratio.median:.2f}{tie}", f"{ratio.low:.2f}-{ratio.high:.2f}"


def milliseconds(seconds: float) -> str:
    """Return milliseconds with three digits or more."""
    value = 1e3 * seconds
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f}"


def reasons(record: CaseRecord) -> list[str]:
    """Return a line for each candidate that has no numbers or was stopped."""
    lines = []
    for result in record.results:
        if result.state == STOPPED:
            after = f" after {len(result.rounds)} rounds" if result.rounds else ""
            lines.append(f"{result.candidate}: stopped{after}")
        elif result.state != MEASURED:
            lines.append(f"{result.candidate}: {result.reason}")
    return lines


def verdicts(record: CaseRecord) -> list[str]:
    """Return sentences: our fastest beside the fastest peer, and the eager candidates beside each other.

    For training steps the latter also in memory. Empty if there is nothing to compare.
    """
    if record.case.workload == GROWTH:
        return []
    lines = []
    ours, theirs = record.fastest(ours=True), record.fastest_peer
    if ours and theirs:
        lines.append(sentence(ours, theirs, "the fastest peer"))
    plain, peer = record.fastest(ours=True, eager=True), record.fastest(ours=False, eager=True)
    if plain and peer and (plain, peer) != (ours, theirs):
        lines.append(sentence(plain, peer, "the fastest that PyTorch runs as it is"))
    if plain and peer and record.case.is_training and plain.memory and peer.memory:
        share = plain.memory / peer.memory
        lines.append(f"{plain.candidate} takes {share:.2f} times the memory of {peer.candidate}")
    return lines


def sentence(ours: Result, theirs: Result, title: str) -> str:
    """Compare two results in words."""
    ratio = speed_up(theirs.medians, ours.medians)
    return (
        f"{ours.candidate} {VERDICTS[ratio.verdict]} {title}, {theirs.candidate}: {ratio.median:.2f} "
        f"({ratio.low:.2f}-{ratio.high:.2f}) times as fast, over {len(ours.rounds)} rounds"
    )


def machine_lines(record: Record) -> list[str]:
    """Describe the machine, its roofline and the software, a line each."""
    machine = record.machine
    device = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores"
    sets = f" ({', '.join(machine['instruction_sets'])})" if machine["instruction_sets"] else ""
    return [
        f"{device}{sets}; {machine['threads']} threads; {machine['memory'] / 2**30:.0f} GiB",
        f"load of the machine before it began: {machine['load_before']:.2f} processes",
        roofline_line(record),
        ", ".join(f"{name} {number}" for name, number in record.versions.items()),
    ]


def roofline_line(record: Record) -> str:
    """Describe the roofline, on all threads and on one."""
    rates = {name: rate / 1e9 for name, rate in record.roofline.items()}
    text = f"matrix products {rates['products']:,.0f} GFLOP/s, copies {rates['copies']:,.1f} GB/s"
    if "products_of_one" not in rates:
        return text
    return f"{text} (one thread: {rates['products_of_one']:,.0f} and {rates['copies_of_one']:,.1f})"


def duration(record: Record) -> str:
    """Return ", in N minutes", or "" if the record does not hold its duration."""
    return f", in {record.seconds / 60:.0f} minutes" if record.seconds else ""


def growth_rows(record: Record) -> list[tuple[str, ...]]:
    """Return the table of growth: time and memory as multiples of the smallest picture's, by pixels."""
    rows = []
    for candidate in (*OURS, VIT):
        pairs = growth(record, candidate)
        for pixels, result in pairs:
            first_pixels, first = pairs[0]
            memory = f"{result.memory / first.memory:.1f}" if result.memory and first.memory else "-"
            rows.append(
                (
                    candidate,
                    f"{pixels**0.5:.0f}",
                    f"{pixels / first_pixels:.0f}",
                    milliseconds(result.seconds.median),
                    f"{result.seconds.median / first.seconds.median:.1f}",
                    f"{(result.memory or 0) / 1e6:,.0f}",
                    memory,
                )
            )
    return rows


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> str:
    """Return a Markdown table; the columns `right` hold numbers."""
    marks = ["---:" if name in right else "---" for name in head]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))
