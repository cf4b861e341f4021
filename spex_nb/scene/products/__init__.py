"""Products as their makers ship them: names, folders, archives, containers and catalogue items."""
