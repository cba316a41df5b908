"""The database's shape: numbered migrations of whole SQL statements. `HEAD` is the version this code needs."""

from pathlib import Path

HEAD = "0006"
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
FOLDER = Path(__file__).parent
