"""Human stimuli: file names, layouts, reformatting."""
