"""Server-rendered components: the class, its public members, its HTML, its calls."""
