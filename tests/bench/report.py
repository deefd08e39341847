"""What the benchmark prints: figures, ratios, and for each target "met" or by how much it was missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from tests.bench.load import Round
from tests.bench.payloads import Payload

# Ten times the resources may cost ten times as much; a quarter more is left to noise.
LINEAR_TOLERANCE = 1.25
PEAK_MEMORY_MB = 120.0
FALLBACK_MS = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The rounds of one payload at one concurrency, in order; round n of both servers ran side by side."""

    payload: Payload
    concurrency: int
    service: Sequence[Round]
    baseline: Sequence[Round]

    @property
    def ratio(self) -> float:
        """Requests per second of the service to those of the baseline: the median of the rounds."""
        pairs = zip(self.service, self.baseline, strict=True)
        return median(ours.rate / theirs.rate for ours, theirs in pairs)


def print_measured(measured: Measured) -> None:
    """The figures of both servers, and the targets of this payload."""
    payload, concurrency = measured.payload, measured.concurrency
    for name, rounds in (("service", measured.service), ("baseline", measured.baseline)):
        print(
            f"  concurrency {concurrency:<3} {name:<9}{median(each.rate for each in rounds):>9,.0f} req/s"
            f"   p50 {_percentile(rounds, 50):>8.2f} ms   p99 {_percentile(rounds, 99):>8.2f} ms"
        )
    ratio = f"  concurrency {concurrency:<3} ratio    {measured.ratio:>9.2f}"
    if payload.throughput is None:
        print(f"{ratio}         (no target)")
    else:
        missed = payload.throughput - measured.ratio
        print(f"{ratio}         target at least {payload.throughput:.1f}: {_verdict(missed, '.2f')}")
    if payload.p99_ms is not None and concurrency == 1:
        p99 = _percentile(measured.service, 99)
        print(
            f"  concurrency 1   p99      {p99:>9.2f} ms      target under {payload.p99_ms:.0f} ms: "
            f"{_verdict(p99 - payload.p99_ms, '.2f', ' ms', reached=p99 < payload.p99_ms)}"
        )


def print_fallback(service: Sequence[Round], slowest: Sequence[Round]) -> None:
    """What a call that fetches everything costs beyond the slowest answer of the FHIR server."""
    for name, rounds in (("service", service), ("slowest", slowest)):
        print(
            f"  concurrency 1   {name:<9}{len([time for each in rounds for time in each.times]):>9,} calls"
            f"   p50 {_percentile(rounds, 50):>8.2f} ms   p99 {_percentile(rounds, 99):>8.2f} ms"
        )
    more = _percentile(service, 50) - _percentile(slowest, 50)
    print(
        f"  concurrency 1   more     {more:>9.2f} ms      target at most {FALLBACK_MS:.0f} ms: "
        f"{_verdict(more - FALLBACK_MS, '.2f', ' ms')}"
    )


def print_linearity(small: Measured, large: Measured) -> None:
    """What one resource costs in a small and in a large request, at concurrency 1."""
    print("cost of one resource, concurrency 1")
    service = _print_growth("service", (small.payload, small.service), (large.payload, large.service))
    _print_growth("baseline", (small.payload, small.baseline), (large.payload, large.baseline))
    verdict = _verdict(service - LINEAR_TOLERANCE, ".2f")
    print(f"  target for the service at most times {LINEAR_TOLERANCE:.2f} (linear is 1): {verdict}")


def print_memory(peaks: Mapping[str, float | None]) -> None:
    """The peak resident memory of both processes after everything."""
    print("peak resident memory")
    for name, peak in peaks.items():
        print(f"  {name:<9}" + ("not told by this system" if peak is None else f"{peak:.0f} MB"))
    service = peaks["service"]
    if service is not None:
        verdict = _verdict(service - PEAK_MEMORY_MB, ".0f", " MB", reached=service < PEAK_MEMORY_MB)
        print(f"  target for the service under {PEAK_MEMORY_MB:.0f} MB: {verdict}")


def _print_growth(name: str, *sizes: tuple[Payload, Sequence[Round]]) -> float:
    """Prints the microseconds that a resource costs at each size; gives the last divided by the first."""
    costs = [1e6 / median(each.rate for each in rounds) / payload.resources for payload, rounds in sizes]
    figures = [f"{cost:.2f} us of {payload.resources:,}" for cost, (payload, _) in zip(costs, sizes, strict=True)]
    growth = costs[-1] / costs[0]
    print(f"  {name:<9}{'   '.join(figures)}   times {growth:.2f}")
    return growth


def _percentile(rounds: Sequence[Round], percent: int) -> float:
    """Of the answering times of all rounds together, in milliseconds; nearest rank."""
    times = sorted(time for each in rounds for time in each.times)
    return times[ceil(len(times) * percent / 100) - 1] * 1000


def _verdict(missed: float, form: str, unit: str = "", reached: bool | None = None) -> str:
    reached = missed <= 0 if reached is None else reached
    return "met" if reached else f"missed by {missed:{form}}{unit}"
