"""Runs what is typed: `commands` and `operate` define the commands, the other modules do what they say."""
