"""What the evidence of a trial says. Pure: counts and settings in, verdicts with their numbers out."""
