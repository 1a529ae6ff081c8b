"""The Label Studio ML backend: answers from a database, grounds in a worker, keeps every prediction and correction."""
