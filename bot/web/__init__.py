"""The pages that the program serves over HTTP."""
