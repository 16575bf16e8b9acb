"""The command line: the composition root, which imports the flow, the warehouse and the pipelines lazily."""
