"""Does Assay name the cause? Small services with one planted cause each."""
