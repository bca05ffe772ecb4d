"""Third-party sources, fetched by version and hash (vendoring/vendored.toml) when the tree is set up or a wheel is
built, each with its licence beside it. Only this file is edgelite's own."""
