"""Whether half the digits cost half the time on this processor. Called by every task's trainer. Standard library only."""

from __future__ import annotations

from pathlib import Path


def fast_bf16_cpu() -> bool:
    """Whether this processor multiplies bf16 natively; without it bf16 is slower than float32."""
    try:
        return any(flag in Path("/proc/cpuinfo").read_text() for flag in ("avx512_bf16", "amx_bf16"))
    except OSError:
        return False
