"""From a question to an answer that has arrived: jobs, the worker, the outbox, and what people correct."""
