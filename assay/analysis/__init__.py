"""From the tables of a run to numbers, verdicts and causes; no file is opened here."""
