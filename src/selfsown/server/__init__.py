"""An OpenAI-compatible server in front of any model that `open_model` opens."""
