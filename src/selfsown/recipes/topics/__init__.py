"""Recipe `topics`: what documents are about, and what that is worth for learning."""
