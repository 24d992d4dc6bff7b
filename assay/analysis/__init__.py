"""Turn the tables of a run into numbers, verdicts and causes, without opening files."""
