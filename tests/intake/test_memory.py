"""A long file passes through in constant memory."""

import subprocess
import sys
from pathlib import Path

import pytest

_CODE = """
import random, sys
from pathlib import Path
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.data_plane.intake import Intake
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import Stage
from frostbyte.kernel.vault import TenantKeys, Vault

vault = Vault(LocalBlobs(Path(sys.argv[1])), TenantKeys(b"i" * 32, b"t" * 32, {1: b"w" * 32}))
intake = Intake(tenant_id="acme", unit_of_work=MemoryStore().unit_of_work, vault=vault, clock=SystemClock(),
                first_stage=Stage.SCAN)
session = intake.open_batch("vendor")

def send(megabytes):
    sink = session.file("long.pdf")
    sink.write(b"%PDF-1.7\\n" + bytes([megabytes % 256]))
    part = random.Random(1).randbytes(65536)
    for _ in range(megabytes * 16):
        sink.write(part)
    outcome = sink.finish()
    assert not outcome.code, outcome.code
    return outcome

def kilobytes(name):  # ru_maxrss would begin with what the process that started this one once had
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

send(1)  # everything is imported and warm
before = kilobytes("VmRSS")
send(int(sys.argv[2]))
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.slow
def test_two_hundred_megabytes_take_less_than_64_of_memory(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _CODE, str(tmp_path / "objects"), "200"], check=True, capture_output=True, text=True
    )
    assert int(run.stdout) < 64 * 1024
