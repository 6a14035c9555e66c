"""Trees and file lists, turned into jobs as they are met."""
