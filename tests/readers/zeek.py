"""Reads a Zeek log with parsezeeklogs and prints what it made of it: a JSON object with the path, the number of records and some sums."""
import json
import sys

from parsezeeklogs import ZeekLog


def refuse(number, line, error):
    sys.exit(f"line {number}: {error}: {line!r}")


with ZeekLog(sys.argv[1], on_error=refuse) as log:
    records = list(log)
    total = {name: sum(record[name] or 0 for record in records) for name in ("orig_pkts", "resp_pkts", "orig_ip_bytes", "resp_ip_bytes")}
    print(json.dumps({"path": log.path, "records": len(records), "states": sorted({record["conn_state"] for record in records}), **total}))
