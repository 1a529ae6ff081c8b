"""One command from a dataset's files to the paper's table: run, measured under the public protocol, written down."""
