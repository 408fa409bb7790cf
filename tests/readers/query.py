"""Asks DuckDB about Parquet files: a statement of SQL a line on standard input, in the folder given; prints the rows of each as one line of JSON."""
import json
import os
import sys

import duckdb

os.chdir(sys.argv[1])
# Times are printed in UTC wherever this runs.
duckdb.execute("SET TimeZone = 'UTC'")
for statement in sys.stdin:
    print(json.dumps(duckdb.execute(statement).fetchall(), default=str))
