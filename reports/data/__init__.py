"""The report for programs: results.json."""
