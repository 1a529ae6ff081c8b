"""Runs a command and writes how long it took and its largest memory: ``launch.py REPORT LIMIT COMMAND...``.

A small process of its own, because the kernel counts the memory of whoever starts a command as the command's. After
LIMIT seconds the command is killed.
"""

import json
import os
import subprocess
import sys
import time

report, limit, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
began = time.monotonic()
process = subprocess.Popen(command)
over, number, status = False, 0, 0
while not number:
    number, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not number:
        if time.monotonic() - began > limit and not over:
            over = True
            process.kill()
        time.sleep(0.02)
found = {
    "seconds": time.monotonic() - began,
    "peak_mb": usage.ru_maxrss * 1024 / 1e6,  # Linux counts in KiB
    "status": os.waitstatus_to_exitcode(status),
    "over": over,
}
with open(report, "w") as file:  # noqa: PTH123 (the less is imported here, the better)
    json.dump(found, file)
