"""Human stimuli and answers: file names, layouts, reformatting, trials."""
