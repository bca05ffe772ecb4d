"""The console script `edgelite`: a dispatcher that imports only what its subcommand needs."""
