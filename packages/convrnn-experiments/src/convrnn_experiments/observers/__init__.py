"""Human answers exported by JATOS: parsing, exclusion, trial counts."""
