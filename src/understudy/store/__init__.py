"""What must outlive the process: the revisions of the configuration, in SQLite, in a state directory."""
