"""The platform over HTTP: the API, the chunk gateway, cut-outs, the portal pages and the built viewer."""
