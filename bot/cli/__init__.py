"""The command line: what is typed is in `line`, what is done in one module a command. No job is moved here."""
