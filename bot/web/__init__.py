"""Serves what is asked of this process over HTTP: one listener, and the pages that say how it is."""
