"""Human answers (JATOS): parsing, exclusion, trial counts."""
