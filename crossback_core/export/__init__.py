"""One task of a product as files that run without this project: graph, values, model card."""
