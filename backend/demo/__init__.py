"""The whole loop on one machine: Label Studio, backend and worker as child processes, clips rendered here."""
