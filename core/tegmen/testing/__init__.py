"""Contract suites and hostile fakes for the authors of plugins; they need pytest."""
