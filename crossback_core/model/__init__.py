"""The network: input, body, head; bodies are shared by tasks as ownership says."""
