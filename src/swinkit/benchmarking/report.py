"""A record in words and numbers, for the terminal and for the page. Torch-free."""

from .candidates import CANDIDATES
from .record import MEASURED, STOPPED, Measured, Record, Result, growth
from .rows import GROW, VIT
from .spread import Ratio, compared

HEAD = ("candidate", "ms", "noise", "speed", "95 %", "GFLOP/s", "of peak", "memory, MB", "difference")
NUMBERS = HEAD[1:]
GROWTH_HEAD = ("candidate", "side", "pixels, times", "ms", "time, times", "memory, MB", "memory, times")
LEGEND = """ms: of a call, the median over the rounds; noise: half the distance of their quartiles
speed: how many times as fast as the fastest peer, and the interval that holds it with a certainty of 95 %
GFLOP/s: of the matrix products that the model needs, whoever computes it; of peak: of those measured here
memory: the most during the first two calls, above what the process held before them
difference: the largest to what plain swinkit gives with the same weights, as a share of the largest value"""


def cells(measured: Measured, result: Result, peak: float) -> tuple[str, ...]:
    """The line of a result that counts; `peak` in operations a second."""
    time, rate = result.seconds, measured.rate(result)
    ratio = None if measured.row.work == GROW else measured.ratio(result)
    return (
        result.candidate,
        milliseconds(time.middle),
        f"{time.noise:.1%}",
        *(("-", "-") if ratio is None else written(ratio)),
        f"{rate / 1e9:,.0f}",
        f"{rate / peak:.0%}",
        "-" if result.memory is None else f"{result.memory / 1e6:,.0f}",
        "-" if result.difference is None else f"{result.difference:.0e}",
    )


def written(ratio: Ratio) -> tuple[str, str]:
    """A ratio and its interval; a tie is called one."""
    if ratio.low == ratio.high == 1:
        return "1", "-"
    if not ratio.known:
        return f"{ratio.middle:.2f}", "few rounds"
    tie = " tie" if ratio.verdict == "tie" else ""
    return f"{ratio.middle:.2f}{tie}", f"{ratio.low:.2f}-{ratio.high:.2f}"


def milliseconds(seconds: float) -> str:
    """With three digits or more."""
    value = 1e3 * seconds
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f}"


def reasons(measured: Measured) -> list[str]:
    """A line for each candidate that has no numbers, or that was stopped."""
    lines = []
    for result in measured.results:
        if result.state == STOPPED:
            what = f"stopped after {len(result.rounds)} rounds" if result.rounds else "stopped"
            lines.append(f"{result.candidate}: {what}")
        elif result.state != MEASURED:
            lines.append(f"{result.candidate}: {result.reason}")
    return lines


def verdicts(measured: Measured) -> list[str]:
    """A line each: our fastest against the fastest peer, and ours against theirs as PyTorch runs them.

    The latter also in memory where the row is a step of training. Empty where there is nothing to compare.
    """
    if measured.row.work == GROW:
        return []
    lines = []
    ours, theirs = measured.fastest(ours=True), measured.fastest_peer
    if ours and theirs:
        lines.append(compared_in_words(ours, theirs, "the fastest peer"))
    plain, peer = measured.fastest(ours=True, eager=True), measured.fastest(ours=False, eager=True)
    if plain and peer and (plain, peer) != (ours, theirs):
        lines.append(compared_in_words(plain, peer, "the fastest that PyTorch runs as it is"))
    if plain and peer and measured.row.learns and plain.memory and peer.memory:
        share = plain.memory / peer.memory
        lines.append(f"{plain.candidate} takes {share:.2f} times the memory of {peer.candidate}")
    return lines


def compared_in_words(ours: Result, theirs: Result, title: str) -> str:
    """How many times as fast one is, and whether that is more than noise."""
    ratio = compared(theirs.middles, ours.middles)
    words = {
        "faster": "is faster than",
        "slower": "is SLOWER than",
        "tie": "ties with",
        "unknown": "was measured too few times beside",
    }
    return (
        f"{ours.candidate} {words[ratio.verdict]} {title}, {theirs.candidate}: {ratio.middle:.2f} "
        f"({ratio.low:.2f}-{ratio.high:.2f}) times as fast, over {len(ours.rounds)} rounds"
    )


def about(record: Record) -> list[str]:
    """The machine, its ceilings and the software, a line each."""
    machine = record.machine
    device = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores"
    sets = f" ({', '.join(machine['instruction_sets'])})" if machine["instruction_sets"] else ""
    return [
        f"{device}{sets}; {machine['threads']} threads; {machine['memory'] / 2**30:.0f} GiB",
        f"load of the machine before it began: {machine['load_before']:.2f} processes",
        ceilings(record),
        ", ".join(f"{name} {number}" for name, number in record.versions.items()),
    ]


def took(record: Record) -> str:
    """How long a run took, to follow what it is said of; nothing where its record does not tell."""
    return f", in {record.seconds / 60:.0f} minutes" if record.seconds else ""


def ceilings(record: Record) -> str:
    """What the machine can do at most, on all threads and on one."""
    rates = {name: rate / 1e9 for name, rate in record.ceiling.items()}
    text = f"matrix products {rates['products']:,.0f} GFLOP/s, copies {rates['copies']:,.1f} GB/s"
    if "products_of_one" not in rates:
        return text
    return f"{text} (one thread: {rates['products_of_one']:,.0f} and {rates['copies_of_one']:,.1f})"


def growth_rows(record: Record) -> list[tuple[str, ...]]:
    """From the smallest picture to the largest: how many times the time and memory, beside the pixels."""
    rows = []
    for candidate in (*(name for name, each in CANDIDATES.items() if each.ours), VIT):
        found = growth(record, candidate)
        for pixels, result in found:
            first_pixels, first = found[0]
            time, times = result.seconds.middle, result.seconds.middle / first.seconds.middle
            rows.append(
                (
                    candidate,
                    f"{pixels**0.5:.0f}",
                    f"{pixels / first_pixels:.0f}",
                    milliseconds(time),
                    f"{times:.1f}",
                    f"{(result.memory or 0) / 1e6:,.0f}",
                    f"{result.memory / first.memory:.1f}" if result.memory and first.memory else "-",
                )
            )
    return rows
