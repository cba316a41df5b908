"""Children that decode other people's bytes, and how they are started."""
